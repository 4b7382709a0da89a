"""The tick on a fake cluster: whole releases, and what they leave behind."""

import asyncio

import pytest

from flagger_controller.api.status import Phase
from flagger_controller.rollout.evidence import Unmeasured

from .rig import CANARY, PRIMARY, SERVICE, TARGET, Rig

pytestmark = pytest.mark.looptime


async def test_first_release_takes_over() -> None:
    rig = await Rig().initialized()
    assert rig.replicas(TARGET) == 0
    assert rig.replicas(PRIMARY) == 1
    assert rig.weights == {"podinfo-primary": 100}
    service = rig.found(SERVICE)
    assert service["spec"]["selector"] == {"app": "podinfo-primary"}
    await rig.stop()


async def test_release_is_promoted() -> None:
    rig = await Rig().initialized()
    rig.push("2")
    await rig.until(Phase.SUCCEEDED)
    assert rig.tag(PRIMARY) == "2"
    assert rig.replicas(TARGET) == 0
    assert rig.weights == {"podinfo-primary": 100}
    assert rig.log.events == [
        "New revision detected! Scaling up podinfo",
        "Starting canary analysis for podinfo",
        "Advance podinfo canary weight 25",
        "Advance podinfo canary weight 50",
        "Copying podinfo template spec to podinfo-primary",
        "Routing all traffic to primary",
        "Promotion completed! Scaling down podinfo",
    ]
    await rig.stop()


async def test_a_revision_is_shown_before_its_controller_has_seen_it() -> None:
    """It is scaled up afterwards: by any process, without waiting for the interval."""
    rig = await Rig().initialized()
    rig.push("2")
    rig.behind = True
    await rig.step()
    assert (rig.status.phase, rig.replicas(TARGET)) == (Phase.PROGRESSING, 0)
    await rig.stop()
    await rig.pass_interval()
    assert (rig.status.phase, rig.replicas(TARGET)) == (Phase.PROGRESSING, 0)
    assert (rig.status.canary_weight, rig.status.failed_checks) == (0, 0)
    assert rig.log.warnings == [
        "canary deployment podinfo not ready: waiting for rollout to finish: "
        "observed deployment generation less than desired generation"
    ]
    rig.behind = False
    await rig.step()
    assert rig.replicas(TARGET) == 1
    await rig.until(Phase.SUCCEEDED)
    assert rig.tag(PRIMARY) == "2"
    await rig.stop()


async def test_the_first_interval_begins_when_the_target_is_scaled_up() -> None:
    """Else pods that were asked for late would miss their tick, and wait for another one."""
    rig = await Rig().initialized()
    rig.push("2")
    rig.behind = True
    await rig.step()
    await asyncio.sleep(8)
    rig.behind = False
    await rig.step()
    assert (rig.status.phase, rig.replicas(TARGET)) == (Phase.PROGRESSING, 1)
    await asyncio.sleep(8)
    await rig.step()
    assert rig.status.canary_weight == 0
    await asyncio.sleep(2)
    await rig.step()
    assert rig.status.canary_weight == 25
    assert not rig.log.warnings
    await rig.stop()


async def test_bad_release_is_rolled_back() -> None:
    metrics = [{"name": "errors", "query": "q", "thresholdRange": {"max": 1}}]
    analysis = {"interval": "10s", "threshold": 2, "stepWeight": 25, "metrics": metrics}
    rig = await Rig().initialized(analysis=analysis)
    rig.judge.values[0] = Unmeasured("no values")
    rig.push("2")
    await rig.until(Phase.FAILED)
    assert rig.tag(PRIMARY) == "1"
    assert rig.replicas(TARGET) == 0
    assert rig.weights == {"podinfo-primary": 100}
    assert rig.log.alerts[-1] == "Failed checks threshold reached 2"
    await rig.stop()


async def test_release_that_never_gets_ready_is_rolled_back_by_the_deadline() -> None:
    rig = await Rig().initialized()
    rig.push("broken")
    await rig.until(Phase.FAILED)
    assert rig.tag(PRIMARY) == "1"
    assert rig.log.events[-1] == "Canary failed! Scaling down podinfo"
    assert rig.log.alerts[-1].startswith("Progress deadline exceeded canary deployment podinfo")
    await rig.stop()


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "StatefulSet"])
async def test_a_revision_that_comes_before_the_first_release_is_analysed(kind: str) -> None:
    """Upstream records it as promoted, and it never reaches production."""
    rig = Rig(broken=("1",), kind=kind)
    rig.deploy()
    await rig.step()
    rig.push("2")
    await rig.pass_interval()
    assert rig.status.phase is Phase.INITIALIZING
    rig.broken.clear()
    await rig.until(Phase.INITIALIZED)
    assert (rig.production, rig.status.last_promoted_spec) == ("1", "")
    await rig.until(Phase.PROGRESSING)
    await rig.until(Phase.SUCCEEDED)
    assert rig.production == "2"
    assert "Advance podinfo canary weight 25" in rig.log.events
    await rig.stop()


async def test_an_idle_canary_causes_no_request() -> None:
    rig = await Rig().initialized()
    await rig.pass_interval()
    reads, writes = rig.api.reads.total(), len(rig.api.writes)
    for _ in range(10):
        await rig.pass_interval()
    assert len(rig.api.writes) == writes
    assert rig.api.reads.total() == reads
    await rig.stop()


async def test_an_advancing_tick_writes_route_and_status() -> None:
    rig = await Rig().initialized()
    rig.push("2")
    for _ in range(2):
        await rig.pass_interval()
    assert rig.status.canary_weight == 25
    before = len(rig.api.writes)
    await rig.pass_interval()
    assert rig.status.canary_weight == 50
    assert [write.ref.resource.plural for write in rig.api.writes[before:]] == [
        "canaries",
        "traefikservices",
    ]
    await rig.stop()


async def test_an_idle_release_is_taken_over_from_upstream_without_a_run() -> None:
    """Its hash of the revision says nothing to us, but the primary carries the same."""
    rig = await Rig().initialized()
    ours = rig.status.last_applied_spec
    body = rig.found(CANARY)
    body["status"] |= {"lastAppliedSpec": "6c9dbdd48d", "lastPromotedSpec": "6c9dbdd48d"}
    rig.api.put(CANARY, body)
    for _ in range(3):
        await rig.pass_interval()
    assert (rig.status.phase, rig.log.events) == (Phase.INITIALIZED, [])
    assert rig.status.last_applied_spec == rig.status.last_promoted_spec == ours
    await rig.stop()
