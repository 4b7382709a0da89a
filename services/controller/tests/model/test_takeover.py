"""Canaries as upstream leaves them, in every phase and for every kind of target that it knows.

What upstream's binary writes is in tests/api/takeover; here are the moments that it cannot be
stopped at, and Knative Services.
"""

import pytest

from flagger_controller.api.base import Object
from flagger_controller.api.status import Phase
from flagger_controller.cluster.client import Ref
from flagger_controller.rollout.evidence import Answer
from flagger_controller.targets import tracking
from flagger_controller.targets.revision import PREFIX

from . import upstream
from .rig import CANARY, Rig
from .test_configs import CONFIG, reading_target
from .traffic import exposed, splits

pytestmark = pytest.mark.looptime

KINDS = pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "Service", "Knative Service"])
STEPS = {"interval": "10s", "stepWeight": 50, "maxWeight": 50, "stepWeightPromotion": 20}
CLOSED = Answer(ok=False, error="Forbidden")
GATES = [
    {"name": kind, "type": kind, "url": f"http://{kind}"}
    for kind in ("confirm-rollout", "confirm-promotion")
]
ANALYSIS = {"interval": "10s", "stepWeight": 25, "maxWeight": 50, "webhooks": GATES}
BEGUN = ("New revision detected!", "Starting canary analysis", "Initialization done!")


def written(rig: Rig, ref: Ref) -> int:
    """How often an object was written since upstream went."""
    return sum(write.ref == ref for write in rig.api.writes)


def served(rig: Rig) -> str:
    """By whom everybody is served; empty when it is not the same for all."""
    canary = rig.canary
    share = exposed(splits(rig.api, canary, canary.spec.provider), canary)
    return {0: "primary", 100: "canary"}.get(share, "")


def begun(rig: Rig) -> list[str]:
    """What was begun since upstream went."""
    return [event for event in rig.log.events if event.startswith(BEGUN)]


def suspend(rig: Rig, suspended: bool) -> None:
    body = rig.api.object(CANARY)
    assert body is not None
    rig.api.put(CANARY, {**body, "spec": {**body["spec"], "suspend": suspended}})


async def under_way(kind: str, phase: Phase, closed: str = "") -> Rig:
    """Revision 2 is in a phase, in which a closed gate holds it."""
    rig = await Rig(kind=kind).initialized(analysis=ANALYSIS)
    rig.hooks.answers[closed] = CLOSED
    rig.push("2")
    await rig.until(phase)
    while phase is Phase.PROGRESSING and rig.status.canary_weight == 0:
        await rig.pass_interval()
    rig.hooks.answers.clear()
    return rig


@KINDS
async def test_between_runs_nothing_happens(kind: str) -> None:
    for phase in (Phase.INITIALIZED, Phase.SUCCEEDED, Phase.FAILED):
        rig = await Rig(kind=kind).initialized(analysis=ANALYSIS)
        if phase is not Phase.INITIALIZED:
            rig.push("2" if phase is Phase.SUCCEEDED or kind == "Service" else "broken")
            await rig.until(Phase.SUCCEEDED, Phase.FAILED)
        await upstream.leaves(rig)
        for _ in range(3):
            await rig.pass_interval()
        assert rig.log.events == []
        assert written(rig, CANARY) == len(rig.api.writes) == 1, "our own hashes"
        await rig.stop()


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
async def test_the_first_release_is_finished(kind: str) -> None:
    rig = Rig(broken=("1",), kind=kind)
    rig.deploy()
    await rig.step()
    await upstream.leaves(rig, phase="Initializing")
    rig.broken.clear()
    await rig.until(Phase.INITIALIZED)
    assert begun(rig) == ["Initialization done! podinfo"]
    assert written(rig, rig.primary) == 0
    await rig.stop()


@KINDS
async def test_a_run_goes_on_from_where_it_was(kind: str) -> None:
    rig = await under_way(kind, Phase.PROGRESSING)
    await upstream.leaves(rig)
    await rig.until(Phase.SUCCEEDED)
    assert (rig.production, begun(rig)) == ("2", [])
    assert rig.log.events[0] == "Advance podinfo canary weight 50"
    await rig.stop()


@KINDS
async def test_a_suspended_run_goes_on_when_it_is_resumed(kind: str) -> None:
    rig = await under_way(kind, Phase.PROGRESSING)
    suspend(rig, True)
    await upstream.leaves(rig)
    for _ in range(3):
        await rig.pass_interval()
    assert rig.log.events == ["skipping canary run as object is suspended"]
    suspend(rig, False)
    await rig.until(Phase.SUCCEEDED)
    assert (rig.production, begun(rig)) == ("2", [])
    await rig.stop()


@KINDS
async def test_a_run_that_waits_for_its_rollout_is_asked_for_again(kind: str) -> None:
    rig = await under_way(kind, Phase.WAITING, closed="confirm-rollout")
    await upstream.leaves(rig)
    await rig.until(Phase.SUCCEEDED)
    assert (rig.production, rig.log.events[0]) == (
        "2",
        "Confirm-rollout check confirm-rollout passed",
    )
    await rig.stop()


@KINDS
async def test_a_run_that_waits_for_its_promotion_is_promoted(kind: str) -> None:
    """Upstream's counters say nothing here (S13)."""
    rig = await under_way(kind, Phase.WAITING_PROMOTION, closed="confirm-promotion")
    await upstream.leaves(rig, canaryWeight=0, iterations=-1)
    await rig.until(Phase.SUCCEEDED)
    assert (rig.production, begun(rig)) == ("2", [])
    await rig.stop()


@KINDS
@pytest.mark.parametrize("phase", [Phase.PROMOTING, Phase.FINALISING])
async def test_a_promotion_is_finished(kind: str, phase: Phase) -> None:
    rig = await under_way(kind, phase)
    await upstream.leaves(rig)
    await rig.until(Phase.SUCCEEDED)
    assert (rig.production, begun(rig)) == ("2", [])
    assert kind == "Knative Service" or written(rig, rig.primary) == 0
    await rig.stop()


async def test_a_promotion_by_another_version_is_finished_too() -> None:
    """Nobody can read its hashes, but the phase tells."""
    rig = await under_way("Deployment", Phase.PROMOTING)
    await upstream.leaves(rig, lastAppliedSpec="77f", lastPromotedSpec="78f")
    await rig.until(Phase.SUCCEEDED)
    for _ in range(3):
        await rig.pass_interval()
    assert (rig.status.phase, begun(rig), written(rig, rig.primary)) == (Phase.SUCCEEDED, [], 0)
    assert rig.status.last_promoted_spec.startswith(PREFIX)
    await rig.stop()


@pytest.mark.parametrize("provider", ["traefik", "kubernetes"])
async def test_a_failed_promotion_stays_on_the_target_until_its_fix_is_promoted(
    provider: str,
) -> None:
    """Upstream sends everybody to the dead primary when the fix comes (S1), or before (S28)."""
    analysis = {"interval": "10s", "stepWeight": 50} if provider == "traefik" else {"iterations": 1}
    rig = await Rig(broken=("primary-2",)).initialized(provider=provider, analysis=analysis)
    rig.push("2")
    await rig.until(Phase.FAILED)
    await upstream.leaves(rig)
    await rig.pass_interval()
    assert served(rig) == "canary"
    rig.push("3")
    while rig.status.phase is not Phase.PROMOTING:
        await rig.pass_interval()
        assert served(rig) == "canary"
    await rig.until(Phase.SUCCEEDED)
    assert (served(rig), rig.production) == ("primary", "3")
    await rig.stop()


async def test_traffic_goes_back_in_steps_and_the_primary_is_not_rolled_again() -> None:
    """Its configs say nothing of what its pods have read; the phase does."""
    rig = Rig()
    rig.deploy(analysis=STEPS)
    rig.api.put(CONFIG, {"data": {"a": "1"}})
    rig.api.put(rig.target, reading_target())
    await rig.until(Phase.INITIALIZED)
    rig.push("2")
    await rig.until(Phase.PROMOTING)
    await upstream.leaves(rig)
    await rig.until(Phase.SUCCEEDED)
    assert "Advance podinfo primary weight 70" in rig.log.events
    assert written(rig, rig.primary) == 0
    await rig.stop()


@KINDS
async def test_a_revision_that_comes_while_nobody_promotes_waits_for_its_end(kind: str) -> None:
    """What upstream promoted is what serves, so it is what a rollback goes back to."""
    rig = await under_way(kind, Phase.PROMOTING)
    await upstream.leaves(rig)
    rig.push("3")
    await rig.until(Phase.SUCCEEDED)
    assert rig.production == "2"
    assert rig.status.last_promoted_spec == rig.status.last_applied_spec != ""
    await rig.until(Phase.PROGRESSING)
    await rig.until(Phase.SUCCEEDED)
    assert rig.production == "3"
    assert begun(rig)[0] == "New revision detected! Scaling up podinfo"
    await rig.stop()


@KINDS
async def test_a_revert_is_finished(kind: str) -> None:
    rig = await Rig(kind=kind).initialized(revertOnDeletion=True)
    await upstream.leaves(rig, phase="Terminating")
    rig.api.remove(CANARY)
    for _ in range(3):
        await rig.pass_interval()
    assert rig.api.object(CANARY) is None
    assert rig.log.events == ["Terminated canary podinfo"]
    await rig.stop()


async def test_binary_data_that_upstream_left_out_is_released() -> None:
    """Upstream's copy for the primary is without it, so its pods miss files (T1, A13)."""
    rig = Rig()
    data: Object = {"data": {"a": "1"}}
    rig.api.put(CONFIG, {**data, "binaryData": {"f": "AA=="}})
    rig.deploy()
    rig.api.put(rig.target, reading_target())
    await rig.until(Phase.INITIALIZED)
    await upstream.leaves(rig, trackedConfigs={"configmap/settings": tracking.checksum(data)})
    await rig.until(Phase.PROGRESSING)
    await rig.until(Phase.SUCCEEDED)
    assert written(rig, rig.primary) == 1
    await rig.stop()
