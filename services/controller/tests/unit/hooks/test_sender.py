"""Event hooks: in order for each canary, beside the tick, and never silently lost."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from flagger_controller.api.canary import Canary, Webhook
from flagger_controller.api.status import Phase
from flagger_controller.errors import Retriable
from flagger_controller.hooks.sender import EventSender
from flagger_controller.outbox import Outbox
from flagger_controller.rollout.decision import Event
from flagger_controller.rollout.evidence import Answer

pytestmark = pytest.mark.looptime

NOW = datetime(2026, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)
GLOBAL = "http://global/"


def canary(name: str = "cart", *hooks: str, **more: Any) -> Canary:
    webhooks = [{"name": hook, "type": "event", "url": f"http://{hook}/", **more} for hook in hooks]
    gate = {"name": "gate", "type": "rollout", "url": "http://gate/"}
    spec = {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "analysis": {"webhooks": [gate, *webhooks]},
    }
    return Canary.from_api({"metadata": {"name": name, "namespace": "shop"}, "spec": spec})


@dataclass
class Receivers:
    """Everybody who is called: what they got, how long they take, what they answer."""

    calls: list[tuple[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    """Hooks whose Secret cannot be read."""

    async def call(self, hook: Webhook, payload: bytes, namespace: str) -> Answer:
        await asyncio.sleep(self.seconds.get(hook.name, 0))
        if hook.name in self.unread:
            raise Retriable("no answer from the API server")
        self.calls.append((hook.name, json.loads(payload)))
        return self.answers.get(hook.name, Answer(ok=True))

    @property
    def heard(self) -> list[str]:
        return [
            f"{name} {body['name']}: {body['metadata']['eventMessage']}"
            for name, body in self.calls
        ]


@dataclass
class Bench:
    """A sender with its receivers."""

    receivers: Receivers
    outbox: Outbox
    sender: EventSender

    def send(self, found: Canary, text: str, **more: Any) -> None:
        event = Event(text, **more)
        self.sender.send(found, event, phase=Phase.PROGRESSING, checksum="sum")


def assembled(outbox: Outbox, global_url: str = "") -> Bench:
    receivers = Receivers()
    return Bench(receivers, outbox, EventSender(receivers, outbox, global_url, lambda: NOW))


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    found = assembled(Outbox(), GLOBAL)
    task = asyncio.create_task(found.outbox.run())
    yield found
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_receivers_get(bench: Bench) -> None:
    bench.send(canary("cart", "mine", metadata={"team": "x", "eventType": "overridden"}), "Go")
    await bench.outbox.drain(10)
    assert bench.receivers.calls == [
        (
            "mine",
            {
                "name": "cart",
                "namespace": "shop",
                "phase": "Progressing",
                "checksum": "sum",
                "metadata": {
                    "team": "x",
                    "eventMessage": "Go",
                    "eventType": "Normal",
                    "timestamp": str(int(NOW.timestamp() * 1000)),
                },
            },
        )
    ]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ({}, "Normal"),
        ({"warning": True}, "Warning"),
        ({"error": True}, "Warning"),
    ],
)
async def test_warnings_and_errors_are_warnings(
    bench: Bench, kind: dict[str, bool], expected: str
) -> None:
    bench.send(canary("cart", "mine"), "Halt", **kind)
    await bench.outbox.drain(10)
    assert [body["metadata"]["eventType"] for _, body in bench.receivers.calls] == [expected]


async def test_events_keep_their_order_for_each_canary_and_receiver(bench: Bench) -> None:
    bench.receivers.seconds = {"a": 3, "b": 1}
    found = canary("cart", "a", "b")
    bench.send(found, "first")
    bench.send(found, "second")
    await bench.outbox.drain(60)
    assert bench.receivers.heard == [
        "a cart: first",
        "b cart: first",
        "a cart: second",
        "b cart: second",
    ]


async def test_sending_does_not_wait(bench: Bench) -> None:
    bench.receivers.seconds = {"slow": 1000}
    bench.send(canary("cart", "slow"), "x")
    assert asyncio.get_running_loop().time() == 0
    assert bench.receivers.calls == []


async def test_a_slow_receiver_holds_up_its_own_canary_only(bench: Bench) -> None:
    bench.receivers.seconds = {"slow": 1000}
    for text in ("first", "second"):
        bench.send(canary("lame", "slow"), text)
        bench.send(canary("cart", "quick"), text)
    await asyncio.sleep(1)
    assert bench.receivers.heard == ["quick cart: first", "quick cart: second"]
    await asyncio.sleep(2000)
    assert bench.receivers.heard[2:] == ["slow lame: first", "slow lame: second"]


async def test_settled_when_everything_about_a_canary_was_sent(bench: Bench) -> None:
    bench.receivers.seconds = {"slow": 1000, "quick": 2}
    await bench.sender.settled(canary("cart"))
    bench.send(canary("lame", "slow"), "x")
    bench.send(canary("cart", "quick"), "x")
    await bench.sender.settled(canary("cart"))
    assert asyncio.get_running_loop().time() == 2
    assert bench.receivers.heard == ["quick cart: x"]


async def test_the_global_hook_hears_of_canaries_without_their_own(bench: Bench) -> None:
    bench.send(canary("cart"), "x")
    bench.send(canary("other", "mine"), "y")
    await bench.outbox.drain(10)
    assert sorted(bench.receivers.heard) == ["events cart: x", "mine other: y"]


async def test_without_a_global_hook_nobody_hears_of_them() -> None:
    bench = assembled(Outbox())
    bench.send(canary("cart"), "x")
    assert await bench.outbox.drain(0) == 0


async def test_a_refusal_is_logged_and_the_next_event_is_sent(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.receivers.answers = {"mine": Answer(ok=False, error="no such channel")}
    for text in ("first", "second"):
        bench.send(canary("cart", "mine"), text)
    await bench.outbox.drain(10)
    assert bench.receivers.heard == ["mine cart: first", "mine cart: second"]
    assert caplog.messages == ["error sending event to webhook: no such channel"] * 2
    assert {getattr(record, "canary", "") for record in caplog.records} == {"cart.shop"}


async def test_the_global_address_is_a_secret(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.receivers.answers = {"events": Answer(ok=False, error=f"POST {GLOBAL} giving up")}
    bench.send(canary("cart"), "x")
    await bench.outbox.drain(10)
    assert caplog.messages == ["error sending event to webhook: POST *** giving up"]


async def test_a_lost_event_is_logged_with_its_text(caplog: pytest.LogCaptureFixture) -> None:
    bench = assembled(Outbox(capacity=2))
    for text in ("first", "second", "third"):
        bench.send(canary("cart", "mine"), text)
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert record.message == "event hook mine is too slow, an event is lost: third"
    assert getattr(record, "canary", "") == "cart.shop"


async def test_an_event_keeps_the_phase_and_checksum_of_its_moment(bench: Bench) -> None:
    found = canary("cart", "mine")
    bench.sender.send(found, Event("x"), phase=Phase.INITIALIZED, checksum="old")
    bench.sender.send(found, Event("y"), phase=Phase.PROGRESSING, checksum="new")
    await bench.outbox.drain(10)
    told = [(body["phase"], body["checksum"]) for _, body in bench.receivers.calls]
    assert told == [("Initialized", "old"), ("Progressing", "new")]


async def test_a_secret_that_cannot_be_read_loses_one_event_and_says_so(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.receivers.unread = {"mine"}
    bench.send(canary("cart", "mine"), "one")
    await bench.outbox.drain(10)
    bench.receivers.unread = set()
    bench.send(canary("cart", "mine"), "two")
    await bench.outbox.drain(10)
    assert bench.receivers.heard == ["mine cart: two"]
    (record,) = (each for each in caplog.records if each.levelname == "ERROR")
    assert record.message == (
        "error sending event to webhook: secretRef: no answer from the API server"
    )
