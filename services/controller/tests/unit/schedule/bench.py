"""A pool whose work is scripted, with virtual time."""

import asyncio
from collections.abc import Awaitable, Callable

from flagger_controller.schedule.pool import Pool
from flagger_controller.urgency import FIRST, Rank


class Bench:
    """A pool whose work is scripted: what each key's ticks do, and when they ran."""

    def __init__(
        self,
        *,
        at_once: int = 100,
        jitter: Callable[[], float] = lambda: 1.0,
        rank: Callable[[str], Rank] = lambda key: FIRST,
    ) -> None:
        self.pool = Pool(self._work, self, rank, at_once=at_once, jitter=jitter)
        self.lags: list[float] = []
        self.ends: list[tuple[float, str]] = []
        self.log: list[tuple[str, float]] = []
        self.took: list[tuple[str, float]] = []
        self.running: list[str] = []
        self.cancelled: list[str] = []
        self.most = 0
        self.scripts: dict[str, Callable[[], Awaitable[float | None]]] = {}
        self.task = asyncio.create_task(self.pool.run())

    def began(self, lag: float) -> None:
        self.lags.append(round(lag, 6))

    def ended(self, seconds: float, error: str) -> None:
        self.ends.append((round(seconds, 6), error))

    def ticks(self, key: str) -> list[float]:
        return [at for name, at in self.log if name == key]

    async def _work(self, key: str) -> float | None:
        assert key not in self.running, "two ticks of one key"
        self.running.append(key)
        self.most = max(self.most, len(self.running))
        began = asyncio.get_running_loop().time()
        self.log.append((key, round(began, 6)))
        try:
            return await self.scripts.get(key, _gone)()
        except asyncio.CancelledError:
            self.cancelled.append(key)
            raise
        finally:
            self.running.remove(key)
            self.took.append((key, asyncio.get_running_loop().time() - began))


async def _gone() -> float | None:
    return None


def lasting(seconds: float, then: float | None = None) -> Callable[[], Awaitable[float | None]]:
    """A tick that takes so long."""

    async def work() -> float | None:
        await asyncio.sleep(seconds)
        return then

    return work


def failing(*errors: Exception | float | None) -> Callable[[], Awaitable[float | None]]:
    """Ticks that end like this, one after the other; the last one again and again."""
    left = list(errors)

    async def work() -> float | None:
        outcome = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return work


async def stop(bench: Bench) -> None:
    bench.task.cancel()
    await asyncio.gather(bench.task, return_exceptions=True)
