"""`revertOnDeletion` and its finalizer, over changes of mind and deletions."""

from typing import Any

import pytest

from flagger_controller.api.status import Phase

from .rig import CANARY, SERVICE, TARGET, Rig

pytestmark = pytest.mark.looptime


def finalizers(rig: Rig) -> list[str]:
    body = rig.found(CANARY)
    found: list[str] = body["metadata"].get("finalizers") or []
    return found


def set_revert(rig: Rig, wanted: bool) -> None:
    body: Any = rig.api.object(CANARY)
    body["spec"]["revertOnDeletion"] = wanted
    rig.api.put(CANARY, body)


async def test_the_finalizer_follows_the_wish() -> None:
    rig = await Rig().initialized()
    assert finalizers(rig) == []
    set_revert(rig, True)
    for _ in range(2):
        await rig.pass_interval()
        assert finalizers(rig) == ["finalizer.flagger.app"], "S21: once"
    set_revert(rig, False)
    await rig.pass_interval()
    assert finalizers(rig) == []
    await rig.stop()


async def test_deletion_reverts_and_lets_go() -> None:
    rig = await Rig().initialized(revertOnDeletion=True)
    rig.api.remove(CANARY)
    for _ in range(3):
        await rig.pass_interval()
    assert rig.api.object(CANARY) is None
    assert rig.replicas(TARGET) == 1
    assert rig.log.events == ["Terminating canary podinfo", "Terminated canary podinfo"]
    assert rig.api.object(SERVICE) is None  # made by us, so it went with its owner
    await rig.stop()


async def test_a_terminating_canary_is_only_reverted() -> None:
    """S20: upstream's job goes on: it sends everybody to the primary again, and starts runs."""
    rig = await Rig().initialized(revertOnDeletion=True)
    rig.broken.add("2")  # it never gets ready, so the revert waits
    rig.push("2")
    rig.api.remove(CANARY)
    for _ in range(5):
        await rig.pass_interval()
        assert rig.status.phase is Phase.TERMINATING
    assert rig.log.events == ["Terminating canary podinfo"]
    writes = len(rig.api.writes)
    rig.push("3")
    await rig.pass_interval()
    await rig.pass_interval()
    assert rig.api.object(CANARY) is None
    assert all(write.ref in (CANARY, TARGET) for write in rig.api.writes[writes:])
    assert rig.log.events == ["Terminating canary podinfo", "Terminated canary podinfo"]
    await rig.stop()


async def test_opting_out_of_the_revert_lets_a_deleted_canary_go() -> None:
    rig = await Rig().initialized(revertOnDeletion=True)
    rig.broken.add("1")  # the target never gets ready, so the revert waits
    rig.api.remove(CANARY)
    await rig.pass_interval()
    assert finalizers(rig) == ["finalizer.flagger.app"]
    set_revert(rig, False)
    await rig.pass_interval()
    assert rig.api.object(CANARY) is None
    await rig.stop()


async def test_a_canary_that_is_going_gets_no_finalizer() -> None:
    """The API server refuses new ones, at every tick."""
    rig = await Rig().initialized()
    body: Any = rig.api.object(CANARY)
    body["metadata"]["finalizers"] = ["example.com/hold"]
    rig.api.put(CANARY, body)
    rig.api.remove(CANARY)
    set_revert(rig, True)
    for _ in range(3):
        await rig.pass_interval()
    assert finalizers(rig) == ["example.com/hold"]
    assert rig.replicas(TARGET) == 1
    await rig.stop()


async def test_a_target_that_is_gone_does_not_hold_the_canary() -> None:
    rig = await Rig().initialized(revertOnDeletion=True)
    rig.api.remove(TARGET)
    rig.api.remove(CANARY)
    for _ in range(3):
        await rig.pass_interval()
    assert rig.api.object(CANARY) is None
    await rig.stop()


async def test_a_canary_that_became_invalid_is_reverted() -> None:
    rig = await Rig().initialized(revertOnDeletion=True)
    body: Any = rig.api.object(CANARY)
    body["spec"]["analysis"] = {"interval": "10s", "threshold": 1}
    rig.api.put(CANARY, body)
    await rig.pass_interval()
    rig.api.remove(CANARY)
    for _ in range(3):
        await rig.pass_interval()
    assert rig.api.object(CANARY) is None
    assert rig.replicas(TARGET) == 1
    await rig.stop()
