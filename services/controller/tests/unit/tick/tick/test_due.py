"""When a tick is due, what it does then, and when it wants to be called again.

Whole releases, and what crashes leave behind, are in `tests/model`; the rig is the one from there.
"""

import asyncio

import pytest

from flagger_controller.rollout.evidence import Answer
from flagger_controller.tick.pace import RESYNC

from ....model import upstream
from ....model.acts import analysis, hook, respec
from ....model.process import INTERVAL
from ....model.rig import CANARY, ROUTE, TARGET, canary
from ....model.targets import deployment
from .bench import Bench

pytestmark = pytest.mark.looptime

# When to be called again


async def test_an_unknown_canary_is_gone(bench: Bench) -> None:
    process = await bench.start()
    assert await process.tick.run() is None


async def test_between_runs_only_a_resync_is_due(bench: Bench) -> None:
    await bench.rig.initialized()
    process = await bench.start()
    await asyncio.sleep(INTERVAL)
    assert await bench.tick(process) == RESYNC


async def test_in_a_run_the_next_tick_is_due_an_interval_later(bench: Bench) -> None:
    process = await bench.progressing()
    await asyncio.sleep(INTERVAL)
    assert await bench.tick(process) == pytest.approx(INTERVAL, abs=0.01)
    assert bench.rig.status.canary_weight == 50


async def test_a_wake_between_ticks_converges_and_does_not_advance(bench: Bench) -> None:
    process = await bench.progressing()
    bench.rig.api.remove(ROUTE)
    await asyncio.sleep(2)
    left = await bench.tick(process)
    assert bench.rig.weights == {"podinfo-primary": 75, "podinfo-canary": 25}
    assert bench.rig.status.canary_weight == 25
    assert left is not None
    assert 7 < left < 8


async def test_after_a_restart_a_tick_is_due_when_it_was_due_before(bench: Bench) -> None:
    await bench.progressing()
    await asyncio.sleep(4)
    process = await bench.start()
    left = await bench.tick(process)
    assert bench.rig.status.canary_weight == 25, "a restart must not advance a canary"
    assert left is not None
    assert 5 < left < 6
    await asyncio.sleep(left)
    await bench.tick(process)
    assert bench.rig.status.canary_weight == 50


async def test_a_run_of_upstream_goes_on_when_its_next_tick_is_due(bench: Bench) -> None:
    await bench.progressing()
    await upstream.leaves(bench.rig)
    await asyncio.sleep(4)
    process = await bench.start()
    left = await bench.tick(process)
    assert bench.rig.status.canary_weight == 25, "a take-over must not advance a canary"
    assert left is not None
    assert 4.9 < left < 6
    await asyncio.sleep(left)
    await bench.tick(process)
    assert bench.rig.status.canary_weight == 50
    assert bench.rig.log.events == ["Advance podinfo canary weight 50"]


async def test_a_revision_that_was_pushed_while_nobody_led_is_analysed(bench: Bench) -> None:
    await bench.progressing()
    await upstream.leaves(bench.rig)
    bench.rig.push("3")
    process = await bench.start()
    await bench.tick(process)
    assert bench.rig.status.canary_weight == 0
    assert bench.rig.log.events == ["New revision detected! Restarting analysis for podinfo"]


async def test_what_this_process_did_counts_though_it_left_no_trace(bench: Bench) -> None:
    process = await bench.progressing()
    bench.rig.broken.add("2")
    await asyncio.sleep(INTERVAL)
    before = bench.rig.status
    assert await bench.tick(process) == pytest.approx(INTERVAL, abs=0.01)
    assert bench.rig.status == before, "the target is not ready: nothing to record"
    bench.rig.broken.clear()
    await asyncio.sleep(INTERVAL / 2)
    left = await bench.tick(process)
    assert bench.rig.status == before, "not due yet"
    assert left is not None
    assert 4 < left < 5


async def test_the_first_tick_of_a_bootstrap_is_due_and_tells_what_it_waits_for(
    bench: Bench,
) -> None:
    bench.rig.broken.add("1")
    bench.rig.api.put(TARGET, deployment())
    bench.rig.api.put(CANARY, canary())
    process = await bench.start()
    assert await bench.tick(process) == pytest.approx(INTERVAL, abs=0.01)
    assert "podinfo-primary not ready" in bench.rig.log.events[-1]


async def test_an_interval_below_the_floor_is_raised(bench: Bench) -> None:
    process = await bench.progressing(analysis=analysis(interval="1s"))
    await asyncio.sleep(INTERVAL)
    assert await bench.tick(process) == pytest.approx(INTERVAL, abs=0.01)


async def test_a_suspended_run_is_looked_at_seldom(bench: Bench) -> None:
    process = await bench.progressing()
    respec(bench.rig, suspend=True)
    await asyncio.sleep(INTERVAL)
    assert await bench.tick(process) == 0  # it was recorded that this was told: one more look
    for _ in range(2):
        assert await bench.tick(process) == RESYNC
        await asyncio.sleep(INTERVAL)
    assert len(bench.rig.log.events) == 1


# The last process died before its route was written


async def test_a_belated_route_gets_its_interval_before_it_is_judged(bench: Bench) -> None:
    await bench.progressing()
    body = bench.rig.api.object(ROUTE)
    assert body is not None
    body["spec"]["weighted"]["services"] = body["spec"]["weighted"]["services"][:1]
    bench.rig.api.put(ROUTE, body)
    await asyncio.sleep(INTERVAL)
    process = await bench.start()
    assert await bench.tick(process) == pytest.approx(INTERVAL, abs=0.01)
    assert bench.rig.weights == {"podinfo-primary": 75, "podinfo-canary": 25}
    assert bench.rig.status.canary_weight == 25
    await asyncio.sleep(INTERVAL)
    await bench.tick(process)
    assert bench.rig.status.canary_weight == 50


async def test_a_new_process_that_finds_everything_in_place_goes_on_at_once(bench: Bench) -> None:
    await bench.progressing()
    await asyncio.sleep(INTERVAL)
    await bench.tick(await bench.start())
    assert bench.rig.status.canary_weight == 50


async def test_drift_is_repaired_without_a_delay_by_a_process_that_was_there(
    bench: Bench,
) -> None:
    process = await bench.progressing()
    bench.rig.api.remove(ROUTE)
    await asyncio.sleep(INTERVAL)
    await bench.tick(process)
    assert bench.rig.status.canary_weight == 50


# What happens on the way


async def test_gates_are_asked_in_order_and_only_on_the_way(bench: Bench) -> None:
    hooks = [hook("rollout", "no"), hook("rollout", "never"), hook("confirm-promotion", "later")]
    bench.rig.hooks.answers["no"] = Answer(ok=True)
    process = await bench.progressing(analysis=analysis(webhooks=hooks))
    bench.rig.hooks.calls.clear()
    bench.rig.hooks.answers["no"] = Answer(ok=False, error="not today")
    await asyncio.sleep(INTERVAL)
    await bench.tick(process)
    assert bench.rig.hooks.calls == ["no"]
    assert bench.rig.status.failed_checks == 1
    text = "Halt podinfo advancement external check no failed not today"
    assert bench.rig.log.events == [text]


@pytest.mark.parametrize(("seconds", "logged"), [(INTERVAL - 1, False), (INTERVAL + 1, True)])
async def test_a_tick_that_outlasts_its_interval_is_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture, seconds: float, logged: bool
) -> None:
    """S34: upstream says nothing."""
    process = await bench.progressing(analysis=analysis(webhooks=[hook("rollout", "slow")]))
    bench.rig.hooks.seconds["slow"] = seconds
    await asyncio.sleep(INTERVAL)
    await bench.tick(process)
    assert bench.rig.status.canary_weight == 50
    assert ("the tick took 11 s, longer than its interval of 10 s" in caplog.text) is logged
