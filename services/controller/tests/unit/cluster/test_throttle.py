import asyncio

import pytest

from flagger_controller.cluster.throttle import Throttle

pytestmark = pytest.mark.looptime


async def times(throttle: Throttle, calls: int) -> list[float]:
    found: list[float] = []

    async def call() -> None:
        await throttle.wait()
        found.append(round(asyncio.get_running_loop().time(), 3))

    await asyncio.gather(*(call() for _ in range(calls)))
    return found


async def test_a_burst_then_the_rate() -> None:
    throttle = Throttle(qps=10, burst=3)
    await asyncio.sleep(5)
    assert await times(throttle, 6) == [5.0, 5.0, 5.0, 5.1, 5.2, 5.3]
    await asyncio.sleep(0.2)
    assert await times(throttle, 3) == [5.5, 5.5, 5.6]


async def test_no_limit() -> None:
    assert await times(Throttle(qps=0, burst=0), 100) == [0.0] * 100
