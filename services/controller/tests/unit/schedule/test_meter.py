"""What the pool tells about ticks: lag, duration, failures."""

import asyncio

import pytest

from flagger_controller.cluster.client import api_error
from flagger_controller.errors import ConfigError, Conflict

from .bench import Bench, failing, lasting, stop

pytestmark = pytest.mark.looptime


async def test_lag_is_the_time_from_when_a_tick_was_due() -> None:
    bench = Bench(at_once=1)
    bench.scripts["a"] = lasting(3)
    bench.pool.wake("a")
    bench.pool.wake("b", 1)
    bench.pool.wake("c", 2)
    await asyncio.sleep(2.5)
    assert bench.pool.overdue() == 2
    await asyncio.sleep(10)
    assert bench.lags == [0, 2, 1]
    assert bench.pool.overdue() == 0
    await stop(bench)


async def test_a_wake_during_a_tick_waits_for_its_end() -> None:
    bench = Bench()
    bench.scripts["a"] = lasting(3, then=1000)
    bench.pool.wake("a")
    await asyncio.sleep(1)
    bench.pool.wake("a")
    await asyncio.sleep(10)
    assert bench.lags == [0, 2]
    await stop(bench)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (Conflict("late"), "conflict"),
        (ConfigError("bad"), "configerror"),
        (api_error(503, "", "busy"), "unavailable"),
        (ValueError("a bug"), "unexpected"),
    ],
)
async def test_failures_are_told_with_a_word(bench: Bench, error: Exception, word: str) -> None:
    bench.scripts["a"] = failing(error, None)
    bench.pool.wake("a")
    await asyncio.sleep(5)
    assert [found for _, found in bench.ends] == [word, ""]


async def test_durations_are_told(bench: Bench) -> None:
    bench.scripts["a"] = lasting(3)
    bench.pool.wake("a")
    await asyncio.sleep(5)
    assert bench.ends == [(3, "")]
