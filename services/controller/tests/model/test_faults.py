"""The named faults of upstream Flagger 1.44 (A to E, K, R), as tests that ours does not have them.

Every docstring says what upstream does; the assertions are about end states that upstream's
recorded behaviour violates (architecture.md section 5).
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from flagger_controller.api.status import Obligation, Phase
from flagger_controller.cluster.client import ApiError
from flagger_controller.cluster.fake import Write
from flagger_controller.rollout.evidence import Answer, Unmeasured

from .acts import (
    CONFLICT,
    DENIED,
    METRICS,
    ON_PRIMARY,
    ON_TARGET,
    OUTAGE,
    analysis,
    fail_next,
    failed,
    hook,
    reach,
    scale,
    stopped,
    ticks,
)
from .invariants import check_now
from .rig import PAUSE, PRIMARY, SERVICE, TARGET, Rig

pytestmark = pytest.mark.looptime


# A


@pytest.mark.parametrize("unready", [1, 3])
async def test_a_revision_pushed_while_failed_is_analysed(unready: int) -> None:
    """Fault A: upstream moves `lastAppliedSpec` in every tick of a Failed canary, so a revision
    that cannot start at once, as the primary is not ready, is never tried: it stays Failed.
    """
    rig = await Rig().initialized(analysis=analysis(metrics=METRICS))
    await failed(rig)
    rig.broken.add("primary-1")
    rig.push("3")
    await ticks(rig, unready)
    assert rig.status.phase is Phase.FAILED
    rig.broken.discard("primary-1")
    await rig.until(Phase.SUCCEEDED)
    assert rig.tag(PRIMARY) == "3"
    await stopped(rig)


async def test_a_revision_pushed_while_the_api_fails_is_analysed() -> None:
    """Fault A, the other way: the write that starts the run fails once."""
    rig = await Rig().initialized(analysis=analysis(metrics=METRICS))
    await failed(rig)
    await ticks(rig, 2)
    left = fail_next(rig, OUTAGE)
    rig.push("3")
    await ticks(rig, 1)
    assert not left
    await rig.until(Phase.SUCCEEDED)
    assert rig.tag(PRIMARY) == "3"
    await stopped(rig)


# B


@pytest.mark.parametrize("fix", ["3", "1"])
async def test_a_fix_after_a_failed_promotion_is_released(fix: str) -> None:
    """Fault B, S1: upstream sends all traffic to the dead primary, scales the healthy target to
    zero and calls the fix failed (trace edge-fix-after-failed-promotion).
    """
    rig = Rig(broken=("primary-2",))
    await rig.initialized()
    rig.push("2")
    await rig.until(Phase.FAILED)
    assert rig.weights == ON_TARGET
    assert rig.log.alerts[-1].startswith("Promotion failed, primary not ready:")
    rig.push(fix)
    for _ in range(30):
        await rig.pass_interval()
        check_now(rig)
        if rig.status.phase is Phase.SUCCEEDED:
            break
        if rig.tag(PRIMARY) == "2":
            assert rig.weights == ON_TARGET, "the primary is dead"
            assert rig.replicas(TARGET) > 0
    assert rig.status.phase is Phase.SUCCEEDED
    assert (rig.tag(PRIMARY), rig.weights) == (fix, ON_PRIMARY)
    await stopped(rig)


async def test_provider_kubernetes_keeps_serving_after_a_failed_promotion() -> None:
    """S28: upstream leaves the apex Service on the dead primary."""
    rig = Rig(broken=("primary-2",))
    await rig.initialized(provider="kubernetes", analysis=analysis(iterations=1))
    rig.push("2")
    await rig.until(Phase.FAILED)
    assert selector(rig) == "podinfo"
    rig.push("3")
    await rig.until(Phase.SUCCEEDED)
    assert (selector(rig), rig.tag(PRIMARY)) == ("podinfo-primary", "3")
    await stopped(rig)


def selector(rig: Rig) -> str:
    service = rig.found(SERVICE)
    return str(service["spec"]["selector"]["app"])


# C


@pytest.mark.parametrize("error", [CONFLICT, OUTAGE])
async def test_the_first_status_write_may_fail(error: ApiError) -> None:
    """Fault C: upstream writes the first status in its watch handler and never schedules the
    Canary when that fails.
    """
    rig = Rig()
    rig.deploy()
    left = fail_next(rig, error, times=3, kind="Canary")
    await rig.until(Phase.INITIALIZED)
    assert not left
    rig.push("2")
    await rig.until(Phase.SUCCEEDED)
    await stopped(rig)


# D


@pytest.mark.parametrize("strategy", [{}, {"iterations": 1}])
async def test_a_revision_pushed_while_the_gate_answers_is_analysed(
    strategy: dict[str, Any],
) -> None:
    """Fault D: upstream copies the live target at the promotion, whatever was analysed."""
    rig = await Rig().initialized(
        analysis=analysis(webhooks=[hook("confirm-promotion")], **strategy)
    )
    pushed: list[str] = []

    def push_once() -> None:
        if not pushed:
            pushed.append("3")
            rig.push("3")

    rig.hooks.on_call["gate"] = push_once
    calls_before: dict[str, int] = {}

    def note(write: Write) -> None:
        if write.ref == PRIMARY:
            calls_before.setdefault(rig.tag(PRIMARY), rig.hooks.calls.count("gate"))

    rig.api.after_write(note)
    rig.push("2")
    for _ in range(20):
        await rig.pass_interval()
        if rig.tag(PRIMARY) == "3" and rig.status.phase is Phase.SUCCEEDED:
            break
    assert calls_before["3"] == 2, "revision 3 has passed the gate, too"
    assert calls_before.get("2", 1) == 1
    assert rig.log.events.count("Starting canary analysis for podinfo") == 2
    await stopped(rig)


# E


async def test_no_traffic_to_a_target_without_pods() -> None:
    """Fault E: upstream takes zero replicas for ready, and goes on shifting traffic to nobody."""
    rig = await Rig().initialized()
    rig.push("2")
    await reach(rig, weight=25)
    scale(rig, 0)
    rig.pods()
    await asyncio.sleep(PAUSE)
    await rig.step()
    assert rig.status.canary_weight == 25, "no step"
    assert rig.replicas(TARGET) == 1, "the run needs its pods"
    await rig.until(Phase.SUCCEEDED)
    assert rig.tag(PRIMARY) == "2"
    await stopped(rig)


async def test_traffic_leaves_a_target_that_loses_its_pods() -> None:
    """Fault E, at once and not an interval later."""
    rig = await Rig().initialized()
    rig.push("2")
    await reach(rig, weight=25)
    rig.broken.add("2")
    await rig.step()
    assert rig.weights == ON_PRIMARY
    rig.broken.discard("2")
    await rig.step()
    assert rig.weights == {"podinfo-primary": 75, "podinfo-canary": 25}
    await rig.until(Phase.SUCCEEDED)
    await stopped(rig)


# K


@pytest.mark.parametrize("kind", ["Deployment", "Canary"])
@pytest.mark.parametrize("times", [1, 3])
async def test_a_rollback_survives_failing_writes(kind: str, times: int) -> None:
    """Fault K: upstream's rollback is one procedure; when one of its writes fails, the next tick
    takes the scaled-down target for ready and ends in Succeeded, for pods that never started.
    """
    rig = await Rig(broken=("2",)).initialized(analysis=analysis(metrics=METRICS))
    rig.push("2")
    await ticks(rig, 1)
    assert (rig.status.phase, rig.replicas(TARGET)) == (Phase.PROGRESSING, 1)
    left = fail_next(rig, OUTAGE, times=times, kind=kind)
    await ticks(rig, 20)
    await rolled_back(rig, left)


@pytest.mark.parametrize("kind", ["TraefikService", "Deployment", "Canary"])
@pytest.mark.parametrize("times", [1, 3])
async def test_a_rollback_with_traffic_survives_failing_writes(kind: str, times: int) -> None:
    """Fault K, where routes move, too."""
    rig = await Rig().initialized(analysis=analysis(metrics=METRICS))
    rig.push("2")
    await reach(rig, weight=25)
    rig.judge.values[0] = Unmeasured("no values")
    await ticks(rig, 2)
    assert rig.status.failed_checks == rig.canary.threshold, "the next tick rolls back"
    left = fail_next(rig, OUTAGE, times=times, kind=kind)
    await ticks(rig, 5)
    await rolled_back(rig, left)


async def rolled_back(rig: Rig, left: Sequence[ApiError]) -> None:
    assert not left
    assert rig.status.phase is Phase.FAILED
    assert (rig.tag(PRIMARY), rig.replicas(TARGET), rig.weights) == ("1", 0, ON_PRIMARY)
    assert rig.status.last_promoted_spec != rig.status.last_applied_spec
    assert [outcome.succeeded for outcome in rig.log.outcomes] == [False]
    await stopped(rig)


async def test_failed_is_said_only_when_the_rollback_is_done() -> None:
    """Fault K: the visible phase waits for routes and scale."""
    rig = await Rig().initialized(analysis=analysis(webhooks=[hook("rollback")]))
    rig.hooks.answers["gate"] = DENIED
    rig.push("2")
    await reach(rig, weight=25)
    rig.hooks.answers["gate"] = Answer(ok=True)
    left = fail_next(rig, OUTAGE, times=2, kind="Deployment")
    await rig.pass_interval()
    assert not left
    assert (rig.status.phase, rig.status.run.obligation) == (
        *(Phase.PROGRESSING, Obligation.ROLLBACK),
    )
    assert rig.weights == ON_PRIMARY
    await rig.until(Phase.FAILED)
    assert rig.replicas(TARGET) == 0
    await stopped(rig)


# R


async def test_a_restart_does_not_advance_anything() -> None:
    """Fault R: upstream ticks every canary as soon as it has started, so each restart of the
    controller is a step without an interval of traffic behind it.
    """
    rig = await Rig().initialized(analysis=analysis(webhooks=[hook("rollout")]))
    rig.push("2")
    await reach(rig, weight=25)
    calls = len(rig.hooks.calls)
    for _ in range(5):
        await rig.stop()
        await rig.step()
    assert (rig.status.canary_weight, len(rig.hooks.calls)) == (25, calls)
    await rig.pass_interval()
    assert rig.status.canary_weight == 50
    await rig.until(Phase.SUCCEEDED)
    await stopped(rig)
