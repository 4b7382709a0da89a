"""An event loop whose clock leaps to the next timer as soon as nothing is left to do."""

import asyncio
import itertools
import math
import selectors
from collections.abc import Callable
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVarTuple

Ts = TypeVarTuple("Ts")

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
SECOND: Final = 1_000_000
"""Microseconds."""
ROUND: Final = 50
"""Microseconds of a round of the loop: who looks again a moment too early, at once, must see that
time goes on."""
STEP: Final = 0.9e-9
"""Seconds between two timers that are due at the same time."""


class NothingLeft(RuntimeError):
    """Every task waits for something that no timer will bring."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs tasks and timers in their order, and takes next to no time in between.

    For programs without sockets and threads: nobody outside of the loop can wake it.
    """

    def __init__(self) -> None:
        self._leaper = _Leaper()
        self._order = itertools.count()
        super().__init__(self._leaper)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._leaper.now

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call at a time, or a moment later.

        No two timers have quite the same time, as in reality: they hash by it, so sets of those
        that had would be slow.
        """
        later = next(self._order) % 1000 * STEP
        return super().call_at(when + later, callback, *args, context=context)

    def utc(self) -> datetime:
        """The virtual wall clock."""
        return START + timedelta(seconds=self._leaper.now)


class _Leaper(selectors.DefaultSelector):
    """Is asked by the loop to wait for so many seconds, and lets them be over."""

    def __init__(self) -> None:
        super().__init__()
        self._microseconds = 0

    @property
    def now(self) -> float:
        return self._microseconds / SECOND

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let the time be over.

        Raises:
            NothingLeft: there is no timer, so it would never be.
        """
        if timeout is None:
            raise NothingLeft("all tasks wait, and no timer will wake one: look at what they await")
        # Whole microseconds, as the wall clock has: between two of them what is due by the one is
        # not due by the other.
        due = math.ceil((self.now + timeout) * SECOND)
        self._microseconds = max(due, self._microseconds + ROUND)
        return []
