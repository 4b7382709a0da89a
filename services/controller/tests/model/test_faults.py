"""Faults of upstream Flagger 1.44, each reproduced there, as tests that ours does not have them.

Every docstring says what upstream does; the assertions are about end states that upstream's
recorded behaviour violates (architecture.md section 5, state-machine.md section 17).
"""

import asyncio
from typing import Any

import pytest

from flagger_controller.api.status import Obligation, Phase, Route
from flagger_controller.cluster.client import ApiConflict, ApiError, ApiUnavailable
from flagger_controller.cluster.fake import Write
from flagger_controller.rollout.evidence import Answer, Measured, Unmeasured

from .invariants import check_all, check_now
from .rig import CANARY, PAUSE, PRIMARY, SERVICE, TARGET, Rig, canary
from .targets import deployment

pytestmark = pytest.mark.looptime

DENIED = Answer(ok=False, error="Forbidden")
METRICS = [{"name": "errors", "query": "q", "thresholdRange": {"max": 200}}]
ON_PRIMARY = {"podinfo-primary": 100}
ON_TARGET = {"podinfo-canary": 100}


def analysis(**changes: Any) -> dict[str, Any]:
    return {"interval": "10s", "threshold": 2, "stepWeight": 25, "maxWeight": 50, **changes}


def hook(kind: str, name: str = "gate") -> dict[str, Any]:
    return {"name": name, "type": kind, "url": "http://hooks/"}


async def ticks(rig: Rig, count: int) -> None:
    for _ in range(count):
        await rig.pass_interval()
        check_now(rig)


async def reach(rig: Rig, *, weight: int) -> None:
    for _ in range(20):
        if rig.status.canary_weight == weight:
            return
        await rig.pass_interval()
    raise AssertionError(f"weight {weight} was not reached: {rig.log.events}")


async def failed(rig: Rig) -> None:
    """Release 2 fails its analysis."""
    rig.judge.values[0] = Unmeasured("no values")
    rig.push("2")
    await rig.until(Phase.FAILED)
    rig.judge.values[0] = Measured(100.0)


async def stopped(rig: Rig) -> None:
    check_all(rig)
    await rig.stop()


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
    fail_next(rig, ApiUnavailable(503, "Unavailable", "injected"))
    rig.push("3")
    await ticks(rig, 1)
    await rig.until(Phase.SUCCEEDED)
    assert rig.tag(PRIMARY) == "3"
    await stopped(rig)


def fail_next(rig: Rig, error: ApiError, *, times: int = 1, kind: str = "") -> None:
    left = [error] * times

    def fail(write: Write) -> None:
        if left and kind in ("", write.ref.resource.kind):
            raise left.pop()

    rig.api.before_write(fail)


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
    service = rig.api.object(SERVICE)
    assert service is not None
    return str(service["spec"]["selector"]["app"])


# C


@pytest.mark.parametrize(
    "error",
    [ApiConflict(409, "Conflict", "injected"), ApiUnavailable(503, "Unavailable", "injected")],
)
async def test_the_first_status_write_may_fail(error: ApiError) -> None:
    """Fault C: upstream writes the first status in its watch handler and never schedules the
    Canary when that fails.
    """
    rig = Rig()
    rig.api.put(TARGET, deployment())
    rig.api.put(CANARY, canary())
    fail_next(rig, error, times=3, kind="Canary")
    await rig.until(Phase.INITIALIZED)
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


def scale(rig: Rig, replicas: int) -> None:
    body = rig.api.object(TARGET)
    assert body is not None
    body["spec"]["replicas"] = replicas
    rig.api.put(TARGET, body)


# K


@pytest.mark.parametrize("kind", ["TraefikService", "Deployment", "Canary"])
@pytest.mark.parametrize("times", [1, 3])
async def test_a_rollback_survives_failing_writes(kind: str, times: int) -> None:
    """Fault K: upstream's rollback is one procedure; when one of its writes fails, the next tick
    takes the scaled-down target for ready and ends in Succeeded, for pods that never started.
    """
    rig = await Rig().initialized(analysis=analysis(metrics=METRICS))
    rig.push("2")
    await reach(rig, weight=25)
    rig.broken.add("2")
    armed: list[bool] = []
    for _ in range(20):
        if not armed and rig.log.warnings and "exceeded" in rig.log.warnings[-1]:
            armed.append(True)
            fail_next(rig, ApiUnavailable(503, "Unavailable", "injected"), times=times, kind=kind)
        await rig.pass_interval()
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
    fail_next(rig, ApiUnavailable(503, "Unavailable", "injected"), times=2, kind="Deployment")
    await rig.pass_interval()
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


# Sharp edges


async def test_a_revision_taken_back_while_waiting_is_not_released() -> None:
    """S5: upstream starts a run of what is in production already, when the gate opens."""
    rig = await Rig().initialized(analysis=analysis(webhooks=[hook("confirm-rollout")]))
    rig.hooks.answers["gate"] = DENIED
    rig.push("2")
    await rig.until(Phase.WAITING)
    rig.push("1")
    await rig.step()
    assert rig.status.phase is Phase.INITIALIZED
    rig.hooks.answers["gate"] = Answer(ok=True)
    await ticks(rig, 3)
    assert (rig.status.phase, rig.replicas(TARGET)) == (Phase.INITIALIZED, 0)
    await stopped(rig)


async def test_a_rollback_hook_cancels_what_waits() -> None:
    """S4: upstream documents it, and never calls the hook."""
    hooks = [hook("confirm-rollout"), hook("rollback", "cancel")]
    rig = await Rig().initialized(analysis=analysis(webhooks=hooks))
    rig.hooks.answers |= {"gate": DENIED, "cancel": DENIED}
    rig.push("2")
    await rig.until(Phase.WAITING)
    await ticks(rig, 2)
    rig.hooks.answers["cancel"] = Answer(ok=True)
    await rig.until(Phase.FAILED)
    assert (rig.replicas(TARGET), rig.tag(PRIMARY)) == (0, "1")
    assert rig.log.alerts[-1] == "Rolling back manual webhook invoked"
    rig.hooks.answers["gate"] = Answer(ok=True)
    await ticks(rig, 3)
    assert rig.status.phase is Phase.FAILED, "it is not tried again"
    await stopped(rig)


async def test_promoting_with_nothing_left_on_the_canary_ends() -> None:
    """S6: upstream hangs for ever."""
    rig = await Rig().initialized(analysis=analysis(stepWeightPromotion=30))
    rig.push("2")
    await rig.until(Phase.PROMOTING)
    edit_status(rig, canaryWeight=0, run=rig.status.run.model_copy(update={"route": Route()}))
    await rig.until(Phase.SUCCEEDED)
    assert rig.tag(PRIMARY) == "2"
    await stopped(rig)


def edit_status(rig: Rig, *, run: Any, **changes: Any) -> None:
    body = rig.api.object(CANARY)
    assert body is not None
    body["status"] |= {**changes, "run": run.to_api()}
    rig.api.put(CANARY, body)


async def test_pods_of_a_revision_pushed_during_the_promotion_get_no_traffic() -> None:
    """S8: upstream keeps the canary's share on pods that nobody analysed, and finds the revision
    only after the run.
    """
    rig = await Rig().initialized(analysis=analysis(stepWeightPromotion=10))
    rig.push("2")
    await rig.until(Phase.PROMOTING)
    await rig.pass_interval()
    assert rig.weights == {"podinfo-primary": 60, "podinfo-canary": 40}
    rig.push("3")
    await rig.step()
    assert (rig.weights, rig.tag(PRIMARY)) == (ON_PRIMARY, "2")
    await rig.until(Phase.SUCCEEDED)
    assert rig.status.last_promoted_spec == rig.status.last_applied_spec
    await rig.pass_interval()
    await rig.until(Phase.SUCCEEDED)
    assert rig.tag(PRIMARY) == "3"
    await stopped(rig)


async def test_iterations_lowered_during_a_run() -> None:
    """S15: upstream hangs for ever in A/B testing."""
    rig = await Rig().initialized(analysis=analysis(iterations=5))
    rig.push("2")
    for _ in range(4):
        await rig.pass_interval()
    assert rig.status.iterations == 3
    respec(rig, analysis=analysis(iterations=1))
    await rig.until(Phase.SUCCEEDED)
    assert rig.tag(PRIMARY) == "2"
    await stopped(rig)


def respec(rig: Rig, **spec: Any) -> None:
    body = rig.api.object(CANARY)
    assert body is not None
    body["spec"] |= spec
    rig.api.put(CANARY, body)


async def test_a_closed_traffic_gate_alerts_once_and_repeats_nothing() -> None:
    """S16: upstream calls the pre-rollout hooks and alerts at every tick."""
    hooks = [hook("pre-rollout", "before"), hook("confirm-traffic-increase")]
    rig = await Rig().initialized(analysis=analysis(webhooks=hooks))
    rig.hooks.answers["gate"] = DENIED
    rig.push("2")
    await ticks(rig, 5)
    assert rig.hooks.calls.count("before") == 1
    assert rig.log.alerts.count("Canary traffic increase is waiting for approval.") == 1
    rig.hooks.answers["gate"] = Answer(ok=True)
    await rig.until(Phase.SUCCEEDED)
    await stopped(rig)


async def test_the_traffic_gate_is_asked_before_increases_only() -> None:
    """S17: upstream asks it on the tick that promotes, too."""
    rig = await Rig().initialized(analysis=analysis(webhooks=[hook("confirm-traffic-increase")]))
    rig.push("2")
    await rig.until(Phase.SUCCEEDED)
    assert rig.hooks.calls == ["gate", "gate"], "for 25 and for 50 percent"
    await stopped(rig)


async def test_a_suspended_run_is_frozen_and_goes_on() -> None:
    """S29: upstream repeats its event at every tick."""
    rig = await Rig().initialized(analysis=analysis(webhooks=[hook("rollout")]))
    rig.push("2")
    await reach(rig, weight=25)
    respec(rig, suspend=True)
    await ticks(rig, 2)
    before = (len(rig.api.writes), len(rig.hooks.calls))
    rig.push("3")
    await ticks(rig, 5)
    assert (len(rig.api.writes), len(rig.hooks.calls)) == before
    assert rig.status.canary_weight == 25
    assert rig.log.events.count("skipping canary run as object is suspended") == 1
    rig.push("2")
    respec(rig, suspend=False)
    await rig.step()
    assert rig.status.canary_weight == 50, "the interval was over long ago"
    await rig.until(Phase.SUCCEEDED)
    await stopped(rig)


@pytest.mark.parametrize("phase", [Phase.INITIALIZED, Phase.SUCCEEDED, Phase.FAILED])
async def test_nothing_is_read_or_written_between_runs(phase: Phase) -> None:
    """I8, S33: upstream reads everything at every tick, and writes the status of Failed ones."""
    rig = await Rig().initialized(analysis=analysis(metrics=METRICS))
    if phase is Phase.FAILED:
        await failed(rig)
    elif phase is Phase.SUCCEEDED:
        rig.push("2")
        await rig.until(phase)
    await rig.pass_interval()
    reads, writes, said = rig.api.reads.copy(), len(rig.api.writes), len(rig.log.events)
    await ticks(rig, 12)
    watches = {key: count for key, count in (rig.api.reads - reads).items() if key[0] != "watch"}
    assert (watches, len(rig.api.writes), len(rig.log.events)) == ({}, writes, said)
    assert rig.status.phase is phase
    await stopped(rig)


# The primary dies during a run


async def test_a_primary_that_dies_with_pods_left_rolls_back() -> None:
    """A rolling update of the primary that somebody broke: its old pods serve."""
    rig = await Rig(broken=("hand",)).initialized()
    rig.push("2")
    await reach(rig, weight=25)
    edit_primary(rig, "hand")
    await rig.until(Phase.FAILED)
    assert (rig.weights, rig.replicas(TARGET)) == (ON_PRIMARY, 0)
    await stopped(rig)


async def test_a_primary_that_dies_without_pods_is_repaired_by_the_run() -> None:
    """S2: upstream rolls back to the dead primary, and cannot be repaired by any revision."""
    rig = await Rig().initialized()
    rig.push("2")
    await reach(rig, weight=25)
    rig.broken.add("primary-1")
    await rig.step()
    assert rig.weights == ON_TARGET, "clients are served where there are pods"
    await rig.until(Phase.SUCCEEDED)
    assert (rig.tag(PRIMARY), rig.weights) == ("2", ON_PRIMARY)
    await stopped(rig)


async def test_a_primary_that_died_while_idle_is_repaired_by_a_new_revision() -> None:
    """S2: upstream rolls back at once, and for ever."""
    rig = await Rig().initialized()
    rig.broken.add("primary-1")
    await ticks(rig, 8)
    rig.push("2")
    await rig.until(Phase.SUCCEEDED)
    assert rig.tag(PRIMARY) == "2"
    await stopped(rig)


def edit_primary(rig: Rig, tag: str) -> None:
    body = rig.api.object(PRIMARY)
    assert body is not None
    body["spec"]["template"]["spec"]["containers"][0]["image"] = f"podinfo:{tag}"
    rig.api.put(PRIMARY, body)


# Odd manifests


def ready(rig: Rig) -> tuple[str, str]:
    """Status and message of the condition `Ready`; it is there only when something is odd."""
    found = [each for each in rig.status.conditions if each.type == "Ready"]
    return (found[0].status, found[0].message) if found else ("", "")


async def test_a_missing_target_is_told_once_and_disturbs_nothing() -> None:
    """Upstream logs it, and retries for ever."""
    rig = Rig()
    rig.api.put(CANARY, canary())
    text = (
        'deployment podinfo get query error: deployments.apps "podinfo" not found; '
        "create it, or correct spec.targetRef"
    )
    await ticks(rig, 4)
    assert rig.log.warnings == [text]
    assert ready(rig) == ("False", text.replace("podinfo get", "podinfo.default get"))
    writes = len(rig.api.writes)
    await ticks(rig, 4)
    assert len(rig.api.writes) == writes
    rig.api.put(TARGET, deployment())
    await rig.until(Phase.INITIALIZED)
    assert ready(rig) == ("", "")
    await stopped(rig)


async def test_a_target_deleted_during_a_run_holds_it() -> None:
    rig = await Rig().initialized()
    rig.push("2")
    await reach(rig, weight=25)
    target = rig.api.object(TARGET)
    assert target is not None
    rig.api.remove(TARGET)
    for _ in range(3):
        await rig.pass_interval()
    assert ready(rig)[0] == "False"
    assert rig.status.canary_weight == 25
    metadata = {key: target["metadata"][key] for key in ("name", "namespace", "labels")}
    rig.api.put(TARGET, {**target, "metadata": metadata})
    await rig.until(Phase.SUCCEEDED)
    assert (ready(rig), rig.tag(PRIMARY)) == (("", ""), "2")
    await rig.stop()


async def test_a_target_deleted_during_a_run_gets_no_traffic() -> None:
    rig = await Rig().initialized()
    rig.push("2")
    await reach(rig, weight=25)
    rig.api.remove(TARGET)
    await rig.pass_interval()
    weights = rig.weights
    await rig.stop()
    assert weights == ON_PRIMARY, "I2"


async def test_an_invalid_interval_is_told_once_and_the_default_is_used() -> None:
    """A3: upstream takes `5mfoo` for 60 seconds without a word."""
    rig = await Rig().initialized(analysis=analysis(interval="5mfoo"))
    state, text = ready(rig)
    assert state == "True"
    assert text.startswith('spec.analysis.interval "5mfoo" is not a duration')
    await ticks(rig, 3)
    assert rig.log.warnings == [], "it was told while the canary was initialized"
    respec(rig, analysis=analysis())
    await rig.step()
    assert ready(rig) == ("", "")
    rig.push("2")
    await rig.until(Phase.SUCCEEDED)
    await stopped(rig)


async def test_a_missing_metric_template_is_told_once() -> None:
    metrics = [{"name": "m", "templateRef": {"name": "absent"}, "thresholdRange": {"max": 200}}]
    rig = Rig()
    rig.api.put(TARGET, deployment())
    rig.api.put(CANARY, canary(analysis=analysis(metrics=metrics)))
    await ticks(rig, 4)
    state, text = ready(rig)
    assert (state, rig.status.phase) == ("True", Phase.INITIALIZED)
    assert "MetricTemplate absent.default does not exist" in text
    assert rig.log.warnings.count(text.replace(".default", "")) == 1
    rig.templates.add("absent")
    await rig.step()
    assert ready(rig) == ("", "")
    await stopped(rig)


async def test_two_canaries_with_one_target_do_not_fight() -> None:
    """Upstream logs `Bad things will happen!` and lets them."""
    rig = await Rig().initialized()
    await asyncio.sleep(60)
    second = canary()
    second["metadata"]["name"] = "second"
    ref = CANARY.__class__(CANARY.resource, "second", CANARY.namespace)
    rig.api.put(ref, second)
    rig.push("2")
    await rig.until(Phase.SUCCEEDED)
    assert rig.tag(PRIMARY) == "2"
    text = (
        "spec.targetRef: Deployment podinfo is already under the Canary podinfo; "
        "delete one of the two or give it another target"
    )
    assert rig.log.warnings.count(text) == 1
    body = rig.api.object(ref)
    assert body is not None
    (condition,) = body["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("Ready", "False")
    assert body["status"]["phase"] == ""
    rig.api.remove(CANARY)
    for _ in range(3):
        await rig.pass_interval()
    body = rig.api.object(ref)
    assert body is not None
    assert body["status"]["phase"] == "Initialized"
    assert [each["type"] for each in body["status"]["conditions"]] == ["Promoted"]
    await rig.stop()
