"""What the owner of a Canary hears that cannot be decoded."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from flagger_controller.api.base import Object
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import ApiConflict
from flagger_controller.cluster.events import EventRecorder
from flagger_controller.cluster.fake import FakeApi
from flagger_controller.tick.commit import FINALIZER
from flagger_controller.tick.reject import Rejecter

from .scene import CANARY, manifest, now

pytestmark = pytest.mark.looptime

TEXT = "invalid canary spec: spec.service.port: Field required"
OTHER = {"type": "Promoted", "status": "True", "reason": "Initialized"}


@dataclass
class Bench:
    """A Canary in the cluster, and somebody who rejects it."""

    api: FakeApi
    events: EventRecorder

    def stored(self, status: Object | None = None, **metadata: Any) -> Object:
        return self.api.put(CANARY, {**manifest(), "metadata": metadata, "status": status or {}})

    async def reject(self, body: Object, error: str = "spec.service.port: Field required") -> None:
        await Rejecter(self.api, self.events, now).reject(body, error)
        await self.events.flush()

    @property
    def live(self) -> Any:
        return self.api.object(CANARY)

    @property
    def told(self) -> list[tuple[str, str, int]]:
        found = self.api.memory.items(resources.EVENTS, "")
        return [(event["type"], event["message"], event["count"]) for event in found]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    api = FakeApi(now=now)
    events = EventRecorder(api, now=now)
    yield Bench(api, events)
    await events.close()


async def test_an_event_a_condition_and_a_log_line(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.reject(bench.stored())
    assert bench.live["status"]["conditions"] == [
        {
            "type": "Ready",
            "status": "False",
            "reason": "Blocked",
            "message": TEXT,
            "lastUpdateTime": "2026-05-01T12:00:00Z",
            "lastTransitionTime": "2026-05-01T12:00:00Z",
        }
    ]
    assert bench.told == [("Warning", TEXT, 1)]
    (record,) = caplog.records
    assert (record.levelname, record.message) == ("ERROR", TEXT)
    assert getattr(record, "canary", "") == "cart.shop"


async def test_the_same_is_told_once(bench: Bench) -> None:
    await bench.reject(bench.stored())
    writes = len(bench.api.writes)
    await bench.reject(bench.live)
    assert len(bench.api.writes) == writes
    assert bench.told == [("Warning", TEXT, 1)]


async def test_another_error_replaces_the_first(bench: Bench) -> None:
    await bench.reject(bench.stored())
    await bench.reject(bench.live, "spec.targetRef: Field required")
    second = "invalid canary spec: spec.targetRef: Field required"
    assert [condition["message"] for condition in bench.live["status"]["conditions"]] == [second]
    assert [text for _, text, _ in bench.told] == [TEXT, second]


async def test_the_rest_of_the_status_stays(bench: Bench) -> None:
    status = {"phase": "Initialized", "lastAppliedSpec": "h", "conditions": [OTHER]}
    await bench.reject(bench.stored(status))
    assert bench.live["status"]["phase"] == "Initialized"
    assert bench.live["status"]["lastAppliedSpec"] == "h"
    first, second = bench.live["status"]["conditions"]
    assert first == OTHER
    assert second["type"] == "Ready"


async def test_somebody_who_was_faster_is_not_overwritten(bench: Bench) -> None:
    body = bench.stored()
    bench.api.put(CANARY, {**body, "spec": {**body["spec"], "suspend": True}})
    with pytest.raises(ApiConflict):
        await bench.reject(body)
    assert bench.told == []
    assert "conditions" not in bench.live.get("status", {})


async def test_a_deleted_one_is_let_go(bench: Bench) -> None:
    bench.stored(finalizers=[FINALIZER])
    bench.api.remove(CANARY)
    await bench.reject(bench.live)
    assert bench.live is None
    assert bench.told == []


async def test_the_finalizers_of_others_stay_on_a_deleted_one(bench: Bench) -> None:
    bench.stored(finalizers=["foreign/finalizer", FINALIZER])
    bench.api.remove(CANARY)
    await bench.reject(bench.live)
    assert bench.live["metadata"]["finalizers"] == ["foreign/finalizer"]
    writes = len(bench.api.applied())
    await bench.reject(bench.live)
    assert bench.live["metadata"]["finalizers"] == ["foreign/finalizer"]
    assert len(bench.api.applied()) <= writes + 1
