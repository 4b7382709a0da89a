"""What a tick does about writes and reads that fail, and what it says about them."""

import asyncio

import pytest

from flagger_controller.api.status import Phase
from flagger_controller.cluster.client import ApiConflict, ApiError, ApiNotFound, ApiUnavailable
from flagger_controller.cluster.fake import Write
from flagger_controller.tick.herald import OUTAGES
from flagger_controller.tick.pace import RESYNC
from flagger_controller.tick.tick import SOON

from ....model.acts import analysis
from ....model.process import INTERVAL
from ....model.rig import CANARY, ROUTE
from .bench import Bench, refuse

pytestmark = pytest.mark.looptime

METRIC = {"name": "errors", "templateRef": {"name": "errors"}, "thresholdRange": {"max": 1000}}


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
    process = await bench.progressing(analysis=analysis(metrics=[METRIC]))
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
