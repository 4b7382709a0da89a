"""Graphite itself is asked, with carbon behind it (metrics.md 9.6)."""

from collections.abc import Callable, Iterator

import pytest
from tools.cluster import packages, settings

from flagger_controller.api.metrictemplate import MetricTemplateProvider
from flagger_controller.metrics.base import Context, NoValues, Setup, SourceError
from flagger_controller.metrics.graphite import Graphite

from . import graphite_server
from .test_documented import EXAMPLES, filled, kind_of

STEADY = {"app.podinfo.get.200.count": 90.0, "app.podinfo.get.500.count": 10.0}
ENDED = {"app.stopped.count": 7.0}

Ask = Callable[..., Graphite]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        packages.ensure(packages.GRAPHITE)
    except settings.ClusterError as error:
        pytest.skip(f"needs the Debian packages graphite-carbon and graphite-web: {error}")
    with graphite_server.running(tmp_path_factory.mktemp("graphite"), STEADY, ENDED) as url:
        yield url


@pytest.fixture
def source(address: str, context: Context) -> Ask:
    """The source with the login that the server wants, or with another password."""

    def make(password: str = graphite_server.LOGIN[1]) -> Graphite:
        spec = {"type": "graphite", "address": address, "secretRef": {"name": "login"}}
        secret = {"username": graphite_server.LOGIN[0], "password": password}
        return Graphite(Setup(MetricTemplateProvider.model_validate(spec), secret, "1m", context))

    return make


async def test_the_documented_query(source: Ask) -> None:
    (example,) = (each for each in EXAMPLES if kind_of(each) == "graphite")
    assert await source().query(filled(example)) == 10


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("target=sumSeries(app.podinfo.*.*.count)&from=-2min", 100),
        ("target=app.podinfo.*.*.count&from=-2min", 10),
        ("target=app.stopped.count&from=-19min", 7),
        ("target=app.stopped.count&target=app.podinfo.get.200.count&from=-2min", 90),
        ("target=app.podinfo.get.200.count&target=app.stopped.count&from=-2min", 90),
        ("target=constantLine(3)&target=constantLine(5)", 5),
        ("target=constantLine(3)&format=csv", 3),
        ("target=alias(constantLine(3), '#1;2%25 50%')", 3),
        ("\n  target=sumSeries(\n    app.podinfo.*.*.count\n  )\n  &from=-2min\n", 100),
    ],
)
async def test_values(source: Ask, query: str, value: float) -> None:
    assert await source().query(query) == value


@pytest.mark.parametrize(
    "query",
    [
        "target=app.unknown.count&from=-2min",
        "target=app.stopped.count&from=-2min",
        "target=removeAboveValue(app.podinfo.get.200.count, 1)&from=-2min",
        "target=divideSeries(app.podinfo.get.200.count, scale(app.podinfo.get.200.count, 0))",
        "target=scale(scale(app.podinfo.get.200.count, 1e308), 1e308)&from=-2min",
    ],
)
async def test_no_values(source: Ask, query: str) -> None:
    with pytest.raises(NoValues):
        await source().query(query)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("target=unheardOf(app.stopped.count)", "Received request for unknown function: unheardOf"),
        ("target=app.stopped.count&from=yesteryear", "Unknown day reference: yesteryear"),
    ],
)
async def test_what_graphite_does_not_understand(source: Ask, query: str, text: str) -> None:
    with pytest.raises(SourceError, match=f"^error response: .*{text}"):
        await source().query(query)


async def test_the_probe(source: Ask) -> None:
    await source().online()


async def test_who_has_another_password_is_told(source: Ask) -> None:
    for ask in (source("other-word").online, lambda: source("other-word").query("target=test")):
        with pytest.raises(SourceError) as raised:
            await ask()
        assert str(raised.value) == "error response: Basic *** may not"
