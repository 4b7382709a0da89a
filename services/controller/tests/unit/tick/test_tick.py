"""What a tick remembers, when it wants to be called again, and what it says about errors.

Whole releases, and what crashes leave behind, are in `tests/model`; the rig is the one from there.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from flagger_controller.api.status import Obligation, Phase, Route
from flagger_controller.cluster.client import (
    ApiConflict,
    ApiError,
    ApiNotFound,
    ApiUnavailable,
    Ref,
)
from flagger_controller.cluster.fake import Write
from flagger_controller.rollout.evidence import Answer
from flagger_controller.tick.commit import FINALIZER
from flagger_controller.tick.herald import OUTAGES
from flagger_controller.tick.pace import RESYNC
from flagger_controller.tick.shell import Memory
from flagger_controller.tick.tick import SOON, Tick

from ...model import upstream
from ...model.process import INTERVAL, Process
from ...model.rig import CANARY, KEY, PRIMARY, ROUTE, TARGET, Rig, canary
from ...model.targets import deployment

pytestmark = pytest.mark.looptime

ANALYSIS = {"interval": "10s", "threshold": 2, "stepWeight": 25, "maxWeight": 50}
METRIC = {"name": "errors", "templateRef": {"name": "errors"}, "thresholdRange": {"max": 1000}}


class Controller:
    """A process with one canary's ticks in hand."""

    def __init__(self, process: Process) -> None:
        self.store = process.store
        self.cache = process.cache
        self.tick = Tick(KEY, process.shell, Memory())


@dataclass
class Bench:
    """A rig with its processes in hand."""

    rig: Rig = field(default_factory=Rig)
    processes: list[Controller] = field(default_factory=list)

    async def start(self) -> Controller:
        """A process that knows the canary as it is now."""
        process = Controller(await self.rig.start())
        self.processes.append(process)
        return process

    async def tick(self, process: Controller) -> float | None:
        """One tick of a process that has seen everything."""
        self.rig.pods()
        await asyncio.sleep(0.05)
        body = self.rig.api.object(CANARY)
        if body is not None:
            process.store.put(body)
        return await process.tick.run()

    async def progressing(self, **spec: Any) -> Controller:
        """A run with a quarter of the traffic on the target, just after a tick."""
        await self.rig.initialized(**spec)
        self.rig.push("2")
        process = await self.start()
        for _ in range(2):
            await asyncio.sleep(INTERVAL)
            await self.tick(process)
        self.rig.pods()
        assert self.rig.status.canary_weight == 25
        self.rig.log.events.clear()
        return process


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    found = Bench()
    yield found
    await found.rig.stop()
    for process in found.processes:
        await process.cache.close()


def put(rig: Rig, **spec: Any) -> None:
    """The owner changes the Canary."""
    body = rig.api.object(CANARY)
    assert body is not None
    rig.api.put(CANARY, {**body, "spec": {**body["spec"], **spec}})


def refuse(rig: Rig, error: Exception, ref: Ref | None = None, subresource: str = "") -> Any:
    """Let writes fail; the result ends that."""

    def hook(write: Write) -> None:
        if ref in (None, write.ref) and write.subresource == subresource:
            raise error

    return rig.api.before_write(hook)


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
    analysis = {"interval": "1s", "threshold": 2, "stepWeight": 25, "maxWeight": 50}
    process = await bench.progressing(analysis=analysis)
    await asyncio.sleep(INTERVAL)
    assert await bench.tick(process) == pytest.approx(INTERVAL, abs=0.01)


async def test_a_suspended_run_is_looked_at_seldom(bench: Bench) -> None:
    process = await bench.progressing()
    put(bench.rig, suspend=True)
    await asyncio.sleep(INTERVAL)
    assert await bench.tick(process) == 0  # it was recorded that this was told: one more look
    for _ in range(2):
        assert await bench.tick(process) == RESYNC
        await asyncio.sleep(INTERVAL)
    assert len(bench.rig.log.events) == 1


async def test_a_canary_that_cannot_be_served_is_tried_every_interval(bench: Bench) -> None:
    await bench.rig.initialized()
    bench.rig.api.remove(TARGET)
    process = await bench.start()
    for _ in range(3):
        await asyncio.sleep(INTERVAL)
        assert await bench.tick(process) == pytest.approx(INTERVAL, abs=0.01)
    (text,) = bench.rig.log.events
    assert text.startswith('deployment podinfo get query error: deployments.apps "podinfo" not')


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


# Writes that fail


async def test_a_failed_commit_leaves_everything_as_it_was(bench: Bench) -> None:
    process = await bench.progressing()
    await asyncio.sleep(INTERVAL)
    forget = refuse(bench.rig, ApiConflict(409, "Conflict", "stale"), CANARY, "status")
    with pytest.raises(ApiConflict):
        await bench.tick(process)
    assert bench.rig.weights == {"podinfo-primary": 75, "podinfo-canary": 25}
    assert bench.rig.log.events == []
    forget()
    await bench.tick(process)
    assert bench.rig.status.canary_weight == 50
    assert bench.rig.log.events == ["Advance podinfo canary weight 50"]


@pytest.mark.parametrize("recorded", [True, False])
async def test_a_decision_is_told_once_though_its_reply_was_lost(
    bench: Bench, recorded: bool
) -> None:
    rig = await bench.rig.initialized()
    rig.push("2")
    process = await bench.start()
    seen = rig.api.after_write if recorded else rig.api.before_write

    def lost(write: Write) -> None:
        if write.subresource == "status":
            raise ApiUnavailable(0, "Unreachable", "connection reset")

    forget = seen(lost)
    await asyncio.sleep(INTERVAL)
    with pytest.raises(ApiUnavailable):
        await bench.tick(process)
    forget()
    assert rig.log.events == []
    if recorded:
        with pytest.raises(ApiConflict):  # the watch has not told yet
            await process.tick.run()
    for _ in range(2):
        await bench.tick(process)
    assert rig.status.phase is Phase.PROGRESSING
    assert rig.log.events == ["New revision detected! Scaling up podinfo"]
    assert rig.log.alerts == ["New revision detected, progressing canary analysis."]


@pytest.mark.parametrize(
    "error", [ApiConflict(409, "Conflict", "stale"), ApiUnavailable(500, "Error", "busy")]
)
async def test_a_route_that_failed_after_the_commit_is_looked_at_soon(
    bench: Bench, error: ApiError
) -> None:
    process = await bench.progressing()
    await asyncio.sleep(INTERVAL)
    forget = refuse(bench.rig, error, ROUTE)
    assert await bench.tick(process) == SOON
    assert bench.rig.status.canary_weight == 50
    assert bench.rig.log.events == ["Advance podinfo canary weight 50"], "nothing to be told"
    assert bench.rig.weights == {"podinfo-primary": 75, "podinfo-canary": 25}
    forget()
    await asyncio.sleep(SOON)
    left = await bench.tick(process)
    assert bench.rig.weights == {"podinfo-primary": 50, "podinfo-canary": 50}
    assert bench.rig.status.canary_weight == 50
    assert left is not None
    assert 9 < left < 10, "the interval of the commit goes on"


async def test_a_refused_route_after_the_commit_is_told_and_looked_at_soon(bench: Bench) -> None:
    process = await bench.progressing()
    await asyncio.sleep(INTERVAL)
    refuse(bench.rig, ApiError(403, "Forbidden", "no right to do that"), ROUTE)
    assert await bench.tick(process) == SOON
    assert bench.rig.log.events == ["no right to do that", "Advance podinfo canary weight 50"]
    with pytest.raises(ApiError):
        await bench.tick(process)
    assert bench.rig.log.events.count("no right to do that") == 1


async def test_an_error_is_told_once_until_something_works_or_changes(bench: Bench) -> None:
    process = await bench.progressing()
    bench.rig.api.remove(ROUTE)
    forget = refuse(bench.rig, ApiError(403, "Forbidden", "no right"), ROUTE)
    for _ in range(3):
        with pytest.raises(ApiError):
            await bench.tick(process)
    assert bench.rig.log.events == ["no right"]
    forget()
    forget = refuse(bench.rig, ApiError(422, "Invalid", "no such field"), ROUTE)
    for _ in range(2):
        with pytest.raises(ApiError):
            await bench.tick(process)
    assert bench.rig.log.events == ["no right", "no such field"]
    forget()
    await bench.tick(process)
    bench.rig.api.remove(ROUTE)
    refuse(bench.rig, ApiError(422, "Invalid", "no such field"), ROUTE)
    with pytest.raises(ApiError):
        await bench.tick(process)
    assert bench.rig.log.events == ["no right", "no such field", "no such field"]


async def test_an_api_that_is_busy_is_nobodys_event(bench: Bench) -> None:
    process = await bench.progressing()
    bench.rig.api.remove(ROUTE)
    refuse(bench.rig, ApiUnavailable(503, "Unavailable", "busy"), ROUTE)
    with pytest.raises(ApiUnavailable):
        await bench.tick(process)
    assert bench.rig.log.events == []


async def test_an_api_that_fails_again_and_again_is_told_once(bench: Bench) -> None:
    process = await bench.progressing()
    bench.rig.api.remove(ROUTE)
    forget = refuse(bench.rig, ApiUnavailable(500, "InternalError", "no webhook"), ROUTE)
    for _ in range(OUTAGES + 3):
        with pytest.raises(ApiUnavailable):
            await bench.tick(process)
    assert bench.rig.log.events == ["no webhook"]
    forget()
    await bench.tick(process)
    refuse(bench.rig, ApiUnavailable(0, "Timeout", "no answer"), CANARY, "status")
    await asyncio.sleep(INTERVAL)
    for _ in range(OUTAGES + 3):
        with pytest.raises(ApiUnavailable):
            await bench.tick(process)
    assert bench.rig.log.events == ["no webhook"], "nobody answers: no event would arrive"


async def test_a_secret_that_cannot_be_read_is_told_and_no_failed_check(bench: Bench) -> None:
    process = await bench.progressing(analysis={**ANALYSIS, "metrics": [METRIC]})
    error = ApiError(403, "Forbidden", "cannot get secrets")
    bench.rig.judge.error = error
    await asyncio.sleep(INTERVAL)
    for _ in range(3):
        with pytest.raises(ApiError):
            await bench.tick(process)
    assert bench.rig.log.events == ["cannot get secrets"]
    assert (bench.rig.status.failed_checks, bench.rig.status.canary_weight) == (0, 25)
    bench.rig.judge.error = None
    await bench.tick(process)
    assert (bench.rig.status.failed_checks, bench.rig.status.canary_weight) == (0, 50)


async def test_a_kind_that_may_not_be_watched_is_told_and_goes_on_when_it_is_granted(
    bench: Bench,
) -> None:
    await bench.rig.initialized()
    bench.rig.log.events.clear()
    bench.rig.api.faults.forbidden.add(ROUTE.resource)
    process = await bench.start()
    for _ in range(2):
        with pytest.raises(ApiError, match="cannot list"):
            await bench.tick(process)
    (told,) = bench.rig.log.events
    assert told.startswith("traefikservices.traefik.io is forbidden")
    assert 'resources: ["traefikservices"], verbs: ["list"]' in told
    bench.rig.api.faults.forbidden.clear()
    await asyncio.sleep(5)
    await bench.tick(process)
    assert bench.rig.log.events == [told]


async def test_a_namespace_that_goes_away_is_quiet(bench: Bench) -> None:
    process = await bench.progressing()
    bench.rig.api.remove(ROUTE)
    text = "unable to create new content in namespace x because it is being terminated"
    refuse(bench.rig, ApiError(403, "Forbidden", text), ROUTE)
    await asyncio.sleep(INTERVAL)
    assert await bench.tick(process) == RESYNC
    assert bench.rig.log.events == []
    assert bench.rig.status.canary_weight == 25


async def test_a_commit_that_is_refused_is_told(bench: Bench) -> None:
    process = await bench.progressing()
    await asyncio.sleep(INTERVAL)
    refuse(bench.rig, ApiError(422, "Invalid", "status is invalid"), CANARY, "status")
    with pytest.raises(ApiError):
        await bench.tick(process)
    assert bench.rig.log.events == ["status is invalid"]


async def test_a_canary_that_vanished_during_its_tick_is_no_error(bench: Bench) -> None:
    process = await bench.progressing()
    await asyncio.sleep(INTERVAL)
    refuse(bench.rig, ApiNotFound(404, "NotFound", "canary not found"), CANARY, "status")
    assert await bench.tick(process) == RESYNC
    assert bench.rig.log.events == []


# Canaries with the same target


async def test_the_younger_of_two_canaries_with_one_target_is_not_served(bench: Bench) -> None:
    await bench.rig.initialized()
    process = await bench.start()
    older = bench.rig.api.object(CANARY)
    assert older is not None
    meta = {**older["metadata"], "name": "older", "creationTimestamp": "2020-01-01T00:00:00Z"}
    process.store.put({**older, "metadata": meta})
    await asyncio.sleep(INTERVAL)
    writes = len(bench.rig.api.writes)
    await bench.tick(process)
    assert bench.rig.log.events == [
        "spec.targetRef: Deployment podinfo is already under the Canary older; "
        "delete one of the two or give it another target"
    ]
    changed = [write.ref for write in bench.rig.api.writes[writes:]]
    assert changed == [CANARY], "its condition, and nothing in the cluster"


# Terminal transitions


async def test_a_finished_run_is_announced_before_that_is_recorded(bench: Bench) -> None:
    hooks = [{"name": "post", "type": "post-rollout", "url": "http://hooks/"}]
    analysis = {"interval": "10s", "threshold": 2, "stepWeight": 50, "maxWeight": 50}
    rig = await bench.rig.initialized(analysis={**analysis, "webhooks": hooks})
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


def put_status(rig: Rig, phase: Phase | None = None, **run: Any) -> None:
    """Another process has written the status: parts of its run record."""
    body = rig.api.object(CANARY)
    assert body is not None
    status = rig.status
    changes = {"phase": phase or status.phase, "run": status.run.model_copy(update=run)}
    rig.api.put(CANARY, {**body, "status": status.model_copy(update=changes).to_api()})


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


async def test_a_canary_that_vanished_before_it_was_held_is_no_error(bench: Bench) -> None:
    rig = await bench.rig.initialized()
    process = await bench.start()
    put(rig, revertOnDeletion=True)
    refuse(rig, ApiNotFound(404, "NotFound", "canary not found"), CANARY)
    assert await bench.tick(process) == RESYNC
    assert rig.log.events == []


# Bounds


async def test_gates_are_asked_in_order_and_only_on_the_way(bench: Bench) -> None:
    hooks = [
        {"name": "no", "type": "rollout", "url": "http://hooks/"},
        {"name": "never", "type": "rollout", "url": "http://hooks/"},
        {"name": "later", "type": "confirm-promotion", "url": "http://hooks/"},
    ]
    analysis = {"interval": "10s", "threshold": 5, "stepWeight": 25, "maxWeight": 50}
    bench.rig.hooks.answers["no"] = Answer(ok=True)
    process = await bench.progressing(analysis={**analysis, "webhooks": hooks})
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
    hooks = [{"name": "slow", "type": "rollout", "url": "http://hooks/"}]
    analysis = {"interval": "10s", "threshold": 5, "stepWeight": 25, "webhooks": hooks}
    process = await bench.progressing(analysis=analysis)
    bench.rig.hooks.seconds["slow"] = seconds
    await asyncio.sleep(INTERVAL)
    await bench.tick(process)
    assert bench.rig.status.canary_weight == 50
    assert ("the tick took 11 s, longer than its interval of 10 s" in caplog.text) is logged


async def test_what_a_provider_cannot_do_is_a_problem_of_the_canary(bench: Bench) -> None:
    analysis = {"interval": "10s", "iterations": 2, "match": [{"headers": {}}], "threshold": 1}
    rig = bench.rig
    rig.api.put(TARGET, deployment())
    rig.api.put(CANARY, canary(analysis=analysis))
    process = await bench.start()
    for _ in range(3):
        await bench.tick(process)
        await asyncio.sleep(INTERVAL)
    (condition,) = [c for c in rig.status.conditions if c.type == "Ready"]
    assert condition.status == "False"
    assert condition.message.startswith("spec.analysis.match needs the IngressRoute whose rules")
    assert rig.log.events.count(condition.message) == 1
