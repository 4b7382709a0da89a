"""Process groups that outlived their command, as after ``server >/dev/null &``.

Upstream lets them run for ever. They may go on here too, but not beyond the limit of their task nor
beyond the life of the server.
"""

import os
import signal
import threading
import time
from typing import Final

from flagger_common import process

_PERIOD: Final = 1.0
"""Seconds between two looks. Short, so that the number of an ended group is not yet reused."""


class Leftovers:
    """Watches groups until they end or their time is over."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._limits: dict[int, float] = {}
        self._watching = False

    def __len__(self) -> int:
        with self._lock:
            return len(self._limits)

    def watch(self, group: int, seconds: float) -> None:
        """Let a group live for some more seconds."""
        with self._lock:
            self._limits[group] = time.monotonic() + seconds
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._watch, name="leftovers", daemon=True).start()
            self._lock.notify_all()

    def close(self) -> None:
        """Kill all groups now."""
        with self._lock:
            for group in self._limits:
                _kill(group)
            self._limits.clear()
            self._lock.notify_all()

    def _watch(self) -> None:
        with self._lock:
            while self._limits:
                self._look()
                self._lock.wait(_PERIOD)
            self._watching = False

    def _look(self) -> None:
        now = time.monotonic()
        for group, limit in list(self._limits.items()):
            if not process.alive(group):
                del self._limits[group]
            elif limit <= now:
                _kill(group)


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
