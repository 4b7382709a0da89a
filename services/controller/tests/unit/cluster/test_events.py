import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import (
    ApiConflict,
    ApiError,
    ApiUnauthorized,
    ApiUnavailable,
    Fenced,
    Object,
    Ref,
    api_error,
)
from flagger_controller.cluster.events import EventRecorder, EventSettings, Subject
from flagger_controller.cluster.fake import FakeApi, Write

pytestmark = pytest.mark.looptime

CART = Subject(Ref(resources.CANARIES, "cart", "shop"), "uid-1", "41")
BASKET = Subject(Ref(resources.CANARIES, "basket", "shop"), "uid-2", "42")
UNAUTHORIZED = ApiUnauthorized(401, "Unauthorized", "Unauthorized")
BUSY = ApiUnavailable(429, "TooManyRequests", "later", 9.0)
START = datetime(2026, 5, 1, 12, tzinfo=UTC)


def now() -> datetime:
    return START + timedelta(seconds=asyncio.get_running_loop().time())


@pytest.fixture
async def recorder(api: FakeApi) -> AsyncIterator[EventRecorder]:
    recorder = EventRecorder(api, now=now)
    yield recorder
    await recorder.close()


def events(api: FakeApi) -> list[Object]:
    return api.memory.items(resources.EVENTS, "")


def texts(api: FakeApi) -> list[tuple[str, int]]:
    return [(event["message"], event["count"]) for event in events(api)]


async def test_the_shape_of_an_event(api: FakeApi, recorder: EventRecorder) -> None:
    recorder.record(CART, "New revision detected!", warning=True)
    await recorder.flush()
    (event,) = events(api)
    name = event["metadata"]["name"]
    assert name.startswith("cart.")
    assert int(name.removeprefix("cart."), 16) == int(START.timestamp()) * 10**9
    assert {k: v for k, v in event.items() if k != "metadata"} == {
        "apiVersion": "v1",
        "kind": "Event",
        "involvedObject": {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "Canary",
            "namespace": "shop",
            "name": "cart",
            "uid": "uid-1",
            "resourceVersion": "41",
        },
        "reason": "Synced",
        "message": "New revision detected!",
        "type": "Warning",
        "count": 1,
        "firstTimestamp": "2026-05-01T12:00:00Z",
        "lastTimestamp": "2026-05-01T12:00:00Z",
        "source": {"component": "flagger"},
        "reportingComponent": "flagger",
        "reportingInstance": "",
    }
    assert event["metadata"]["namespace"] == "shop"


def test_subject_of_a_live_object() -> None:
    body = {"metadata": {"uid": "uid-1", "resourceVersion": "41"}}
    assert Subject.of(CART.ref, body) == CART


async def test_the_same_text_again_raises_the_count(api: FakeApi, recorder: EventRecorder) -> None:
    for _ in range(3):
        recorder.record(CART, "Halt")
        await recorder.flush()
        await asyncio.sleep(10)
    recorder.record(BASKET, "Halt")
    recorder.record(CART, "Halt", warning=True)
    await recorder.flush()
    assert texts(api) == [("Halt", 1), ("Halt", 3), ("Halt", 1)]
    counted = next(event for event in events(api) if event["count"] == 3)
    assert counted["firstTimestamp"] == "2026-05-01T12:00:00Z"
    assert counted["lastTimestamp"] == "2026-05-01T12:00:20Z"


async def test_an_expired_event_is_written_anew(api: FakeApi, recorder: EventRecorder) -> None:
    recorder.record(CART, "Halt")
    await recorder.flush()
    api.remove(api.applied()[0].ref)
    recorder.record(CART, "Halt")
    await recorder.flush()
    assert texts(api) == [("Halt", 1)]


async def test_order_is_kept_and_bursts_are_not_dropped(
    api: FakeApi, recorder: EventRecorder
) -> None:
    for number in range(100):
        recorder.record(CART, f"step {number}")
    await recorder.flush()
    created = [write.body["message"] for write in api.applied("create")]
    assert created == [f"step {number}" for number in range(100)]
    assert len({event["metadata"]["name"] for event in events(api)}) == 100


async def test_what_waits_is_merged(api: FakeApi, recorder: EventRecorder) -> None:
    for _ in range(5):
        recorder.record(CART, "same")
        recorder.record(CART, "other")
    await recorder.flush()
    assert texts(api) == [("same", 5), ("other", 5)]
    assert len(api.writes) == 2


async def test_an_outage_delays_events(api: FakeApi, recorder: EventRecorder) -> None:
    api.faults.down = True
    recorder.record(CART, "one")
    recorder.record(CART, "two")
    await asyncio.sleep(35)
    api.faults.down = False
    await recorder.flush()
    assert texts(api) == [("one", 1), ("two", 1)]
    assert events(api)[0]["firstTimestamp"] == "2026-05-01T12:00:00Z"


async def test_a_lost_answer_does_not_write_twice(api: FakeApi, recorder: EventRecorder) -> None:
    def lose(write: Write) -> None:
        forget()
        raise ApiUnavailable(0, "Timeout", "no answer")

    forget = api.after_write(lose)
    recorder.record(CART, "one")
    await recorder.flush()
    recorder.record(CART, "one")
    await recorder.flush()
    assert texts(api) == [("one", 2)]


async def test_errors_are_logged_and_the_next_event_is_written(
    api: FakeApi, recorder: EventRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(write: Write) -> None:
        if write.body.get("message") == "one":
            raise ApiError(403, "Forbidden", "not allowed")
        if write.body.get("message") == "two":
            raise RuntimeError("a bug")
        if write.body.get("message") == "three":
            raise Fenced("not the leader")

    api.before_write(refuse)
    for text in ("one", "two", "three", "four"):
        recorder.record(CART, text)
    await recorder.flush()
    assert texts(api) == [("four", 1)]
    for text in ("one", "two", "three"):
        assert "Canary cart.shop" in caplog.text
        assert text in caplog.text


@pytest.mark.parametrize(
    ("reason", "level"),
    [("cannot create resource events", "ERROR"), ("because it is being terminated", "INFO")],
)
async def test_a_namespace_that_goes_takes_its_events_along(
    api: FakeApi, recorder: EventRecorder, caplog: pytest.LogCaptureFixture, reason: str, level: str
) -> None:
    def refuse(write: Write) -> None:
        raise ApiError(403, "Forbidden", f"events is forbidden: {reason}")

    api.before_write(refuse)
    caplog.set_level("INFO")
    recorder.record(CART, "one")
    await recorder.flush()
    lost = [record for record in caplog.records if "is lost" in record.message]
    assert [record.levelname for record in lost] == [level]


async def test_nothing_is_remembered_of_a_namespace_that_is_gone(
    api: FakeApi, recorder: EventRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    """Where namespaces come and go it would be something of each."""
    refusals = [
        api_error(403, "Forbidden", 'User "flagger" cannot create resource "events"'),
        api_error(403, "Forbidden", "events is forbidden: because it is being terminated"),
        api_error(404, "NotFound", 'namespaces "shop" not found'),
    ]

    def refuse(write: Write) -> None:
        raise refusals.pop(0)

    api.before_write(refuse)
    caplog.set_level("INFO")
    for text in ("one", "two", "three"):
        recorder.record(CART, text)
        await recorder.flush()
    lost = [record.levelname for record in caplog.records if "is lost" in record.message]
    assert lost == ["ERROR", "INFO", "INFO"]
    assert recorder._refused == {}


async def test_a_missing_right_is_told_once_until_it_is_granted(
    api: FakeApi, recorder: EventRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    async def say(*texts: str) -> None:
        for text in texts:
            recorder.record(CART, text)
            await recorder.flush()

    api.faults.forbidden.add(resources.EVENTS)
    await say("one", "two", "three")
    api.faults.forbidden.clear()
    await say("four")
    api.faults.forbidden.add(resources.EVENTS)
    await say("five")
    assert texts(api) == [("four", 1)]
    assert len(api.writes) == 5, "none is tried again"
    lost = [record for record in caplog.records if record.levelname == "ERROR"]
    assert ["one" in lost[0].message, "five" in lost[1].message, len(lost)] == [True, True, 2]
    assert 'resources: ["events"], verbs: ["create"]' in lost[0].message
    assert vars(lost[0])["error"] == "forbidden"


@pytest.mark.parametrize("error", [ApiConflict(409, "Conflict", "stale"), UNAUTHORIZED, BUSY])
async def test_what_passes_is_tried_again_quietly(
    api: FakeApi, recorder: EventRecorder, caplog: pytest.LogCaptureFixture, error: ApiError
) -> None:
    recorder.record(CART, "Halt")
    await recorder.flush()
    left = [error, error]

    def refuse(write: Write) -> None:
        if left:
            raise left.pop()

    api.before_write(refuse)
    began = asyncio.get_running_loop().time()
    recorder.record(CART, "Halt")
    await recorder.flush()
    assert texts(api) == [("Halt", 2)]
    assert not caplog.records
    took = asyncio.get_running_loop().time() - began
    assert took >= 2 * max(error.retry_after, 1.0), "pauses, as long as the server asks for"


async def test_a_long_outage_gives_up(api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    recorder = EventRecorder(api, now=now, settings=EventSettings(attempts=3, pending=2))
    api.faults.down = True
    for text in ("one", "two", "three"):
        recorder.record(CART, text)
    await recorder.flush()
    assert "is lost, too many wait: one" in caplog.text
    assert "is lost: two (the connection was refused)" in caplog.text
    await recorder.close()


async def test_memory_is_bounded(api: FakeApi) -> None:
    recorder = EventRecorder(api, now=now, settings=EventSettings(remembered=2))
    for text in ("one", "two", "three", "one"):
        recorder.record(CART, text)
        await recorder.flush()
    assert texts(api) == [("one", 1), ("two", 1), ("three", 1), ("one", 1)]


@pytest.mark.parametrize("expired", [False, True])
async def test_an_event_that_is_forgotten_while_its_count_is_raised_is_not_lost(
    api: FakeApi, caplog: pytest.LogCaptureFixture, *, expired: bool
) -> None:
    """Those of other objects, written meanwhile, can be all that is remembered."""
    recorder = EventRecorder(api, now=now, settings=EventSettings(remembered=1))
    recorder.record(CART, "one")
    await recorder.flush()
    (first,) = events(api)

    async def meanwhile(write: Write) -> None:
        if write.verb == "patch" and len(events(api)) == 1:
            recorder.record(BASKET, "other")
            await recorder.settled(BASKET.ref, BASKET.uid)
            if expired:
                api.remove(Ref(resources.EVENTS, first["metadata"]["name"], "shop"))

    api.before_write(meanwhile)
    recorder.record(CART, "one")
    await recorder.flush()
    assert ("one", 1 if expired else 2) in texts(api)
    recorder.record(CART, "one")
    await recorder.flush()
    assert ("one", 2 if expired else 3) in texts(api), "it is remembered from then on"
    assert "is lost" not in caplog.text


async def test_shutdown_writes_what_waits_but_not_for_ever(
    api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = EventRecorder(api, now=now)
    recorder.record(CART, "last words")
    await recorder.close()
    assert texts(api) == [("last words", 1)]
    api.faults.down = True
    recorder.record(CART, "too late")
    began = asyncio.get_running_loop().time()
    await recorder.close(seconds=2)
    assert asyncio.get_running_loop().time() - began == pytest.approx(2, abs=0.1)
    assert "lost at shutdown" in caplog.text
