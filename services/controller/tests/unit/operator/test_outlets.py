"""The adapters between ticks and those who listen to them or answer them."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pytest_httpserver import HTTPServer

from flagger_controller import clock, net
from flagger_controller.api.alertprovider import AlertProvider
from flagger_controller.api.canary import Canary, HookType, Webhook
from flagger_controller.api.metrictemplate import MetricTemplate
from flagger_controller.api.status import CanaryStatus, Phase, Route, Run
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.cluster.events import EventRecorder
from flagger_controller.cluster.fake import FakeApi
from flagger_controller.errors import NotFound
from flagger_controller.hooks.client import HookClient
from flagger_controller.hooks.credentials import Credentials
from flagger_controller.metrics import templates
from flagger_controller.metrics.base import Context
from flagger_controller.metrics.evaluate import Evaluator
from flagger_controller.metrics.recorder import Recorder
from flagger_controller.operator.outlets import (
    CountedHooks,
    Gauges,
    Judge,
    KubeEvents,
    Listeners,
    Lookup,
    Tally,
)
from flagger_controller.operator.store import TemplateStore
from flagger_controller.rollout.decision import Cause, Event, Outcome
from flagger_controller.rollout.evidence import (
    Answer,
    Check,
    HookCheck,
    Measured,
    MetricCheck,
    MetricPart,
    ProvidersCheck,
    Result,
    Unmeasured,
)

from .bodies import canary, provider, template

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder("0.1.0", "traefik")


@pytest.fixture
async def http() -> AsyncIterator[net.Http]:
    async with net.Http() as client:
        yield client


def built(status: CanaryStatus | None = None, **spec: Any) -> Canary:
    found = Canary.from_api(canary(**spec))
    return found if status is None else found.model_copy(update={"status": status})


def series(recorder: Recorder, name: str) -> dict[str, float]:
    """Values of one series by the values of its labels."""
    families = text_string_to_metric_families(recorder.render().decode())
    return {
        " ".join(sample.labels[label] for label in sorted(sample.labels)): sample.value
        for family in families
        for sample in family.samples
        if sample.name == f"flagger_{name}"
    }


# Events


async def test_events_are_about_the_canary_as_it_is_now() -> None:
    api = FakeApi(now=lambda: NOW)
    events = EventRecorder(api, now=lambda: NOW)
    outlet = KubeEvents(events)
    outlet.record(built(), "Halt", warning=True)
    outlet.record(built(), "Go on", warning=False)
    await outlet.settled(built())
    found = api.memory.items(resources.EVENTS, "shop")
    assert [(event["type"], event["message"]) for event in found] == [
        ("Warning", "Halt"),
        ("Normal", "Go on"),
    ]
    subject = found[0]["involvedObject"]
    assert (subject["kind"], subject["name"], subject["uid"]) == ("Canary", "cart", "u-1")
    assert subject["resourceVersion"] == "5"
    await events.close()


class Listener:
    """Hears events, and needs a moment."""

    def __init__(self, name: str, heard: list[str]) -> None:
        self._name = name
        self._heard = heard
        self._last = ""

    def send(self, canary: Canary, event: Event, *, phase: Phase, checksum: str) -> None:
        self._last = f"{self._name} {canary.key} {event.text} {phase} {checksum}"

    async def settled(self, canary: Canary) -> None:
        self._heard.append(self._last)


async def test_everybody_hears_of_events() -> None:
    heard: list[str] = []
    listeners = Listeners(Listener("hooks", heard), Listener("flux", heard))
    listeners.send(built(), Event("x"), phase=Phase.FAILED, checksum="sum")
    await listeners.settled(built())
    assert heard == ["hooks cart.shop x Failed sum", "flux cart.shop x Failed sum"]


# Gauges


def test_phase_and_weights(recorder: Recorder) -> None:
    status = CanaryStatus(
        phase=Phase.PROGRESSING,
        canary_weight=99,  # the route tells, not what is shown to people
        run=Run(route=Route(primary=75, canary=25)),
    )
    Gauges(recorder).show(built(status))
    assert series(recorder, "canary_status") == {"cart shop": 0}
    assert series(recorder, "canary_weight") == {"shop cart-primary": 75, "shop cart": 25}


def test_without_a_route_all_is_on_the_primary(recorder: Recorder) -> None:
    Gauges(recorder).show(built())
    assert series(recorder, "canary_weight") == {"shop cart-primary": 100, "shop cart": 0}


@pytest.mark.parametrize(
    ("outcome", "counted", "status"),
    [
        (Outcome(), "canary_successes_total", "completed"),
        (Outcome(skipped=True), "canary_successes_total", "skipped"),
        (Outcome(cause=Cause.HOOK), "canary_failures_total", "completed"),
    ],
)
def test_outcomes(recorder: Recorder, outcome: Outcome, counted: str, status: str) -> None:
    Gauges(recorder).outcome(built(), outcome)
    assert series(recorder, counted) == {f"{status} canary cart shop": 1}


def test_the_duration_of_an_analysis(recorder: Recorder) -> None:
    Gauges(recorder).analysed(built(), 1.5)
    assert series(recorder, "canary_duration_seconds_sum") == {"cart shop": 1.5}


# Hooks


async def no_secret(namespace: str, name: str) -> dict[str, str]:
    raise AssertionError("no hook has one")


async def test_every_call_of_a_hook_is_counted(
    recorder: Recorder, http: net.Http, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/yes").respond_with_data("")
    httpserver.expect_request("/no").respond_with_data("not today", status=403)
    nobody = Credentials(no_secret, clock.utc)
    hooks = CountedHooks(HookClient(http, nobody), recorder)
    for path, kind in (("/yes", "rollback"), ("/yes", ""), ("/no", "rollback")):
        hook = Webhook.model_validate({"name": "h", "type": kind, "url": httpserver.url_for(path)})
        answer = await hooks.call(hook, b"{}", "shop")
        assert answer.ok == (path == "/yes")
    assert series(recorder, "webhook_requests_total") == {
        "passed rollback": 1,
        "passed rollout": 1,
        "failed rollback": 1,
    }


# Metrics


def judge(recorder: Recorder, http: net.Http, server: str) -> Judge:
    api = FakeApi()
    lookup = Lookup(api, TemplateStore())
    evaluator = Evaluator(
        Context(http, api, clock.utc),
        templates.Lookups(lookup.template, lookup.secret, lookup.revision),
        templates.Settings(mesh_provider="traefik", metrics_server=server, cross_namespace=True),
    )
    return Judge(evaluator, recorder)


def vector(value: str) -> dict[str, Any]:
    result = [{"metric": {}, "value": [0, value]}]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


METRICS = [{"name": "errors", "query": "q", "thresholdRange": {"max": 1}}]


async def test_a_measured_value_is_exported_whatever_its_bounds(
    recorder: Recorder, http: net.Http, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/api/v1/query").respond_with_json(vector("42"))
    found = built(analysis={"stepWeight": 10, "metrics": METRICS})
    check = MetricCheck(0, MetricPart.QUERY)
    reading = await judge(recorder, http, httpserver.url_for("")).measure(found, check)
    assert reading == Measured(42)
    assert series(recorder, "canary_metric_analysis") == {"errors cart shop": 42}


async def test_the_builtin_duration_is_exported_in_seconds(
    recorder: Recorder, http: net.Http, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/api/v1/query").respond_with_json(vector("250"))
    metrics = [{"name": "request-duration", "thresholdRange": {"max": 500}}]
    found = built(analysis={"stepWeight": 10, "metrics": metrics})
    check = MetricCheck(0, MetricPart.BUILTIN)
    reading = await judge(recorder, http, httpserver.url_for("")).measure(found, check)
    assert reading == Measured(250)
    assert series(recorder, "canary_metric_analysis") == {"request-duration cart shop": 0.25}


async def test_what_has_no_value_is_not_exported(
    recorder: Recorder, http: net.Http, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/api/v1/query").respond_with_data("broken", status=500)
    found = built(analysis={"stepWeight": 10, "metrics": METRICS})
    check = MetricCheck(0, MetricPart.QUERY)
    reading = await judge(recorder, http, httpserver.url_for("")).measure(found, check)
    assert isinstance(reading, Unmeasured)
    assert reading.failed
    assert series(recorder, "canary_metric_analysis") == {}


# Checks


HOOK = HookCheck(HookType.ROLLOUT, 0, Phase.PROGRESSING)
BUILTIN = MetricCheck(1, MetricPart.BUILTIN)
QUERY = MetricCheck(0, MetricPart.QUERY)


@pytest.mark.parametrize(
    ("check", "result", "kind", "counted"),
    [
        (HOOK, Answer(ok=True), "rollout", "cart load cart shop passed"),
        (HOOK, Answer(ok=False, error="no"), "rollout", "cart load cart shop failed"),
        (ProvidersCheck(), Answer(ok=True), "providers", "cart providers cart shop passed"),
        (QUERY, Measured(1), "query", "cart errors cart shop passed"),
        (QUERY, Measured(1.5), "query", "cart errors cart shop failed"),
        (QUERY, Unmeasured("none"), "query", "cart errors cart shop no-values"),
        (QUERY, Unmeasured("down", failed=True), "query", "cart errors cart shop error"),
        (QUERY, Unmeasured("late", True, True), "query", "cart errors cart shop timeout"),
        (BUILTIN, Measured(98), "builtin", "cart request-success-rate cart shop failed"),
        (BUILTIN, Measured(99), "builtin", "cart request-success-rate cart shop passed"),
    ],
)
def test_every_check_is_counted_by_what_came_of_it(
    recorder: Recorder, check: Check, result: Result, kind: str, counted: str
) -> None:
    rate = {"name": "request-success-rate", "thresholdRange": {"min": 99}}
    hook = {"name": "load", "url": "http://load/"}
    analysis = {"stepWeight": 10, "metrics": [*METRICS, rate], "webhooks": [hook]}
    Tally(recorder).answered(built(analysis=analysis), check, result, 1.5)
    found = series(recorder, "canary_checks_total")
    assert [labels for labels, count in found.items() if count] == [counted]
    assert series(recorder, "check_duration_seconds_sum") == {kind: 1.5}


# Lookups


async def test_templates_and_providers_come_from_the_watch() -> None:
    stored = TemplateStore()
    lookup = Lookup(FakeApi(), stored)
    stored.templates["shop", "errors"] = MetricTemplate.model_validate(template())
    stored.providers["shop", "chat"] = AlertProvider.model_validate(provider())
    assert (await lookup.template("shop", "errors")).spec.query == "q"
    assert (await lookup.provider("shop", "chat")).spec.type == "slack"


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("template", "MetricTemplate errors.shop not found"),
        ("provider", "AlertProvider errors.shop not found"),
        ("revision", 'services.serving.knative.dev "errors" not found'),
        ("secret", 'secrets "errors" not found'),
    ],
)
async def test_what_is_not_there(what: str, text: str) -> None:
    lookup = Lookup(FakeApi(), TemplateStore())
    with pytest.raises(NotFound) as caught:
        await getattr(lookup, what)("shop", "errors")
    assert str(caught.value) == text


async def test_the_latest_revision_of_a_knative_service() -> None:
    api = FakeApi()
    lookup = Lookup(api, TemplateStore())
    ref = Ref(resources.KNATIVE_SERVICES, "cart", "shop")
    api.put(ref, {"spec": {}})
    with pytest.raises(NotFound, match=r"Knative Service cart\.shop has no revision"):
        await lookup.revision("shop", "cart")
    api.put(ref, {"spec": {}, "status": {"latestCreatedRevisionName": "cart-00002"}})
    assert await lookup.revision("shop", "cart") == "cart-00002"


async def test_secrets_are_decoded_and_read_anew_each_time() -> None:
    api = FakeApi()
    lookup = Lookup(api, TemplateStore())
    ref = Ref(resources.SECRETS, "token", "shop")
    for word in ("first", "zweites: ü"):
        api.put(ref, {"data": {"token": base64.b64encode(word.encode()).decode()}})
        assert await lookup.secret("shop", "token") == {"token": word}
    api.put(ref, {"data": None})
    assert await lookup.secret("shop", "token") == {}
