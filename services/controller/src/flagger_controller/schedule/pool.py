"""Runs what is due: many canaries at once, never two ticks of one canary.

When more are due than can run, the most urgent come first, and some places are kept for releases.
A key that is woken while its tick runs is ticked again afterwards. Failures are retried with
back-off and never stop anybody else's canary.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol

from flagger_controller import seats, urgency
from flagger_controller.errors import Conflict, FlaggerError
from flagger_controller.schedule.due import Due
from flagger_controller.schedule.room import Room
from flagger_controller.urgency import Level, Line, Rank

logger = logging.getLogger(__name__)

RETRY_FIRST: Final = 0.5
RETRY_MOST: Final = 30.0
"""Seconds before a failed tick is tried again: the first pause, doubled up to the longest."""
CONFLICT_PAUSE: Final = 0.1
"""The first pause after a conflict: until the watch has shown what somebody else wrote."""
SLACK: Final = 0.001
"""Seconds by which a timer may fire too early: event loops round."""

Work = Callable[[str], Awaitable[float | None]]
"""One tick of a key: seconds until the next, None to forget the key."""


class Meter(Protocol):
    """Is told how ticks go."""

    def began(self, lag: float) -> None:
        """A tick began so many seconds after it was due."""
        ...

    def ended(self, seconds: float, error: str) -> None:
        """A tick took so long; `error`: a word for why it failed, empty when it did not."""
        ...


class Pool:
    """Ticks keys when they are due."""

    def __init__(
        self,
        work: Work,
        meter: Meter,
        rank: Callable[[str], Rank] = lambda key: urgency.FIRST,
        *,
        at_once: int = 100,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Make it.

        Args:
            work: one tick.
            meter: is told how they go.
            rank: how urgent the tick of a key is, now; must not fail.
            at_once: ticks that run at the same time, without those that wait for somebody
                outside (`seats`).
            jitter: between 0 and 1, for pauses.
        """
        self._work = work
        self._meter = meter
        self._rank = rank
        self._room = Room(at_once)
        self._jitter = jitter
        self._due = Due()
        self._line: Line[str] = Line()
        """Keys whose time has come."""
        self._came: dict[str, float] = {}
        """When that was."""
        self._running: dict[str, asyncio.Task[None]] = {}
        self._again: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._problems: dict[str, str] = {}
        """What was logged last of a key whose ticks fail."""
        self._changed = asyncio.Event()
        self._opened: float | None = None
        """When it began to tick; what was due before has waited for nothing until then."""

    @property
    def waiting(self) -> int:
        """Keys that have a due time."""
        return len(self._due) + len(self._line) + len(self._again)

    def overdue(self) -> int:
        """Keys whose time has come and whose tick has not begun; none before `run`."""
        return 0 if self._opened is None else len(self._line) + self._due.overdue(self._now())

    def wake(self, key: str, delay: float = 0.0) -> None:
        """Tick a key in so many seconds, or earlier when it is due earlier."""
        at = self._now() + delay
        if key in self._running:
            self._again[key] = min(at, self._again.get(key, at))
        elif key not in self._line:
            self._due.add(key, at)
        self._changed.set()

    def forget(self, key: str) -> None:
        """Stop ticking a key; a tick under way is finished."""
        self._due.discard(key)
        self._line.leave(key)
        self._came.pop(key, None)
        self._again.pop(key, None)
        self._failures.pop(key, None)
        self._problems.pop(key, None)

    async def run(self) -> None:
        """Tick until cancelled; ticks under way are cancelled too."""
        self._opened = self._now()
        try:
            while True:
                self._changed.clear()
                self._start_due()
                await self._wait()
        finally:
            await self._stop()

    def _start_due(self) -> None:
        now = self._now()
        self._line_up(now)
        while (level := self._room.admits()) is not None:
            if (key := self._line.call(level)) is None:
                return
            self._start(key, now)

    def _line_up(self, now: float) -> None:
        while (at := self._due.next()) is not None and at <= now + SLACK:
            for key in self._due.take(at, 1):
                self._line.join(key, self._rank(key))
                self._came[key] = at

    def _start(self, key: str, now: float) -> None:
        self._meter.began(max(0.0, now - max(self._came.pop(key), self._opened or 0.0)))
        level = self._rank(key).level
        self._room.enter(level)
        self._running[key] = asyncio.create_task(self._tick(key, level), name=f"tick {key}")

    async def _wait(self) -> None:
        full = self._room.admits() is None
        try:
            async with asyncio.timeout_at(None if full else self._due.next()):
                await self._changed.wait()
        except TimeoutError:
            return

    def _moved(self, level: Level, places: int) -> None:
        self._room.leave(level, places)
        if places > 0:
            self._changed.set()

    async def _tick(self, key: str, level: Level) -> None:
        seats.Seat(partial(self._moved, level)).take()
        urgency.follow(partial(self._rank, key))
        started, failure = self._now(), ""
        try:
            self._schedule(key, await self._work(key))
            self._failures.pop(key, None)
            if self._problems.pop(key, ""):
                logger.info("ticks work again", extra={"canary": key})
        except FlaggerError as error:
            failure = _word(error)
            first = CONFLICT_PAUSE if isinstance(error, Conflict) else RETRY_FIRST
            self.wake(key, max(error.retry_after, self._pause(key, first)))
            self._log(key, error)
        except Exception:
            failure = "unexpected"
            logger.exception("tick failed unexpectedly, trying again", extra={"canary": key})
            self.wake(key, self._pause(key, RETRY_FIRST))
        finally:
            self._meter.ended(self._now() - started, failure)
            del self._running[key]
            self._room.leave(level)
            if (at := self._again.pop(key, None)) is not None:
                self._due.add(key, at)
            self._changed.set()

    def _schedule(self, key: str, seconds: float | None) -> None:
        if seconds is None:
            self.forget(key)
        else:
            self.wake(key, seconds)

    def _log(self, key: str, error: FlaggerError) -> None:
        """Say once what goes wrong again and again."""
        text = str(error)
        new = not error.quiet and text != self._problems.get(key)
        if new:
            self._problems[key] = text
        level = logging.WARNING if new else logging.DEBUG
        extra = {**error.fields, "canary": key}
        logger.log(level, "tick failed, trying again: %s", text, extra=extra)

    def _pause(self, key: str, first: float) -> float:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        longest = min(RETRY_MOST, first * float(2 ** min(failures - 1, 10)))
        return longest * (0.5 + self._jitter() / 2)

    async def _stop(self) -> None:
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _word(error: FlaggerError) -> str:
    """The kind of an API error, else the class: `forbidden`, `conflict`, `configerror`."""
    return str(error.fields.get("error") or type(error).__name__.lower())
