"""A clock that leaps."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest
from bench.soak.virtual import START, NothingLeft, VirtualLoop


def played(work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def test_timers_fire_in_their_order_at_their_times() -> None:
    async def work() -> list[tuple[str, float]]:
        loop, fired = asyncio.get_running_loop(), []

        async def wait(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            fired.append((name, loop.time()))

        await asyncio.gather(wait("weeks", 3e6), wait("at once", 0), wait("an hour", 3600.25))
        return fired

    expected = {"at once": 0, "an hour": 3600.25, "weeks": 3e6}
    assert dict(played(work())) == pytest.approx(expected, abs=1e-3)
    assert list(expected) == [name for name, _ in played(work())]


def test_the_wall_clock_goes_along_and_nothing_is_early_by_it() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        for seconds in (0.1, 1 / 3, 2e-7, 424.36, 7e5 / 9):
            before = loop.utc()
            await asyncio.sleep(seconds)
            late = (loop.utc() - before) - timedelta(seconds=seconds)
            assert timedelta(0) <= late <= timedelta(milliseconds=1)
            assert loop.time() == (loop.utc() - START) / timedelta(seconds=1)

    played(work())


def test_a_deadline_that_is_no_binary_fraction_is_reached() -> None:
    """A timer that fires before its time would be set again, and again."""

    async def work() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(424.36)
        end, rounds = loop.time() + 60, 0
        while loop.time() < end:
            rounds += 1
            assert rounds < 10
            try:
                async with asyncio.timeout_at(end):
                    await loop.create_future()
            except TimeoutError:
                continue

    played(work())


def test_timers_that_are_due_at_the_same_time_are_not_equal() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        timers = [loop.call_later(30, lambda: None) for _ in range(100)]
        assert len({timer.when() for timer in timers}) == 100

    played(work())


def test_time_goes_on_while_tasks_work() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for _ in range(100):
            await asyncio.sleep(0)
        assert loop.time() > begin + 0.001

    played(work())


def test_waiting_for_nobody_is_an_error() -> None:
    async def work() -> None:
        await asyncio.get_running_loop().create_future()

    loop = VirtualLoop()
    task = loop.create_task(work())
    with pytest.raises(NothingLeft, match="no timer will wake one"):
        loop.run_until_complete(task)
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))
    loop.close()
