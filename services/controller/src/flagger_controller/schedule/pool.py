"""Runs what is due: many canaries at once, never two ticks of one canary.

A key that is woken while its tick runs is ticked again afterwards. Failures are retried with
back-off and never stop anybody else's canary.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final

from flagger_controller.errors import Conflict, FlaggerError
from flagger_controller.schedule.due import Due

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


class Pool:
    """Ticks keys when they are due."""

    def __init__(
        self, work: Work, *, at_once: int = 100, jitter: Callable[[], float] = random.random
    ) -> None:
        self._work = work
        self._at_once = at_once
        self._jitter = jitter
        self._due = Due()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._again: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._problems: dict[str, str] = {}
        """What was logged last of a key whose ticks fail."""
        self._changed = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Keys that have a due time."""
        return len(self._due) + len(self._again)

    def wake(self, key: str, delay: float = 0.0) -> None:
        """Tick a key in so many seconds, or earlier when it is due earlier."""
        at = self._now() + delay
        if key in self._running:
            self._again[key] = min(at, self._again.get(key, at))
        else:
            self._due.add(key, at)
        self._changed.set()

    def forget(self, key: str) -> None:
        """Stop ticking a key; a tick under way is finished."""
        self._due.discard(key)
        self._again.pop(key, None)
        self._failures.pop(key, None)
        self._problems.pop(key, None)

    async def run(self) -> None:
        """Tick until cancelled; ticks under way are cancelled too."""
        try:
            while True:
                self._changed.clear()
                self._start_due()
                await self._wait()
        finally:
            await self._stop()

    def _start_due(self) -> None:
        free = self._at_once - len(self._running)
        for key in self._due.take(self._now() + SLACK, free):
            self._running[key] = asyncio.create_task(self._tick(key), name=f"tick {key}")

    async def _wait(self) -> None:
        at = self._due.next()
        full = len(self._running) >= self._at_once
        try:
            async with asyncio.timeout_at(None if full else at):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _tick(self, key: str) -> None:
        try:
            self._schedule(key, await self._work(key))
            self._failures.pop(key, None)
            if self._problems.pop(key, ""):
                logger.info("ticks work again", extra={"canary": key})
        except FlaggerError as error:
            first = CONFLICT_PAUSE if isinstance(error, Conflict) else RETRY_FIRST
            self.wake(key, max(error.retry_after, self._pause(key, first)))
            self._log(key, error)
        except Exception:
            logger.exception("tick failed unexpectedly, trying again", extra={"canary": key})
            self.wake(key, self._pause(key, RETRY_FIRST))
        finally:
            del self._running[key]
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
