"""The pool with virtual time: what runs when, what failures do, and how it ends."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable

import pytest

from flagger_controller import seats
from flagger_controller.cluster.client import ApiConflict, ApiUnavailable, Call, Ref, api_error
from flagger_controller.cluster.resources import DEPLOYMENTS
from flagger_controller.errors import Conflict, NotFound, Retriable
from flagger_controller.schedule.pool import CONFLICT_PAUSE, RETRY_FIRST, RETRY_MOST, Pool

from .bench import Bench, failing, lasting, stop

pytestmark = pytest.mark.looptime


async def test_a_woken_key_is_ticked_at_once_and_then_as_often_as_it_says(bench: Bench) -> None:
    bench.scripts["a"] = failing(10.0)
    bench.pool.wake("a")
    await asyncio.sleep(35)
    assert bench.ticks("a") == [0, 10, 20, 30]
    assert bench.pool.waiting == 1


async def test_a_delay_is_kept_and_an_earlier_wake_wins(bench: Bench) -> None:
    bench.pool.wake("a", 20)
    bench.pool.wake("b", 30)
    bench.pool.wake("a", 50)
    bench.pool.wake("b", 5)
    await asyncio.sleep(100)
    assert bench.log == [("b", 5), ("a", 20)]
    assert bench.pool.waiting == 0


async def test_a_wake_before_the_due_time_shortens_the_wait(bench: Bench) -> None:
    bench.scripts["a"] = failing(100.0)
    bench.pool.wake("a")
    await asyncio.sleep(30)
    bench.pool.wake("a")
    await asyncio.sleep(99)
    assert bench.ticks("a") == [0, 30]
    await asyncio.sleep(2)
    assert bench.ticks("a") == [0, 30, 130]


async def test_never_two_ticks_of_one_key_and_wakes_meanwhile_are_one_more_tick(
    bench: Bench,
) -> None:
    bench.scripts["a"] = lasting(10, then=1000)
    bench.pool.wake("a")
    await asyncio.sleep(1)
    for _ in range(5):
        bench.pool.wake("a")
        await asyncio.sleep(1)
    assert bench.ticks("a") == [0]
    await asyncio.sleep(94)
    assert bench.ticks("a") == [0, 10]


async def test_a_delayed_wake_during_a_tick_keeps_its_time(bench: Bench) -> None:
    bench.scripts["a"] = lasting(10, then=1000)
    bench.pool.wake("a")
    await asyncio.sleep(1)
    bench.pool.wake("a", 40)
    await asyncio.sleep(100)
    assert bench.ticks("a") == [0, 41]


async def test_slow_ticks_do_not_hold_up_others(bench: Bench) -> None:
    bench.scripts["slow"] = lasting(1000)
    bench.scripts["a"] = failing(10.0)
    bench.pool.wake("slow")
    bench.pool.wake("a")
    await asyncio.sleep(25)
    assert bench.ticks("a") == [0, 10, 20]
    assert bench.running == ["slow"]


async def test_a_slow_tick_that_is_woken_meanwhile_does_not_hold_up_others(bench: Bench) -> None:
    bench.scripts["slow"] = lasting(1000)
    bench.scripts["a"] = failing(10.0)
    bench.pool.wake("slow")
    bench.pool.wake("a")
    await asyncio.sleep(5)
    bench.pool.wake("slow")
    assert bench.pool.waiting == 2
    await asyncio.sleep(30)
    assert bench.ticks("a") == [0, 10, 20, 30]


async def test_times_that_cannot_be_written_in_binary_are_kept(bench: Bench) -> None:
    bench.scripts["a"] = failing(0.1)
    bench.pool.wake("a", 0.1)
    await asyncio.sleep(3.05)
    assert bench.ticks("a") == pytest.approx([tenth / 10 for tenth in range(1, 31)], abs=0.01)


async def test_failures_back_off_up_to_a_limit(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.scripts["a"] = failing(Retriable("the API server is busy"))
    bench.pool.wake("a")
    await asyncio.sleep(200)
    ticks = bench.ticks("a")
    pauses = [round(after - before, 6) for before, after in itertools.pairwise(ticks)]
    assert pauses[:7] == [RETRY_FIRST, 1, 2, 4, 8, 16, RETRY_MOST]
    assert set(pauses[6:]) == {RETRY_MOST}
    assert caplog.messages[0] == "tick failed, trying again: the API server is busy"
    record = caplog.records[0]
    assert record.levelname == "WARNING"
    assert getattr(record, "canary", "") == "a"


async def test_pauses_never_grow_beyond_the_limit_however_long_it_lasts(bench: Bench) -> None:
    bench.scripts["a"] = failing(Retriable("down"))
    bench.pool.wake("a")
    await asyncio.sleep(RETRY_MOST * 2000)
    assert len(bench.ticks("a")) >= 1999


async def test_jitter_takes_away_up_to_half_of_a_pause() -> None:
    bench = Bench(jitter=lambda: 0.0)
    bench.scripts["a"] = failing(Retriable("busy"), Retriable("busy"), None)
    bench.pool.wake("a")
    await asyncio.sleep(10)
    assert bench.ticks("a") == [0, 0.25, 0.75]
    await stop(bench)


async def test_a_success_makes_the_pauses_short_again(bench: Bench) -> None:
    busy = Retriable("busy")
    bench.scripts["a"] = failing(busy, busy, 100.0, busy, None)
    bench.pool.wake("a")
    await asyncio.sleep(200)
    assert bench.ticks("a") == [0, 0.5, 1.5, 101.5, 102]


async def test_forgetting_makes_the_pauses_short_again(bench: Bench) -> None:
    bench.scripts["a"] = failing(Retriable("busy"))
    bench.pool.wake("a")
    await asyncio.sleep(100)
    bench.pool.forget("a")
    await asyncio.sleep(100)
    before = len(bench.ticks("a"))
    bench.pool.wake("a")
    await asyncio.sleep(0.6)
    assert bench.ticks("a")[before:] == [200, 200.5]


async def test_one_key_that_fails_does_not_touch_others(bench: Bench) -> None:
    bench.scripts["bad"] = failing(NotFound("gone"))
    bench.scripts["worse"] = failing(ZeroDivisionError())
    bench.scripts["good"] = failing(10.0)
    for key in ("bad", "worse", "good"):
        bench.pool.wake(key)
    await asyncio.sleep(45)
    assert bench.ticks("good") == [0, 10, 20, 30, 40]
    assert len(bench.ticks("bad")) == len(bench.ticks("worse")) == 7


@pytest.mark.parametrize("error", [Conflict("stale"), ApiConflict(409, "Conflict", "stale")])
async def test_a_conflict_is_quiet_and_tried_again_with_growing_pauses(
    bench: Bench, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    caplog.set_level("INFO")
    bench.scripts["a"] = failing(error, error, error, None)
    bench.pool.wake("a")
    await asyncio.sleep(10)
    assert bench.ticks("a") == pytest.approx([0, *(n * CONFLICT_PAUSE for n in (1, 3, 7))])
    assert not caplog.records


async def test_a_server_that_asks_for_patience_gets_it(bench: Bench) -> None:
    busy = ApiUnavailable(429, "TooManyRequests", "later", 7.0)
    bench.scripts["a"] = failing(busy, busy, None)
    bench.pool.wake("a")
    await asyncio.sleep(30)
    assert bench.ticks("a") == [0, 7, 14]


async def test_a_failure_is_logged_once_with_keys_until_it_changes_or_ends(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    ref = Ref(DEPLOYMENTS, "cart", "shop")
    busy = api_error(503, "", "busy", call=Call("patch", ref))
    slow = api_error(0, "Timeout", "no answer within 10 s", call=Call("patch", ref))
    bench.scripts["a"] = failing(
        busy, busy, Conflict("stale"), busy, slow, slow, 100.0, busy, 999.0
    )
    bench.pool.wake("a")
    await asyncio.sleep(300)
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "busy",
        "no answer within 10 s",
        "ticks work again",
        "busy",
        "ticks work again",
    ]
    keys = {"error": "timeout", "verb": "patch", "object": "cart", "canary": "a"}
    assert keys.items() <= vars(caplog.records[1]).items()


async def test_an_unexpected_error_is_logged_with_its_stack_and_tried_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.scripts["a"] = failing(ZeroDivisionError("a bug"), None)
    bench.pool.wake("a")
    await asyncio.sleep(10)
    assert bench.ticks("a") == [0, RETRY_FIRST]
    (record,) = caplog.records
    assert record.message == "tick failed unexpectedly, trying again"
    assert record.levelname == "ERROR"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)


async def test_a_forgotten_key_is_not_ticked(bench: Bench) -> None:
    bench.scripts["a"] = failing(10.0)
    bench.pool.wake("a")
    await asyncio.sleep(5)
    bench.pool.forget("a")
    bench.pool.forget("unknown")
    await asyncio.sleep(100)
    assert bench.ticks("a") == [0]
    assert bench.pool.waiting == 0


async def test_a_tick_under_way_survives_being_forgotten(bench: Bench) -> None:
    bench.scripts["a"] = lasting(10)
    bench.pool.wake("a")
    await asyncio.sleep(1)
    bench.pool.wake("a")
    bench.pool.forget("a")
    await asyncio.sleep(100)
    assert bench.ticks("a") == [0]
    assert bench.cancelled == []


async def test_only_so_many_run_at_once_in_the_order_they_became_due() -> None:
    bench = Bench(at_once=2)
    for index, key in enumerate("abcdef"):
        bench.scripts[key] = lasting(10)
        bench.pool.wake(key, 1 + index / 8)
    await asyncio.sleep(100)
    assert bench.most == 2
    assert "".join(key for key, _ in bench.log) == "abcdef"
    assert [at for _, at in bench.log] == [1, 1.125, 11, 11.125, 21, 21.125]
    await stop(bench)


async def test_a_busy_key_cannot_starve_the_others() -> None:
    bench = Bench(at_once=1)
    bench.scripts["greedy"] = lasting(1, then=0)
    bench.scripts["a"] = lasting(1)
    bench.pool.wake("greedy")
    await asyncio.sleep(0.5)
    bench.pool.wake("a")
    bench.pool.wake("greedy")
    await asyncio.sleep(3)
    assert [key for key, _ in bench.log][:2] == ["greedy", "a"]
    await stop(bench)


async def test_the_end_cancels_what_runs(bench: Bench) -> None:
    bench.scripts["a"] = bench.scripts["b"] = lasting(1000)
    bench.pool.wake("a")
    bench.pool.wake("b")
    bench.pool.wake("later", 500)
    await asyncio.sleep(1)
    await stop(bench)
    assert sorted(bench.cancelled) == ["a", "b"]
    assert bench.running == []
    assert bench.task.cancelled()
    await asyncio.sleep(1000)
    assert bench.ticks("later") == []


async def test_the_end_waits_for_ticks_that_clean_up(bench: Bench) -> None:
    cleaned: list[str] = []

    async def tidy() -> float | None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(3)
            cleaned.append("a")
        return None

    bench.scripts["a"] = tidy
    bench.pool.wake("a")
    await asyncio.sleep(1)
    await stop(bench)
    assert cleaned == ["a"]


async def test_keys_may_be_woken_before_it_runs() -> None:
    ticked: list[str] = []

    async def work(key: str) -> float | None:
        ticked.append(key)
        return None

    meter = Bench()
    await stop(meter)
    pool = Pool(work, meter)
    pool.wake("a")
    assert pool.waiting == 1
    await asyncio.sleep(100)
    assert pool.overdue() == 0, "a standby is not late"
    task = asyncio.create_task(pool.run())
    await asyncio.sleep(1)
    assert ticked == ["a"]
    assert meter.lags == [0]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def asking(*seconds: float) -> Callable[[], Awaitable[float | None]]:
    """A tick that asks somebody outside several questions side by side, which take so long."""

    async def ask(seconds: float) -> None:
        with seats.left():
            await asyncio.sleep(seconds)

    async def work() -> float | None:
        await asyncio.gather(*map(ask, seconds))
        await asyncio.sleep(10)
        return None

    return work


async def test_who_waits_for_somebody_outside_takes_no_place() -> None:
    bench = Bench(at_once=1)
    for key in "abc":
        bench.scripts[key] = asking(1000)
        bench.pool.wake(key)
    bench.pool.wake("quick", 5)
    await asyncio.sleep(20)
    assert bench.log == [("a", 0), ("b", 0), ("c", 0), ("quick", 5)]
    await stop(bench)


async def test_a_tick_has_one_place_however_much_it_asks() -> None:
    bench = Bench(at_once=2)
    bench.scripts["a"] = asking(3, 5, 4)
    bench.scripts["b"] = bench.scripts["c"] = lasting(20)
    for key in "abc":
        bench.pool.wake(key)
    bench.pool.wake("d", 1)
    await asyncio.sleep(100)
    assert bench.log == [("a", 0), ("b", 0), ("c", 0), ("d", 20)], "b and c have both"
    await stop(bench)


async def test_who_has_waited_is_counted_again() -> None:
    bench = Bench(at_once=1)
    bench.scripts["a"] = asking(2)
    bench.pool.wake("a")
    bench.pool.wake("b", 3)
    await asyncio.sleep(100)
    assert bench.log == [("a", 0), ("b", 12)]
    await stop(bench)


async def test_who_is_cancelled_while_it_waits_leaves_the_count_right() -> None:
    bench = Bench(at_once=1)

    async def impatient() -> float | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                with seats.left():
                    await asyncio.sleep(1000)
        return None

    bench.scripts["a"] = impatient
    bench.scripts["b"] = lasting(10)
    bench.pool.wake("a")
    bench.pool.wake("b", 3)
    bench.pool.wake("c", 4)
    await asyncio.sleep(100)
    assert bench.log == [("a", 0), ("b", 3), ("c", 13)]
    await stop(bench)
