"""Events for Flux's notification-controller (alerting.md section 12)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from flagger_controller import net
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus, Phase
from flagger_controller.hooks import flux
from flagger_controller.outbox import Outbox
from flagger_controller.rollout.decision import Event

NOW = datetime(2026, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def canary() -> Canary:
    body = {
        "metadata": {"name": "cart", "namespace": "shop", "uid": "u-1", "resourceVersion": "5"},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
            "analysis": {},
        },
    }
    status = CanaryStatus(last_applied_spec="5d8f")
    return Canary.from_api(body).model_copy(update={"status": status})


@dataclass
class Bench:
    """A receiver that accepts what notification-controller accepts, and who tells it."""

    server: HTTPServer
    outbox: Outbox
    events: flux.FluxEvents
    waits: list[float] = field(default_factory=list)

    def answers(self, *statuses: int) -> None:
        for status in statuses:
            response = Response("the answer", status=status)
            self.server.expect_ordered_request("/", "POST").respond_with_response(response)

    async def tell(self, event: Event, phase: Phase = Phase.PROGRESSING) -> None:
        self.events.send(canary(), event, phase=phase, checksum="sum")
        await self.events.settled(canary())

    @property
    def heard(self) -> list[Any]:
        return [request.get_json() for request, _ in self.server.log]


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level("WARNING")
    return caplog


@pytest.fixture
async def bench(http: net.Http, httpserver: HTTPServer) -> AsyncIterator[Bench]:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    outbox, url = Outbox(), httpserver.url_for("/")
    events = flux.FluxEvents(http, outbox, url, "flagger-0", sleep=sleep, now=lambda: NOW)
    running = asyncio.create_task(outbox.run())
    yield Bench(httpserver, outbox, events, waits)
    running.cancel()
    await asyncio.wait([running])


async def test_what_flux_gets(bench: Bench) -> None:
    bench.answers(202)
    await bench.tell(Event("Advance cart.shop canary weight 10"))
    assert bench.heard == [
        {
            "involvedObject": {
                "apiVersion": "flagger.app/v1beta1",
                "kind": "Canary",
                "name": "cart",
                "namespace": "shop",
                "uid": "u-1",
                "resourceVersion": "5",
            },
            "severity": "info",
            "timestamp": "2026-05-01T12:00:00.250Z",
            "message": "Advance cart.shop canary weight 10",
            "reason": "Progressing",
            "metadata": {
                "flagger.app/revision": "5d8f",
                "flagger.app/checksum": "sum",
                "flagger.app/phase": "Progressing",
            },
            "reportingController": "flagger",
            "reportingInstance": "flagger-0",
        }
    ]
    assert bench.server.log[0][0].headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("event", "phase", "reason", "severity"),
    [
        (Event("x"), Phase.NEW, "Initializing", "info"),
        (Event("x"), Phase.INITIALIZED, "Initialized", "info"),
        (Event("x", warning=True), Phase.WAITING, "Waiting", "info"),
        (Event("x"), Phase.SUCCEEDED, "Promoted", "info"),
        (Event("x", warning=True, error=True), Phase.PROGRESSING, "Progressing", "error"),
        (Event("x", warning=True, failure=True), Phase.PROGRESSING, "RolledBack", "error"),
        (Event("x", warning=True, failure=True), Phase.FAILED, "RolledBack", "error"),
        (Event("x", warning=True, failure=True), Phase.PROMOTING, "PromotionFailed", "error"),
        (Event("x"), Phase.FAILED, "Failed", "info"),
    ],
)
async def test_reasons_and_severities(
    bench: Bench, event: Event, phase: Phase, reason: str, severity: str
) -> None:
    bench.answers(202)
    await bench.tell(event, phase)
    assert (bench.heard[0]["reason"], bench.heard[0]["severity"]) == (reason, severity)


async def test_long_messages_are_cut(bench: Bench) -> None:
    bench.answers(202)
    await bench.tell(Event("x" * 50_000))
    assert len(bench.heard[0]["message"]) <= 39_000


async def test_what_flux_was_told_a_moment_ago_is_not_repeated(
    bench: Bench, told: pytest.LogCaptureFixture
) -> None:
    bench.answers(429)
    await bench.tell(Event("x"))
    assert (len(bench.heard), bench.waits, told.messages) == (1, [], [])


async def test_a_receiver_that_restarts_is_waited_for(
    bench: Bench, told: pytest.LogCaptureFixture
) -> None:
    bench.answers(503, 503, 202)
    await bench.tell(Event("x"))
    assert (len(bench.heard), bench.waits, told.messages) == (3, [1, 2], [])


@pytest.mark.parametrize(("statuses", "calls"), [([400], 1), ([500] * 4, 4)])
async def test_a_refusal_is_logged(
    bench: Bench, told: pytest.LogCaptureFixture, statuses: list[int], calls: int
) -> None:
    bench.answers(*statuses)
    await bench.tell(Event("x"))
    assert len(bench.heard) == calls
    assert told.messages == [f"error sending event to Flux: {statuses[0]} the answer"]
    assert told.records[0].__dict__["canary"] == "cart.shop"


async def test_without_an_address_nobody_is_told(http: net.Http) -> None:
    outbox = Outbox()
    events = flux.FluxEvents(http, outbox, "", "flagger-0")
    events.send(canary(), Event("x"), phase=Phase.NEW, checksum="")
    assert await outbox.drain(0) == 0


async def test_a_lost_event_is_logged(http: net.Http, told: pytest.LogCaptureFixture) -> None:
    events = flux.FluxEvents(http, Outbox(capacity=0), "http://unused.invalid", "flagger-0")
    events.send(canary(), Event("gone"), phase=Phase.NEW, checksum="")
    assert told.messages == ["Flux is too slow, an event is lost: gone"]
