"""Sharp edges of upstream (state-machine.md section 17), as tests of whole releases.

What a single decision shows is in `unit/rollout`.
"""

import re
from dataclasses import replace
from typing import Any

import pytest

from flagger_controller.api.status import Phase, Route
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import ApiError
from flagger_controller.cluster.fake import Write
from flagger_controller.rollout.evidence import Answer

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
    respec,
    stopped,
    ticks,
)
from .rig import CANARY, PRIMARY, SERVICE, TARGET, Rig

pytestmark = pytest.mark.looptime
VIRTUAL_SERVICE = replace(SERVICE, resource=resources.VIRTUAL_SERVICES)


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
    body = rig.found(CANARY)
    body["status"] |= {**changes, "run": run.to_api()}
    rig.api.put(CANARY, body)


async def test_going_back_to_the_promoted_revision_is_noticed() -> None:
    """S7: upstream goes on with the old pods, promotes nothing, and begins a second run."""
    rig = await Rig().initialized()
    promoted = rig.status.last_promoted_spec
    rig.push("2")
    await reach(rig, weight=25)
    rig.push("1")
    await rig.step()
    assert rig.weights == ON_PRIMARY, "nobody has analysed what is there now"
    await rig.until(Phase.SUCCEEDED)
    assert (rig.tag(PRIMARY), rig.status.last_promoted_spec) == ("1", promoted)
    await ticks(rig, 3)
    assert rig.status.phase is Phase.SUCCEEDED, "there is no second run"
    assert len(rig.log.outcomes) == 1
    await stopped(rig)


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


@pytest.mark.parametrize("match", [[], [{"headers": {"x-beta": {"exact": "1"}}}]], ids=str)
async def test_iterations_lowered_during_a_run(match: list[Any]) -> None:
    """S15: upstream hangs for ever in A/B testing."""
    rig = await Rig().initialized(provider="istio", analysis=analysis(iterations=5, match=match))
    rig.push("2")
    for _ in range(4):
        await rig.pass_interval()
    assert rig.status.iterations == 3
    respec(rig, analysis=analysis(iterations=1, match=match))
    await rig.until(Phase.SUCCEEDED)
    assert rig.tag(PRIMARY) == "2"
    await stopped(rig)


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


@pytest.mark.parametrize("provider", ["kubernetes", "traefik", "istio"])
async def test_onboarding_with_a_primary_that_never_starts_touches_nothing(provider: str) -> None:
    """S18: upstream scales the target to zero, and then sends everybody to the dead primary."""
    rig = Rig(broken=("primary-1",))
    apex = {"spec": {"selector": {"app": "podinfo"}, "ports": [{"port": 80}]}}
    rig.api.put(SERVICE, {**apex, "metadata": {"name": "podinfo", "namespace": "default"}})
    rig.deploy(provider=provider)
    await ticks(rig, 12)
    assert (rig.status.phase, rig.replicas(TARGET)) == (Phase.INITIALIZING, 1)
    service = rig.found(SERVICE)
    assert service["spec"] == apex["spec"]
    rig.broken.clear()
    await rig.until(Phase.INITIALIZED)
    assert rig.replicas(TARGET) == 0
    await stopped(rig)


@pytest.mark.parametrize("error", [CONFLICT, OUTAGE])
async def test_route_and_status_have_the_same_cookie(error: ApiError) -> None:
    """S26: when its status write conflicts, upstream loses the cookie that the route has."""
    affinity = {"cookieName": "ck"}
    rig = await Rig().initialized(provider="istio", analysis=analysis(sessionAffinity=affinity))
    shown: set[str] = set()

    def note(write: Write) -> None:
        if write.ref == VIRTUAL_SERVICE:
            shown.update(re.findall(r"(ck=\w+); Max-Age=86400", str(rig.api.object(write.ref))))

    rig.api.after_write(note)
    rig.push("2")
    await ticks(rig, 1)
    left = fail_next(rig, error, kind="Canary")
    await reach(rig, weight=25)
    assert not left
    assert shown == {rig.status.session_affinity_cookie}, "clients were given no other one"
    await rig.until(Phase.SUCCEEDED)
    await stopped(rig)


@pytest.mark.parametrize("error", [CONFLICT, OUTAGE])
async def test_a_promotion_is_not_repeated_when_the_status_write_fails(error: ApiError) -> None:
    """S27: upstream promotes again, and all pods of the primary start anew."""
    rig = await Rig().initialized()
    rig.push("2")
    await reach(rig, weight=50)
    templates: list[Any] = []
    left: list[list[ApiError]] = []

    def note(write: Write) -> None:
        if write.ref == PRIMARY:
            body = rig.found(PRIMARY)
            if not templates:
                left.append(fail_next(rig, error, times=2, kind="Canary"))
            templates.append(body["spec"]["template"])

    rig.api.after_write(note)
    await rig.until(Phase.SUCCEEDED)
    assert rig.tag(PRIMARY) == "2"
    assert left == [[]]
    assert all(template == templates[0] for template in templates)
    await stopped(rig)


async def test_mirroring_that_is_switched_off_ends() -> None:
    """S31: upstream goes on mirroring while the weights advance."""
    rig = await Rig().initialized(provider="istio", analysis=analysis(mirror=True))
    rig.push("2")
    for _ in range(4):
        await rig.pass_interval()
        if rig.status.route.mirrored:
            break
    assert mirrors(rig)
    respec(rig, analysis=analysis())
    await reach(rig, weight=25)
    assert not mirrors(rig)
    await rig.until(Phase.SUCCEEDED)
    await stopped(rig)


def mirrors(rig: Rig) -> bool:
    route = rig.found(VIRTUAL_SERVICE)
    return any("mirror" in rule for rule in route["spec"]["http"])


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
    body = rig.found(PRIMARY)
    body["spec"]["template"]["spec"]["containers"][0]["image"] = f"podinfo:{tag}"
    rig.api.put(PRIMARY, body)
