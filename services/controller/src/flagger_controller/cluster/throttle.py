"""Client-side rate limit of API requests (flags `-kubeconfig-qps` and `-kubeconfig-burst`)."""

import asyncio
from typing import Final

from flagger_controller.urgency import Line, Rank

NO_LIMIT: Final = 1e6
"""Requests a second; nobody asks so often."""
ROUNDING: Final = 0.001
"""The part of a token that may be missing: event loops round, timers fire too early."""


class Throttle:
    """A token bucket: the next token goes to the most urgent of those who wait (`urgency`)."""

    def __init__(self, qps: float, burst: int) -> None:
        """Make it, full; a limit of zero or less means none."""
        limited = qps > 0
        self._qps = qps if limited else NO_LIMIT
        self._most = float(max(burst, 1) if limited else NO_LIMIT)
        self._tokens = self._most
        self._at = 0.0
        """When the tokens were counted last; later than now: the end of a halt."""
        self._line: Line[asyncio.Future[None]] = Line()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Those who have no token yet."""
        return len(self._line)

    async def wait(self, rank: Rank) -> None:
        """Take a token."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.join(turn, rank)
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            self._line.leave(turn)
            if not turn.cancelled():  # it was given a token that it will never use
                self._tokens += 1
                self._serve()
            raise

    def halt(self, seconds: float) -> None:
        """Give out no token for so long, and then none but those that are earned from there on.

        A server that asks for patience is not to be met by a whole burst right after.
        """
        now = self._now()
        self._earn(now)
        self._tokens = min(self._tokens, 0.0)
        self._at = max(self._at, now + seconds)

    def _serve(self) -> None:
        """Give out what is there, and come back when there is more."""
        now = self._now()
        self._earn(now)
        while self._at <= now and self._tokens >= 1 - ROUNDING:
            if (turn := self._line.call()) is None:
                return
            if not turn.done():  # cancelled, and about to leave the line itself
                self._tokens -= 1
                turn.set_result(None)
        if len(self._line) and self._timer is None:
            missing = max(0.0, 1 - self._tokens)
            at = self._at + missing / self._qps
            self._timer = asyncio.get_running_loop().call_at(at, self._come_back)

    def _come_back(self) -> None:
        self._timer = None
        self._serve()

    def _earn(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(self._most, self._tokens + (now - self._at) * self._qps)
            self._at = now

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
