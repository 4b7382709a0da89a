"""Results that are still good: a hook that gave up just before the end asks again (spec B.3)."""

import collections
import threading
import time
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_KEPT: Final = 256
"""Most results at a time; the oldest goes first."""


class Results(Generic[T]):
    """Remembers results for a short time."""

    def __init__(self, ttl: float, now: Callable[[], float] = time.monotonic) -> None:
        """Remember nothing yet.

        Args:
            ttl: seconds that a result is good for; 0 remembers nothing.
            now: seconds of a clock that never goes back.
        """
        self._ttl = ttl
        self._now = now
        self._lock = threading.Lock()
        self._kept: collections.OrderedDict[Hashable, tuple[float, T]] = collections.OrderedDict()

    def get(self, key: Hashable) -> T | None:
        """Return the result that is still good, or None."""
        with self._lock:
            ends, result = self._kept.get(key, (0.0, None))
        return result if self._now() < ends else None

    def put(self, key: Hashable, result: T) -> None:
        """Remember a result from now on."""
        if self._ttl <= 0:
            return
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (self._now() + self._ttl, result)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
