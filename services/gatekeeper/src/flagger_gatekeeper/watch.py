"""Server-sent events about gates: each stream looks at the store and tells what is different."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

from . import gates

Document = dict[str, Any]
Look = Callable[[], list[Document]]

MOST_STREAMS: Final = 8
"""Each holds a thread of the server for as long as somebody looks; checks need the others."""

PAUSE_SECONDS: Final = 2.0
LONGEST_SECONDS: Final = 300.0
"""A stream ends after this time; browsers come back by themselves, and clients that vanished
without a word go."""


class Streams:
    """The streams of one process."""

    def __init__(self, pause: float = PAUSE_SECONDS, longest: float = LONGEST_SECONDS) -> None:
        """Look every `pause` seconds, for `longest` seconds."""
        self._pause = pause
        self._rounds = max(1, round(longest / pause))
        self._free = threading.Semaphore(MOST_STREAMS)
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End all streams; they hold up the end of the process."""
        self._stopped.set()

    def open(self, look: Look) -> Iterator[str] | None:
        """Return a stream, None if there are too many.

        Args:
            look: returns the gates that the caller may see.
        """
        if self._stopped.is_set() or not self._free.acquire(blocking=False):
            return None
        return _Stream(self._tell(look), self._free)

    def _tell(self, look: Look) -> Iterator[str]:
        known: dict[str, Document] = {}
        yield "retry: 2000\n\n"
        for _ in range(self._rounds):
            try:
                found = {_name(one): one for one in look()}
            except gates.GateError:
                yield _event("unavailable", {})
            else:
                yield from _differences(known, found)
                known = found
            if self._stopped.wait(self._pause):
                return


class _Stream:
    """Gives its place back when it is closed, even if nobody has read from it."""

    def __init__(self, events: Iterator[str], free: threading.Semaphore) -> None:
        self._events = events
        self._free: threading.Semaphore | None = free

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(self._events)

    def close(self) -> None:
        """End the stream; the server does this when the connection is over, whatever the reason."""
        if self._free is not None:
            self._free.release()
            self._free = None


def _differences(known: dict[str, Document], found: dict[str, Document]) -> Iterator[str]:
    """Yield what changed. Without a change a comment shows that the connection lives."""
    told = False
    for name, one in found.items():
        if known.get(name) != one:
            told = True
            yield _event("gate", one)
    for name, one in known.items():
        if name not in found:
            told = True
            place = {part: one[part] for part in ("namespace", "canary", "gate")}
            yield _event("gone", place)
    if not told:
        yield ": nothing new\n\n"


def _event(name: str, document: Document) -> str:
    return f"event: {name}\ndata: {json.dumps(document)}\n\n"


def _name(document: Document) -> str:
    return json.dumps([document["namespace"], document["canary"], document["gate"]])
