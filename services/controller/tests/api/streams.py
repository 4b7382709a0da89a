"""The open watches of a controller behind a proxy, and what can go wrong with them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web

EXPIRED = {
    "type": "ERROR",
    "object": {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "too old resource version: the test has forgotten it",
        "reason": "Expired",
        "code": 410,
    },
}
"""What the API server says in a stream when a watch is to begin too long ago."""


@dataclass(eq=False)
class Stream:
    """A watch that is open."""

    request: web.Request
    frozen: bool = False
    """It must not deliver."""

    def abort(self) -> None:
        """Break the connection."""
        if self.request.transport is not None:
            self.request.transport.abort()


class Streams:
    """Which watches there are, and which of them were broken."""

    def __init__(self) -> None:
        self._open: set[Stream] = set()
        self._expired: set[str] = set()
        self._past: dict[str, str] = {}
        self._late: set[str] = set()

    @contextmanager
    def opened(self, request: web.Request) -> Iterator[Stream]:
        """A watch is there for as long as the block runs."""
        stream = Stream(request)
        self._open.add(stream)
        try:
            yield stream
        finally:
            self._open.discard(stream)

    def freeze(self) -> None:
        """What is open now delivers nothing any more."""
        for stream in self._open:
            stream.frozen = True

    def thaw(self) -> None:
        """Break what was frozen."""
        for stream in self._open:
            if stream.frozen:
                stream.abort()

    def expire(self, revision: str = "") -> None:
        """Break what is open; begin again with 410, and with lists of a past revision if given."""
        paths = {stream.request.path for stream in self._open}
        self._expired |= paths
        if revision:
            self._past |= dict.fromkeys(paths, revision)
        for stream in self._open:
            stream.abort()

    def has_expired(self, path: str) -> bool:
        """Whether the next watch is refused; asked once."""
        return _taken(self._expired, path)

    def lists_past(self, path: str) -> bool:
        """Whether the next list will be of the past."""
        return path in self._past

    def past(self, path: str) -> str:
        """The revision of the next list; asked once. Empty: the newest."""
        revision = self._past.pop(path, "")
        if revision:
            self._late.add(path)
        return revision

    def is_late(self, path: str) -> bool:
        """Whether the next watch follows a list of the past; asked once."""
        return _taken(self._late, path)


def expired() -> web.Response:
    """The answer to a watch that begins too long ago."""
    line = json.dumps(EXPIRED).encode() + b"\n"
    return web.Response(body=line, content_type="application/json")


def _taken(names: set[str], name: str) -> bool:
    if name not in names:
        return False
    names.discard(name)
    return True
