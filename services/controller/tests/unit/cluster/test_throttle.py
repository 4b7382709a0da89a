"""The rate limit with virtual time: how many, who first, and what cancelling and halting do."""

import asyncio
import contextlib
import itertools

import looptime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagger_controller.cluster.throttle import Throttle
from flagger_controller.urgency import FAIR, FIRST, Level, Rank

pytestmark = pytest.mark.looptime

RELEASE, REPAIR, START = Rank(Level.RELEASE, 60), Rank(Level.REPAIR), Rank(Level.START)


class Bench:
    """Those who want a token, and when each of them got it."""

    def __init__(self, throttle: Throttle) -> None:
        self.throttle = throttle
        self.log: list[tuple[str, float]] = []
        self.tasks: list[asyncio.Task[None]] = []

    @property
    def names(self) -> str:
        return "".join(name for name, _ in self.log)

    @property
    def times(self) -> list[float]:
        return [at for _, at in self.log]

    def ask(self, name: str, rank: Rank = FIRST) -> asyncio.Task[None]:
        task = asyncio.create_task(self._take(name, rank))
        self.tasks.append(task)
        return task

    async def _take(self, name: str, rank: Rank) -> None:
        await self.throttle.wait(rank)
        self.log.append((name, round(asyncio.get_running_loop().time(), 3)))

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def emptied(qps: float) -> Bench:
    """Where the only token that may be saved is gone."""
    bench = Bench(Throttle(qps=qps, burst=1))
    await bench.throttle.wait(FIRST)
    return bench


async def times(throttle: Throttle, calls: int) -> list[float]:
    bench = Bench(throttle)
    await asyncio.gather(*(bench.ask("a") for _ in range(calls)))
    return bench.times


async def test_a_burst_then_the_rate() -> None:
    throttle = Throttle(qps=10, burst=3)
    await asyncio.sleep(5)
    assert await times(throttle, 6) == [5.0, 5.0, 5.0, 5.1, 5.2, 5.3]
    await asyncio.sleep(0.2)
    assert await times(throttle, 3) == [5.5, 5.5, 5.6]


async def test_no_limit() -> None:
    assert await times(Throttle(qps=0, burst=0), 100) == [0.0] * 100


async def test_the_most_urgent_come_first() -> None:
    bench = await emptied(10)
    for name, rank in (
        ("s", START),
        ("b", Rank(Level.RELEASE, 20)),
        ("p", REPAIR),
        ("a", Rank(Level.RELEASE, 10)),
        ("t", START),
    ):
        bench.ask(name, rank)
    await asyncio.sleep(0.25)
    bench.ask("f", FIRST)
    assert bench.throttle.waiting == 3
    await asyncio.sleep(5)
    assert bench.log == [("a", 0.1), ("b", 0.2), ("f", 0.3), ("p", 0.4), ("s", 0.5), ("t", 0.6)]
    assert bench.throttle.waiting == 0


async def test_who_is_less_urgent_keeps_a_tenth_while_releases_want_everything() -> None:
    bench = await emptied(10)
    for _ in range(3):
        bench.ask("s", START)
    await asyncio.sleep(0)
    for _ in range(10 * FAIR):
        bench.ask("r", RELEASE)
    await asyncio.sleep(3.05)
    turns = "x" + bench.names  # the first turn was that of the saved token
    assert [n for n, name in enumerate(turns, start=1) if name == "s"] == [FAIR, 2 * FAIR, 3 * FAIR]
    assert turns.count("r") == 27
    await bench.stop()


async def test_who_is_cancelled_while_waiting_takes_no_token() -> None:
    bench = await emptied(10)
    lost = bench.ask("a", RELEASE)
    bench.ask("b", REPAIR)
    await asyncio.sleep(0.05)
    lost.cancel()
    await asyncio.sleep(1)
    assert bench.log == [("b", 0.1)]
    assert bench.throttle.waiting == 0


INSTANT = 5e-10
"""Less than a clock can tell: timers so far apart fire in one turn of the loop, in their order."""


async def test_a_cancelled_one_that_has_not_left_yet_is_passed_over() -> None:
    bench = await emptied(10)
    lost = bench.ask("a", RELEASE)
    bench.ask("b", REPAIR)
    asyncio.get_running_loop().call_at(0.1 - INSTANT, lost.cancel)
    await asyncio.sleep(1)
    assert lost.cancelled()
    assert bench.log == [("b", 0.1)]


async def test_a_token_of_one_that_is_cancelled_with_it_goes_to_the_next() -> None:
    bench = await emptied(10)
    lost = bench.ask("a", RELEASE)
    bench.ask("b", REPAIR)
    asyncio.get_running_loop().call_at(0.1 + INSTANT, lost.cancel)
    await asyncio.sleep(1)
    assert lost.cancelled()
    assert bench.log == [("b", 0.1)]


async def test_a_halt_stops_all_and_then_they_go_on_in_order_without_a_burst() -> None:
    bench = Bench(Throttle(qps=10, burst=50))
    bench.ask("x")
    await asyncio.sleep(1)
    bench.throttle.halt(7)
    bench.throttle.halt(2)  # the longest counts
    for name, rank in (("s", START), ("p", REPAIR), ("r", RELEASE)):
        bench.ask(name, rank)
    await asyncio.sleep(20)
    assert bench.log == [("x", 0.0), ("r", 8.1), ("p", 8.2), ("s", 8.3)]


async def test_a_halt_stops_those_who_wait_already_and_those_without_a_limit() -> None:
    waiting, unlimited = await emptied(10), Bench(Throttle(qps=0, burst=0))
    waiting.ask("a")
    await asyncio.sleep(0.05)
    for bench in (waiting, unlimited):
        bench.throttle.halt(5)
    unlimited.ask("b")
    await asyncio.sleep(20)
    assert waiting.log == [("a", 5.15)]
    assert unlimited.log == [("b", 5.05)]


async def test_a_token_that_comes_back_during_a_halt_is_not_given_out() -> None:
    bench = await emptied(10)
    lost = bench.ask("a", RELEASE)
    bench.ask("b", REPAIR)
    loop = asyncio.get_running_loop()
    loop.call_at(0.1 + INSTANT, bench.throttle.halt, 5)
    loop.call_at(0.1 + 1.1 * INSTANT, lost.cancel)
    await asyncio.sleep(20)
    assert lost.cancelled()
    assert bench.log == [("b", 5.1)]


QPS, BURST = 10, 3
scripts = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from([RELEASE, REPAIR, START])),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
        st.tuples(st.just("sleep"), st.sampled_from([0.0, 0.03, 0.1, 0.35, 2.0])),
    ),
    max_size=40,
)


@given(scripts)
def test_no_token_is_invented_or_lost(script: list[tuple[str, float | Rank]]) -> None:
    with contextlib.closing(looptime.new_event_loop()) as loop:
        loop.run_until_complete(_play(script))


async def _play(script: list[tuple[str, float | Rank]]) -> None:
    bench = Bench(Throttle(QPS, BURST))
    for what, value in script:
        if isinstance(value, Rank):
            bench.ask("a", value)
        elif what == "sleep":
            await asyncio.sleep(value)
        elif value < len(bench.tasks):
            bench.tasks[int(value)].cancel()
    await asyncio.sleep(0)  # those that were asked for last stand in line now
    await asyncio.sleep(bench.throttle.waiting / QPS + 0.01)
    assert all(task.done() for task in bench.tasks), "whoever waits gets the rate"
    for (i, start), (j, end) in itertools.combinations(enumerate(bench.times), 2):
        assert j - i + 1 <= BURST + QPS * (end - start) + 0.1, "never more than burst and rate"
    await asyncio.sleep(BURST / QPS)
    for _ in range(BURST + 1):
        bench.ask("z")
    await asyncio.sleep(0.001)
    assert bench.names.count("z") == BURST
    await bench.stop()
