"""Ends of runs and of Canaries: announced, recorded and released in this order."""

import asyncio

import pytest

from flagger_controller.api.status import Obligation, Phase, Route
from flagger_controller.cluster.client import ApiConflict, ApiNotFound, ApiUnavailable
from flagger_controller.tick.commit import FINALIZER
from flagger_controller.tick.pace import RESYNC
from flagger_controller.tick.shell import IN_FLIGHT
from flagger_controller.tick.tick import SOON

from ....model.acts import analysis, hook, respec
from ....model.process import INTERVAL
from ....model.rig import CANARY, PRIMARY, ROUTE, TARGET, canary
from ....model.targets import deployment
from .bench import Bench, put_status, refuse

pytestmark = pytest.mark.looptime


# Terminal transitions


async def test_a_finished_run_is_announced_before_that_is_recorded(bench: Bench) -> None:
    rig = await bench.rig.initialized(analysis=analysis(webhooks=[hook("post-rollout", "post")]))
    rig.push("2")
    process = await bench.start()

    def recorded() -> bool:
        return rig.status.phase is Phase.SUCCEEDED and not rig.status.run.unannounced

    rig.hooks.on_call["post"] = lambda: rig.log.events.append(f"recorded: {recorded()}")
    while rig.status.phase is not Phase.SUCCEEDED:
        await asyncio.sleep(INTERVAL)
        await bench.tick(process)
    assert rig.hooks.calls == ["post"]
    assert rig.log.events[-3:] == [
        "recorded: False",
        "Post-rollout check post passed",
        "Promotion completed! Scaling down podinfo",
    ]
    assert recorded()


async def test_a_lost_record_of_an_announcement_is_not_announced_again(bench: Bench) -> None:
    rig = await bench.rig.initialized()
    process = await bench.start()
    put_status(rig, Phase.SUCCEEDED, unannounced=True)
    forget = refuse(rig, ApiConflict(409, "Conflict", "stale"), CANARY, "status")
    with pytest.raises(ApiConflict):
        await bench.tick(process)
    assert rig.log.events == ["Promotion completed! Scaling down podinfo"]
    forget()
    await bench.tick(process)
    assert rig.log.events == ["Promotion completed! Scaling down podinfo"]
    assert not rig.status.run.unannounced
    assert len(rig.log.outcomes) == 1


async def test_a_revision_that_came_during_an_announcement_is_not_left_for_the_resync(
    bench: Bench,
) -> None:
    """The push woke the tick that announces, which may begin after the interval is over."""
    rig = await bench.rig.initialized()
    process = await bench.start()
    put_status(rig, Phase.SUCCEEDED, unannounced=True)
    await asyncio.sleep(INTERVAL)
    rig.push("2")
    assert await bench.tick(process) == 0
    await bench.tick(process)
    assert rig.status.phase is Phase.PROGRESSING


async def test_another_process_announces_it_again(bench: Bench) -> None:
    rig = await bench.rig.initialized()
    put_status(rig, Phase.SUCCEEDED, unannounced=True)
    forget = refuse(rig, ApiConflict(409, "Conflict", "stale"), CANARY, "status")
    with pytest.raises(ApiConflict):
        await bench.tick(await bench.start())
    forget()
    await bench.tick(await bench.start())
    assert rig.log.events == ["Promotion completed! Scaling down podinfo"] * 2


# An obligation


async def test_an_obligation_waits_for_the_cluster(bench: Bench) -> None:
    process = await bench.progressing()
    put_status(bench.rig, route=Route(), obligation=Obligation.ROLLBACK, reason="bad")
    forget = refuse(bench.rig, ApiUnavailable(500, "Error", "busy"), TARGET)
    with pytest.raises(ApiUnavailable):
        await bench.tick(process)
    assert bench.rig.replicas(TARGET) == 1
    assert bench.rig.weights == {"podinfo-primary": 100}
    forget()
    await bench.tick(process)
    assert bench.rig.status.phase is Phase.FAILED
    assert bench.rig.replicas(TARGET) == 0


# The finalizer


async def test_the_finalizer_is_there_before_anything_is_generated(bench: Bench) -> None:
    rig = bench.rig
    rig.api.put(TARGET, deployment())
    rig.api.put(CANARY, canary(revertOnDeletion=True))
    process = await bench.start()
    await bench.tick(process)
    assert rig.api.writes[0].body["metadata"]["finalizers"] == [FINALIZER]
    assert rig.api.writes[1].ref == CANARY
    assert rig.api.object(PRIMARY) is not None


async def test_a_deleted_canary_is_released_last(bench: Bench) -> None:
    rig = await bench.rig.initialized(revertOnDeletion=True)
    process = await bench.start()
    await bench.tick(process)
    rig.api.remove(CANARY)
    for _ in range(4):
        if rig.api.object(CANARY) is None:
            break
        await asyncio.sleep(INTERVAL)
        await bench.tick(process)
    assert rig.api.object(CANARY) is None
    assert rig.replicas(TARGET) == 1
    last = rig.api.writes[-1]
    assert last.ref == CANARY
    assert last.body["metadata"]["finalizers"] == []
    assert rig.log.events == ["Terminating canary podinfo", "Terminated canary podinfo"]


async def test_the_end_of_a_canary_has_arrived_before_it_is_released(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await bench.rig.initialized(revertOnDeletion=True)
    process = await bench.start()
    await bench.tick(process)
    rig.api.remove(CANARY)
    arrived: list[tuple[str, bool]] = []

    async def settled(_: object) -> None:
        arrived.append((rig.log.events[-1], rig.api.object(CANARY) is not None))

    monkeypatch.setattr(rig.log, "settled", settled)
    for _ in range(2):
        await asyncio.sleep(INTERVAL)
        await bench.tick(process)
    assert arrived == [("Terminated canary podinfo", True)]
    assert rig.api.object(CANARY) is None


async def test_the_end_of_a_canary_is_told_once_however_often_it_is_released(
    bench: Bench,
) -> None:
    rig = await bench.rig.initialized(revertOnDeletion=True)
    process = await bench.start()
    await bench.tick(process)
    rig.api.remove(CANARY)
    await asyncio.sleep(INTERVAL)
    await bench.tick(process)
    forget = refuse(rig, ApiUnavailable(500, "InternalError", "etcd is away"), CANARY)
    for _ in range(2):
        await asyncio.sleep(INTERVAL)
        with pytest.raises(ApiUnavailable):
            await bench.tick(process)
    forget()
    await bench.tick(process)
    assert rig.api.object(CANARY) is None
    assert rig.log.events == ["Terminating canary podinfo", "Terminated canary podinfo"]


async def test_a_canary_is_not_released_while_a_write_may_still_land(bench: Bench) -> None:
    """Nobody would revert what it did any more."""
    process = await bench.progressing(revertOnDeletion=True)
    rig = bench.rig
    answers = refuse(rig, ApiUnavailable(504, "Timeout", "no answer"), ROUTE)
    await asyncio.sleep(INTERVAL)
    await bench.tick(process)
    answers()
    rig.api.remove(CANARY)
    for _ in range(3):
        assert await bench.tick(process) == SOON
    assert rig.log.events[-1] == "Terminating canary podinfo"
    body = rig.found(TARGET)
    rig.api.put(TARGET, {**body, "spec": {**body["spec"], "replicas": 0}})
    await bench.tick(process)
    assert rig.replicas(TARGET) == 1
    await asyncio.sleep(IN_FLIGHT.total_seconds())
    await bench.tick(process)
    assert rig.api.object(CANARY) is None
    assert rig.log.events[-1] == "Terminated canary podinfo"


async def test_a_refused_write_is_not_under_way(bench: Bench) -> None:
    process = await bench.progressing(revertOnDeletion=True)
    answers = refuse(bench.rig, ApiUnavailable(500, "InternalError", "etcd is away"), ROUTE)
    await asyncio.sleep(INTERVAL)
    await bench.tick(process)
    answers()
    bench.rig.api.remove(CANARY)
    for _ in range(3):
        await bench.tick(process)
    assert bench.rig.api.object(CANARY) is None


async def test_a_canary_that_vanished_before_it_was_held_is_no_error(bench: Bench) -> None:
    rig = await bench.rig.initialized()
    process = await bench.start()
    respec(rig, revertOnDeletion=True)
    refuse(rig, ApiNotFound(404, "NotFound", "canary not found"), CANARY)
    assert await bench.tick(process) == RESYNC
    assert rig.log.events == []
