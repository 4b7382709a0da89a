"""Releases of Knative Services through the real tick: revisions, the mark, and the traffic."""

from typing import Any

import pytest

from flagger_controller.api import knative
from flagger_controller.api.status import Phase
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.rollout.evidence import Unmeasured

from .invariants import check_all
from .knative import traffic
from .rig import CANARY, Rig
from .targets import NAME, NAMESPACE

pytestmark = pytest.mark.looptime
TARGET = Ref(resources.KNATIVE_SERVICES, NAME, NAMESPACE)
METRICS = [{"name": "errors", "query": "q", "thresholdRange": {"max": 1}}]


async def started(**spec: Any) -> Rig:
    return await Rig(kind="Knative Service").initialized(**spec)


def service(rig: Rig) -> Object:
    body = rig.found(TARGET)
    return body


def marked(rig: Rig) -> str:
    """The revision that is the primary."""
    return knative.primary(service(rig))


def shares(rig: Rig) -> list[tuple[str, int]]:
    return traffic(service(rig))


def remove_revision(rig: Rig, number: int) -> None:
    ref = Ref(resources.KNATIVE_REVISIONS, f"{NAME}-{number:05d}", NAMESPACE)
    rig.api.memory.delete(ref, uid=rig.api.memory.objects[ref]["metadata"]["uid"])


async def test_the_first_release_pins_the_latest_revision() -> None:
    rig = await started()
    assert marked(rig) == "podinfo-00001"
    assert shares(rig) == [("latest", 0), ("podinfo-00001", 100)]
    assert {str(write.ref) for write in rig.api.writes} == {str(CANARY), str(TARGET)}
    await rig.stop()


async def test_a_revision_that_is_not_ready_gets_no_primary() -> None:
    """Not without an analysis, either: Knative goes on serving as it did (T18)."""
    for skip in (False, True):
        rig = Rig(broken=("1",), kind="Knative Service")
        rig.deploy(skipAnalysis=skip)
        for _ in range(4):
            await rig.step()
            await rig.pass_interval()
        assert rig.status.phase is Phase.INITIALIZING
        assert "Knative Revision podinfo-00001 is not ready: Deploying" in rig.log.warnings
        assert "traffic" not in service(rig)["spec"]
        rig.push("2")
        await rig.until(Phase.INITIALIZED)
        assert shares(rig) == [("latest", 0), ("podinfo-00002", 100)]
        await rig.stop()


async def test_a_release_is_promoted() -> None:
    rig = await started()
    rig.push("2")
    await rig.until(Phase.SUCCEEDED)
    assert (marked(rig), rig.production) == ("podinfo-00002", "2")
    assert shares(rig) == [("latest", 0), ("podinfo-00002", 100)]
    weights = [status.canary_weight for status in rig.statuses]
    assert [weight for weight in dict.fromkeys(weights) if weight] == [25, 50]
    assert rig.status.tracked_configs is None
    check_all(rig)
    rig.push("3")
    await rig.until(Phase.PROGRESSING)
    await rig.until(Phase.SUCCEEDED)
    assert marked(rig) == "podinfo-00003"
    await rig.stop()


async def test_without_analysis_traffic_follows_the_promotion() -> None:
    """Upstream leaves it on the old revision, and can never release again (T16)."""
    rig = await started(skipAnalysis=True)
    for number in (2, 3):
        rig.push(str(number))
        await rig.until(Phase.PROGRESSING)
        await rig.until(Phase.SUCCEEDED)
        assert shares(rig) == [("latest", 0), (f"podinfo-0000{number}", 100)]
    await rig.stop()


async def test_traffic_goes_back_in_steps_that_sum_to_100() -> None:
    """Upstream reads both shares from the first entry of the revision (S26)."""
    analysis = {"interval": "10s", "stepWeights": [10, 60], "stepWeightPromotion": 20}
    rig = await started(analysis=analysis)
    rig.push("2")
    seen = []
    while rig.status.phase is not Phase.SUCCEEDED:
        await rig.pass_interval()
        assert sum(percent for _, percent in shares(rig)) == 100
        seen.append(dict(shares(rig))["latest"])
    assert list(dict.fromkeys(seen)) == [0, 10, 60, 40, 20]
    await rig.stop()


async def test_a_bad_release_is_rolled_back() -> None:
    rig = await started(
        analysis={"interval": "10s", "threshold": 2, "stepWeight": 25, "metrics": METRICS}
    )
    rig.judge.values[0] = Unmeasured("no values")
    rig.push("2")
    await rig.until(Phase.FAILED)
    assert marked(rig) == "podinfo-00001"
    assert shares(rig) == [("latest", 0), ("podinfo-00001", 100)]
    check_all(rig)
    await rig.stop()


async def test_a_revision_that_never_gets_ready_ends_at_the_deadline() -> None:
    """Upstream waits for ever (T18)."""
    rig = await started()
    rig.push("broken")
    await rig.until(Phase.FAILED)
    assert rig.log.alerts[-1] == (
        "Progress deadline exceeded Knative Revision podinfo-00002.default is not ready: "
        "exceeded its progressDeadlineSeconds: 60: Deploying"
    )
    assert marked(rig) == "podinfo-00001"
    await rig.stop()


async def test_a_revision_that_comes_before_the_promotion_is_analysed() -> None:
    """While the gate answers, which is too late for the controller to see it (fault D)."""
    gate = {"name": "gate", "type": "confirm-promotion", "url": "http://gate"}
    analysis = {"interval": "10s", "stepWeight": 25, "maxWeight": 50, "webhooks": [gate]}
    rig = await started(analysis=analysis)
    rig.push("2")
    pushed: list[str] = []

    def push() -> None:
        if not pushed:
            rig.push("3")
            rig.pods()
            pushed.append("3")

    rig.hooks.on_call["gate"] = push
    seen = set()
    while rig.status.phase is not Phase.SUCCEEDED:
        await rig.pass_interval()
        seen.add(marked(rig))
    assert seen == {"podinfo-00001", "podinfo-00003"}
    assert "New revision detected! Restarting analysis for podinfo" in rig.log.events
    await rig.stop()


async def test_a_revision_that_comes_after_the_promotion_waits_for_its_end() -> None:
    rig = await started()
    rig.push("2")
    await rig.until(Phase.PROMOTING)
    rig.push("3")
    await rig.until(Phase.SUCCEEDED)
    assert shares(rig) == [("latest", 0), ("podinfo-00002", 100)]
    await rig.until(Phase.PROGRESSING)
    await rig.until(Phase.SUCCEEDED)
    assert marked(rig) == "podinfo-00003"
    await rig.stop()


async def test_a_primary_that_is_gone_does_not_hold_back_its_repair() -> None:
    rig = await started()
    remove_revision(rig, 1)
    rig.push("2")
    await rig.until(Phase.PROGRESSING)
    seen = set()
    while rig.status.phase is not Phase.SUCCEEDED:
        await rig.pass_interval()
        seen.add(tuple(shares(rig)))
    assert (("latest", 100),) in seen
    assert shares(rig) == [("latest", 0), ("podinfo-00002", 100)]
    await rig.stop()


async def test_a_lost_mark_is_set_again_to_what_was_promoted() -> None:
    """Upstream takes the latest revision, whether it was analysed or not."""
    rig = await started(
        analysis={"interval": "10s", "threshold": 1, "stepWeight": 25, "metrics": METRICS}
    )
    rig.judge.values[0] = Unmeasured("no values")
    rig.push("2")
    await rig.until(Phase.FAILED)
    body = service(rig)
    del body["metadata"]["annotations"], body["spec"]["traffic"]
    rig.api.put(TARGET, body)
    await rig.pass_interval()
    assert marked(rig) == "podinfo-00001"
    assert shares(rig) == [("latest", 0), ("podinfo-00001", 100)]
    await rig.stop()


async def test_a_mark_that_cannot_be_known_is_asked_for() -> None:
    rig = await started()
    body = service(rig)
    del body["metadata"]["annotations"]
    rig.api.put(TARGET, body)
    remove_revision(rig, 1)
    for _ in range(2):
        await rig.pass_interval()
    assert any("has lost its annotation" in event for event in rig.log.events)
    assert shares(rig) == [("latest", 0), ("podinfo-00001", 100)]
    await rig.stop()


async def test_a_deleted_canary_gives_the_traffic_to_the_latest_revision() -> None:
    rig = await started(revertOnDeletion=True)
    rig.push("broken")  # nothing has to get ready for it
    rig.api.remove(CANARY)
    await rig.pass_interval()
    assert rig.api.object(CANARY) is None
    assert knative.PRIMARY_REVISION not in service(rig)["metadata"]["annotations"]
    assert shares(rig) == [("latest", 100)]
    await rig.stop()


async def test_an_idle_canary_causes_no_request() -> None:
    rig = await started()
    await rig.pass_interval()
    reads, writes = rig.api.reads.total(), len(rig.api.writes)
    for _ in range(5):
        await rig.pass_interval()
    assert (rig.api.reads.total(), len(rig.api.writes)) == (reads, writes)
    await rig.stop()


async def test_what_is_not_ours_stays() -> None:
    """I9: only the mark and the traffic of the user's object change."""
    rig = await started()
    body = service(rig)
    body["metadata"]["labels"] = {"team": "shop"}
    body["spec"]["traffic"].append({"revisionName": "podinfo-00001", "percent": 0, "tag": "old"})
    rig.api.put(TARGET, body)
    rig.push("2")
    await rig.until(Phase.SUCCEEDED)
    after = service(rig)
    assert after["metadata"]["labels"] == {"team": "shop"}
    assert after["spec"]["traffic"][-1] == {
        "revisionName": "podinfo-00001",
        "percent": 0,
        "tag": "old",
    }
    others = {ref.name for ref in rig.api.memory.objects if ref.resource.kind == "Service"}
    assert others == {"podinfo"}
    assert Ref(resources.SERVICES, "podinfo", NAMESPACE) not in rig.api.memory.objects
    await rig.stop()
