"""The public keys of an issuer: known for a while, fetched by one caller at a time.

Knows neither HTTP nor tokens. Whoever asks for a key that is known does not wait for the network.
"""

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar

from .store import base

K = TypeVar("K")

FRESH_SECONDS: Final = 300.0
"""For so long keys are believed without asking again: a key that was taken back is gone then."""

FETCHING_SECONDS: Final = 30.0
"""For so long after that they are believed by those who come while somebody else is fetching."""

COOLDOWN_SECONDS: Final = 30.0
"""Pause after which a key that is not known is looked for again."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Known(Generic[K]):
    """What the last attempt to fetch left behind."""

    keys: Mapping[str, K]
    at: float
    """When they were fetched; seconds of the clock."""
    problem: str = ""
    """Why the last attempt failed; the keys are then those of the one before."""


class Keys(Generic[K]):
    """Keys by their ids."""

    def __init__(
        self, fetch: Callable[[], Mapping[str, K]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Get keys with `fetch`, which raises `StoreUnavailableError` when there is no answer."""
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._known: _Known[K] = _Known({}, float("-inf"))

    def find(self, name: str) -> K | None:
        """Return a key, None if the issuer has none of this name.

        Raises:
            StoreUnavailableError: the issuer does not answer, so nobody knows.
        """
        seen = self._known
        key, age = seen.keys.get(name), self._clock() - seen.at
        if age < (COOLDOWN_SECONDS if key is None else FRESH_SECONDS):
            return key
        can_wait = key is None or age >= FRESH_SECONDS + FETCHING_SECONDS
        if not self._lock.acquire(blocking=can_wait):
            return key
        try:
            if self._known is seen:
                self._known = self._fetched(seen)
            now = self._known
        finally:
            self._lock.release()
        if now.problem:
            raise base.StoreUnavailableError(now.problem)
        return now.keys.get(name)

    def _fetched(self, before: _Known[K]) -> _Known[K]:
        """Fetch; those who waited meanwhile share the result, a failure too."""
        try:
            return _Known(self._fetch(), self._clock())
        except base.StoreUnavailableError as error:
            return dataclasses.replace(before, problem=str(error))
