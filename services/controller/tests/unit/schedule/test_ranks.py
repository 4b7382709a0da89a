"""Which ticks begin, and whose requests are sent, when there is more to do than can be done."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from flagger_controller import seats, urgency
from flagger_controller.cluster.throttle import Throttle
from flagger_controller.schedule.room import KEPT
from flagger_controller.urgency import FAIR, Level, Rank

from .bench import Bench, lasting, stop

pytestmark = pytest.mark.looptime

RANKS = {
    "r": Rank(Level.RELEASE, 600),
    "q": Rank(Level.RELEASE, 60),
    "p": Rank(Level.REPAIR),
    "s": Rank(Level.START),
}


def by_name(key: str) -> Rank:
    """`s12` is a start-up, and so on."""
    return RANKS[key[0]]


def names(bench: Bench) -> str:
    return "".join(key[0] for key, _ in bench.log)


async def test_the_most_urgent_of_those_that_are_due_begin_first() -> None:
    bench = Bench(at_once=1, rank=by_name)
    for key in ("s0", "s1", "p0", "r0", "q0", "p1"):
        bench.scripts[key] = lasting(1)
        bench.pool.wake(key)
    assert bench.pool.waiting == 6
    await asyncio.sleep(0.5)
    assert (bench.pool.waiting, bench.pool.overdue()) == (5, 5)
    await asyncio.sleep(10)
    assert [key for key, _ in bench.log] == ["q0", "r0", "p0", "p1", "s0", "s1"]
    assert bench.lags == [0, 1, 2, 3, 4, 5]
    await stop(bench)


async def test_what_is_not_due_yet_takes_nobodys_turn() -> None:
    bench = Bench(at_once=1, rank=by_name)
    bench.scripts["s0"] = lasting(1)
    bench.pool.wake("s0")
    bench.pool.wake("q0", 5)
    await asyncio.sleep(10)
    assert bench.log == [("s0", 0), ("q0", 5)]
    await stop(bench)


async def test_a_key_in_line_is_ticked_once_however_often_it_is_woken() -> None:
    bench = Bench(at_once=1, rank=by_name)
    bench.scripts["r0"] = lasting(3)
    bench.pool.wake("r0")
    await asyncio.sleep(1)
    for delay in (0, 0, 1):
        bench.pool.wake("s0", delay)
        await asyncio.sleep(0.1)
    assert bench.pool.waiting == 1
    await asyncio.sleep(10)
    assert bench.ticks("s0") == [3]
    await stop(bench)


async def test_a_key_that_is_forgotten_in_line_is_not_ticked() -> None:
    bench = Bench(at_once=1, rank=by_name)
    bench.scripts["r0"] = lasting(3)
    for key in ("r0", "s0"):
        bench.pool.wake(key)
    await asyncio.sleep(1)
    bench.pool.forget("s0")
    assert (bench.pool.waiting, bench.pool.overdue()) == (0, 0)
    bench.pool.wake("s0", 9)
    await asyncio.sleep(20)
    assert bench.ticks("s0") == [10]
    assert bench.lags == [0, 0]
    await stop(bench)


async def test_start_ups_leave_places_for_a_release() -> None:
    bench = Bench(at_once=2 * KEPT, rank=by_name)
    for number in range(20):
        bench.scripts[f"s{number}"] = lasting(1000)
        bench.pool.wake(f"s{number}")
    bench.pool.wake("r0", 5)
    await asyncio.sleep(10)
    assert names(bench) == (2 * KEPT - 2) * "s" + "r"
    assert bench.ticks("r0") == [5]
    await stop(bench)


async def test_releases_leave_a_turn_for_start_ups() -> None:
    bench = Bench(at_once=1, rank=by_name)
    for number in range(3 * FAIR):
        bench.scripts[f"r{number}"] = lasting(1, then=0)
        bench.pool.wake(f"r{number}", 0.1)
    bench.scripts["s0"] = lasting(1)
    bench.pool.wake("s0", 0.05)
    bench.scripts["r"] = lasting(1)
    bench.pool.wake("r")
    await asyncio.sleep(FAIR + 0.5)
    assert names(bench)[:FAIR] == (FAIR - 1) * "r" + "s"
    await stop(bench)


async def test_a_tick_outside_leaves_a_place_of_its_kind() -> None:
    bench = Bench(at_once=2 * KEPT, rank=by_name)

    async def ask() -> float | None:
        with seats.left():
            await asyncio.sleep(10)
        return await lasting(1000)()

    for number in range(20):
        bench.scripts[f"s{number}"] = ask
        bench.pool.wake(f"s{number}")
    await asyncio.sleep(5)
    assert len(bench.running) == 20
    await asyncio.sleep(10)  # they are all back: more than there are places for
    for key in ("s99", "r0"):
        bench.pool.wake(key)
    await asyncio.sleep(10)
    assert len(bench.running) == 20
    for key in [*bench.pool._running][:14]:
        bench.pool._running[key].cancel()
    await asyncio.sleep(1)
    assert bench.ticks("r0") == [25]
    assert bench.ticks("s99") == []
    await stop(bench)


def asking(throttle: Throttle, sent: list[str], key: str) -> Callable[[], Awaitable[float | None]]:
    """A tick that sends three requests, one after the other."""

    async def work() -> float | None:
        for _ in range(3):
            await throttle.wait(urgency.current())
            sent.append(key)
        return 10.0 if key == "r0" else None

    return work


async def test_a_release_goes_on_although_a_thousand_start_ups_wait() -> None:
    throttle, sent = Throttle(qps=10, burst=10), list[str]()
    bench = Bench(rank=by_name)
    keys = [*(f"s{number}" for number in range(1000)), *(f"p{number}" for number in range(100))]
    for key in [*keys, "r0"]:
        bench.scripts[key] = asking(throttle, sent, key)
        bench.pool.wake(key, 5 if key == "r0" else 0)
    await asyncio.sleep(60)
    began = bench.ticks("r0")
    assert began[0] == 5
    took = [seconds for key, seconds in bench.took if key == "r0"]
    assert len(took) == len(began) == 6
    assert max(took) <= 0.41, "three requests at ten a second, and one that was on its way"
    assert len(sent) == pytest.approx(610, abs=2), "everything is used"
    assert names(bench)[:75] == 75 * "p", "repairs begin before start-ups"
    await stop(bench)
