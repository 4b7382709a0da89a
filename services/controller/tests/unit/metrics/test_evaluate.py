"""Measuring, its event texts, and the availability check (metrics.md sections 3, 5, 6, 8, 10)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

import pytest
from werkzeug import Response

from flagger_controller.api.canary import Canary
from flagger_controller.api.metrictemplate import MetricTemplate
from flagger_controller.api.status import CanaryStatus, Run
from flagger_controller.errors import NotFound, Retriable
from flagger_controller.metrics.base import Context, Setup
from flagger_controller.metrics.evaluate import Evaluator
from flagger_controller.metrics.prometheus import Prometheus
from flagger_controller.metrics.templates import Lookups, Settings
from flagger_controller.rollout.evidence import Answer, Measured, MetricPart, Unmeasured

from .conftest import Build
from .conftest import Prometheus as Server

T = TypeVar("T")

BUILTIN, QUERY, TEMPLATE = MetricPart.BUILTIN, MetricPart.QUERY, MetricPart.TEMPLATE
SUCCESS = {"name": "request-success-rate", "interval": "1m"}
DURATION = {"name": "request-duration", "interval": "30s"}
INLINE = {"name": "q", "query": 'errors{app="{{ target }}"}[{{ interval }}]'}
CUSTOM = {"name": "q", "templateRef": {"name": "errors"}}


class Counted(Prometheus):
    """A source that counts how often it was made."""

    made = 0

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        Counted.made += 1


class World:
    """The objects that metrics refer to, and an evaluator that sees them."""

    def __init__(self, context: Context, server: Server) -> None:
        self._context = context
        self.server = server
        self.templates: dict[tuple[str, str], MetricTemplate] = {}
        self.secrets: dict[tuple[str, str], Mapping[str, str]] = {}
        self.settings: dict[str, Any] = {"metrics_server": server.url}
        self.revisions: dict[tuple[str, str], str] = {}
        self.sources = {"prometheus": "flagger_controller.metrics.prometheus:Prometheus"}

    def template(
        self, query: str, namespace: str = "default", name: str = "errors", **provider: Any
    ) -> None:
        spec = {"type": "prometheus", "address": self.server.url, **provider}
        body = {"metadata": {"name": name}, "spec": {"provider": spec, "query": query}}
        self.templates[namespace, name] = MetricTemplate.model_validate(body)

    @property
    def evaluator(self) -> Evaluator:
        async def template(namespace: str, name: str) -> MetricTemplate:
            return _find(self.templates, namespace, name)

        async def secret(namespace: str, name: str) -> Mapping[str, str]:
            return _find(self.secrets, namespace, name)

        async def revision(namespace: str, name: str) -> str:
            return _find(self.revisions, namespace, name)

        lookups = Lookups(template, secret, revision)
        return Evaluator(self._context, lookups, Settings(**self.settings), self.sources)

    async def measure(self, canary: Canary, part: MetricPart) -> Measured | Unmeasured:
        return await self.evaluator.measure(canary, canary.analysis.metrics[0], part)


def _find(objects: Mapping[tuple[str, str], T], namespace: str, name: str) -> T:
    try:
        return objects[namespace, name]
    except KeyError:
        raise NotFound("not in the watch cache") from None


@pytest.fixture
def world(context: Context, prometheus: Server) -> World:
    return World(context, prometheus)


async def test_a_builtin_is_measured(world: World, canary: Build) -> None:
    world.server.series("99.5")
    assert await world.measure(canary(SUCCESS), BUILTIN) == Measured(99.5)
    (query,) = world.server.queries
    assert query == (
        ' sum( rate( istio_requests_total{ reporter="destination",'
        ' destination_workload_namespace="default", destination_workload=~"podinfo",'
        ' response_code!~"5.*" }[1m] ) ) / sum( rate( istio_requests_total{'
        ' reporter="destination", destination_workload_namespace="default",'
        ' destination_workload=~"podinfo" }[1m] ) ) * 100'
    )


@pytest.mark.parametrize(
    ("provider", "value", "milliseconds"),
    [("istio", "100", 100.0), ("kubernetes", "0.100", 100.0), ("nginx", "1515.7", 1515.7)],
)
async def test_durations_are_milliseconds(
    world: World, canary: Build, provider: str, value: str, milliseconds: float
) -> None:
    world.server.series(value)
    measured = await world.measure(canary(DURATION, provider=provider), BUILTIN)
    assert measured == Measured(milliseconds)


async def test_the_success_rate_of_apps_is_not_converted(world: World, canary: Build) -> None:
    world.server.series("99")
    measured = await world.measure(canary(SUCCESS, provider="kubernetes"), BUILTIN)
    assert measured == Measured(99)


@pytest.mark.parametrize(
    ("metric", "provider", "tail"),
    [
        (SUCCESS, "istio", ": running query failed: no values found"),
        (SUCCESS, "kubernetes", ": no values found"),
        (DURATION, "istio", ""),
    ],
)
async def test_no_traffic(
    world: World, canary: Build, metric: dict[str, Any], provider: str, tail: str
) -> None:
    world.server.series()
    assert await world.measure(canary(metric, provider=provider), BUILTIN) == Unmeasured(
        f"Halt advancement no values found for {provider} metric {metric['name']}"
        f" probably podinfo.default is not receiving traffic{tail}"
    )


async def test_a_failing_server_is_not_a_bad_value(world: World, canary: Build) -> None:
    world.server.answer = Response("overloaded", status=500)
    assert await world.measure(canary(SUCCESS), BUILTIN) == Unmeasured(
        "Prometheus query failed: running query failed: error response:"
        " Status 500 INTERNAL SERVER ERROR: overloaded",
        failed=True,
    )


async def test_the_canary_has_a_metrics_server_of_its_own(world: World, canary: Build) -> None:
    built = canary(SUCCESS, metricsServer=world.server.url)
    world.settings["metrics_server"] = "http://elsewhere.invalid"
    assert await world.measure(built, BUILTIN) == Measured(100)
    broken = canary(SUCCESS, metricsServer="elsewhere")
    assert await world.measure(broken, BUILTIN) == Unmeasured(
        "Error building Prometheus client for elsewhere"
        " prometheus address elsewhere is not a valid URL",
        failed=True,
    )


async def test_unknown_providers_are_told(world: World, canary: Build) -> None:
    world.settings["mesh_provider"] = "mesh"
    measured = await world.measure(canary(SUCCESS), BUILTIN)
    assert isinstance(measured, Unmeasured)
    assert measured.failed
    assert 'Prometheus query failed: no built-in metrics for provider "mesh"' in measured.text


async def test_an_inline_query_is_measured(world: World, canary: Build) -> None:
    world.server.series("3")
    assert await world.measure(canary(INLINE), QUERY) == Measured(3)
    assert world.server.queries == ['errors{app="podinfo"}[1m]']


async def test_inline_queries_fail(world: World, canary: Build) -> None:
    world.server.series()
    assert await world.measure(canary(INLINE), QUERY) == Unmeasured(
        "Halt advancement no values found for metric: q"
    )
    world.server.answer = Response("busy", status=503)
    assert await world.measure(canary(INLINE), QUERY) == Unmeasured(
        "Prometheus query failed for q: error response: Status 503 SERVICE UNAVAILABLE: busy",
        failed=True,
    )
    bad = {"name": "q", "query": "{{ nothing }}"}
    assert await world.measure(canary(bad), QUERY) == Unmeasured(
        'Prometheus query failed for q: template: line 1, column 4: function "nothing" not defined;'
        " the variables are ingress, interval, name, namespace, route, service, target, variables",
        failed=True,
    )


async def test_a_template_is_measured_with_its_secret(world: World, canary: Build) -> None:
    world.template('errors{ns="{{ namespace }}"}[{{ interval }}]', secretRef={"name": "login"})
    world.secrets["default", "login"] = {"token": "abc"}
    world.server.series("3")
    assert await world.measure(canary(CUSTOM), TEMPLATE) == Measured(3)
    (request,) = world.server.requests
    assert request.args["query"] == 'errors{ns="default"}[1m]'
    assert request.headers["Authorization"] == "Bearer abc"


async def test_a_source_is_kept_until_something_changes(world: World, canary: Build) -> None:
    """Secrets and templates are looked up at each check: what changed counts from the next on."""
    evaluator = world.evaluator
    metric = canary(CUSTOM).analysis.metrics[0]
    Counted.made = 0
    world.sources["counted"] = f"{__name__}:Counted"

    async def measure(token: str, **provider: Any) -> None:
        world.template("q", type="counted", secretRef={"name": "login"}, **provider)
        world.secrets["default", "login"] = {"token": token}
        assert await evaluator.measure(canary(CUSTOM), metric, TEMPLATE) == Measured(100)

    for number, token in enumerate(("old", "old", "new", "new")):
        await measure(token)
        assert world.server.requests[number].headers["Authorization"] == f"Bearer {token}"
    assert Counted.made == 2
    await measure("new", headers={"X-Scope-OrgID": ["tenant1"]})
    assert world.server.requests[4].headers["X-Scope-OrgID"] == "tenant1"
    assert Counted.made == 3


async def test_a_template_of_another_namespace(
    world: World, canary: Build, caplog: pytest.LogCaptureFixture
) -> None:
    reference = {"name": "errors", "namespace": "shared"}
    built = canary({"name": "q", "templateRef": reference})
    world.template('e{ns="{{ namespace }}"}', namespace="shared", secretRef={"name": "login"})
    world.secrets["shared", "login"] = {"token": "abc"}
    with caplog.at_level("DEBUG", "flagger_controller.metrics.templates"):
        assert await world.measure(built, TEMPLATE) == Measured(100)
    assert world.server.queries == ['e{ns="default"}']
    (record,) = (each for each in caplog.records if each.levelname == "DEBUG")
    assert record.getMessage() == 'Metric template errors.shared query: e{ns="default"}'
    assert vars(record)["canary"] == "podinfo.default"
    world.settings["cross_namespace"] = False
    assert await world.measure(built, TEMPLATE) == Unmeasured(
        "Metric template errors.shared error: can't access metric template errors.shared,"
        " cross-namespace references are blocked",
        failed=True,
    )


async def test_the_template_is_missing(world: World, canary: Build) -> None:
    missing = 'metrictemplate.flagger.app "errors" not found'
    assert await world.measure(canary(CUSTOM), TEMPLATE) == Unmeasured(
        f"Metric template errors.default error: {missing}", failed=True
    )
    assert await world.evaluator.check_providers(canary(CUSTOM)) == Answer(
        ok=False, error=f"metric template errors.default error: {missing}"
    )


async def test_the_secret_is_missing(world: World, canary: Build) -> None:
    world.template("q", secretRef={"name": "login"})
    title = "etric template errors.default secret login error"
    missing = f'{title}: secrets "login" not found'
    assert await world.measure(canary(CUSTOM), TEMPLATE) == Unmeasured(f"M{missing}", failed=True)
    checked = await world.evaluator.check_providers(canary(CUSTOM))
    assert checked == Answer(ok=False, error=f"m{missing}")


async def test_a_cluster_that_cannot_be_asked_is_no_answer(canary: Build, context: Context) -> None:
    async def broken(*_: str) -> Any:
        raise Retriable("API server is busy")

    evaluator = Evaluator(context, Lookups(broken, broken, broken), Settings())
    metric = canary(CUSTOM).analysis.metrics[0]
    for asked, part in ((canary(CUSTOM), TEMPLATE), (canary(SUCCESS, provider="knative"), BUILTIN)):
        with pytest.raises(Retriable, match="API server is busy"):
            await evaluator.measure(asked, metric, part)


@pytest.mark.parametrize(
    ("provider", "cause"),
    [
        ({"type": "datadog"}, 'unknown type "datadog": it is one of prometheus'),
        ({"address": "x"}, "prometheus address x is not a valid URL"),
    ],
)
async def test_the_provider_cannot_be_made(
    world: World, canary: Build, provider: dict[str, Any], cause: str
) -> None:
    world.template("q", **provider)
    kind = provider.get("type", "prometheus")
    text = f"etric template errors.default provider {kind} error: {cause}"
    assert await world.measure(canary(CUSTOM), TEMPLATE) == Unmeasured(f"M{text}", failed=True)
    checked = await world.evaluator.check_providers(canary(CUSTOM))
    assert checked == Answer(ok=False, error=f"m{text}")


async def test_the_template_cannot_be_rendered(world: World, canary: Build) -> None:
    world.template("{{ variables.team }}")
    assert await world.measure(canary(CUSTOM), TEMPLATE) == Unmeasured(
        "Metric template errors.default query render error:"
        ' template: line 1, column 4: map has no entry for key "team"; add it to templateVariables'
        ' of the metric, or write {{ index variables "team" }} where it may be missing',
        failed=True,
    )


class Remembered(Prometheus):
    """A source that remembers when the run began."""

    began: ClassVar[list[datetime | None]] = []

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        Remembered.began.append(setup.run_began)


@pytest.mark.parametrize(
    ("within", "started", "began"),
    [
        (True, "2026-05-01T12:00:00.250Z", datetime(2026, 5, 1, 12, 0, 0, 250_000, UTC)),
        (True, "", None),
        (False, "2026-05-01T12:00:00.250Z", None),
    ],
)
async def test_sources_learn_when_the_run_began_if_the_template_says_so(
    world: World, canary: Build, within: bool, started: str, began: datetime | None
) -> None:
    Remembered.began.clear()
    world.sources = {"prometheus": f"{__name__}:Remembered"}
    world.template("q", withinRun=within)
    status = CanaryStatus(run=Run(started_at=started))
    built = canary(CUSTOM).model_copy(update={"status": status})
    assert await world.measure(built, TEMPLATE) == Measured(100)
    assert Remembered.began == [began]


async def test_the_templates_query_fails(world: World, canary: Build) -> None:
    world.template("q")
    world.server.series()
    assert await world.measure(canary(CUSTOM), TEMPLATE) == Unmeasured(
        "Halt advancement no values found for custom metric: q: no values found"
    )
    world.server.answer = Response("bad", status=400)
    assert await world.measure(canary(CUSTOM), TEMPLATE) == Unmeasured(
        "Metric query failed for q: error response: Status 400 BAD REQUEST: bad", failed=True
    )


async def test_nothing_usable(world: World, canary: Build) -> None:
    assert await world.measure(canary({"name": "mystery"}), TEMPLATE) == Unmeasured(
        "Metric query failed for no usable metrics template and query were configured",
        failed=True,
    )


async def test_knative_judges_the_latest_revision(world: World, canary: Build) -> None:
    world.revisions["default", "podinfo"] = "podinfo-00002"
    await world.measure(canary(SUCCESS, provider="knative"), BUILTIN)
    assert 'envoy_cluster_name=~"default/podinfo-00002"' in world.server.queries[0]


async def test_a_global_knative_does_not_concern_other_canaries(
    world: World, canary: Build
) -> None:
    world.settings["mesh_provider"] = "knative"
    assert await world.measure(canary(SUCCESS, provider="istio"), BUILTIN) == Measured(100)


async def test_all_providers_are_available(world: World, canary: Build) -> None:
    world.server.series("1")
    world.template("q")
    checked = await world.evaluator.check_providers(canary(SUCCESS, INLINE, CUSTOM))
    assert checked == Answer(ok=True)
    assert world.server.queries == ["vector(1)", "vector(1)"]
    assert await world.evaluator.check_providers(canary()) == Answer(ok=True)


async def test_providers_are_not_available(world: World, canary: Build) -> None:
    world.server.answer = Response("down", status=502)
    cause = "error response: Status 502 BAD GATEWAY: down"
    checked = await world.evaluator.check_providers(canary(DURATION))
    assert checked == Answer(ok=False, error=f"prometheus not avaiable: {cause}")
    world.template("q")
    checked = await world.evaluator.check_providers(canary(CUSTOM))
    assert checked == Answer(
        ok=False,
        error=f"prometheus in metric template errors.default not avaiable: {cause}",
    )
    checked = await world.evaluator.check_providers(canary(SUCCESS, metricsServer="x"))
    assert checked == Answer(
        ok=False, error="prometheus not avaiable: prometheus address x is not a valid URL"
    )


async def test_secrets_stay_out_of_event_texts(world: World, canary: Build) -> None:
    world.template("q", secretRef={"name": "login"})
    world.secrets["default", "login"] = {"username": "me", "password": "hidden"}
    world.server.answer = Response("who is me:hidden?", status=401)
    measured = await world.measure(canary(CUSTOM), TEMPLATE)
    checked = await world.evaluator.check_providers(canary(CUSTOM))
    assert "hidden" not in f"{measured}{checked}"
