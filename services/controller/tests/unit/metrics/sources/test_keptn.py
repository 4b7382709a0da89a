"""Keptn's objects (metrics.md 9.10, conformance vector 12)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from flagger_controller import net
from flagger_controller.api.metrictemplate import MetricTemplateProvider
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.cluster.fake import FakeApi, Write
from flagger_controller.metrics import keptn
from flagger_controller.metrics.base import Context, NoValues, Setup, SourceError, SourceTimeout
from flagger_controller.metrics.keptn import Keptn

METRIC = Ref(resources.KEPTN_METRICS, "errors", "shop")


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
async def source(api: FakeApi) -> AsyncIterator[Keptn]:
    async with net.Http() as http:
        context = Context(http, api, lambda: datetime.now(UTC))
        yield Keptn(Setup(MetricTemplateProvider(type="keptn"), {}, "1m", context))


@pytest.mark.parametrize("query", ["keptnmetric/shop/errors", " KeptnMetrics/shop/errors/5m\n"])
async def test_a_metric(api: FakeApi, source: Keptn, query: str) -> None:
    api.put(METRIC, {"status": {"value": "2.5"}})
    assert await source.query(query) == 2.5


@pytest.mark.parametrize("status", [{}, {"value": ""}])
async def test_a_metric_without_a_value_is_an_error(
    api: FakeApi, source: Keptn, status: dict[str, Any]
) -> None:
    api.put(METRIC, {"status": status})
    with pytest.raises(SourceError, match=r"^no value found in resource KeptnMetric errors.shop$"):
        await source.query("keptnmetric/shop/errors")


async def test_metrics_that_are_no_numbers(api: FakeApi, source: Keptn) -> None:
    api.put(METRIC, {"status": {"value": "many"}})
    with pytest.raises(SourceError, match="is no number: 'many'"):
        await source.query("keptnmetric/shop/errors")
    api.put(METRIC, {"status": {"value": "NaN"}})
    with pytest.raises(NoValues):
        await source.query("keptnmetric/shop/errors")


@pytest.mark.parametrize(
    "query", ["", "/", "keptnmetric", "keptnmetric/shop", "keptnmetric//x", "job/shop/x"]
)
async def test_other_forms_are_errors(source: Keptn, query: str) -> None:
    with pytest.raises(SourceError, match=r"write keptnmetric/<namespace>/<name>"):
        await source.query(query)


async def test_the_cluster_refuses(api: FakeApi, source: Keptn) -> None:
    with pytest.raises(SourceError, match="not found"):
        await source.query("keptnmetric/shop/errors")
    api.faults.forbidden.add(resources.KEPTN_ANALYSES)
    with pytest.raises(SourceError, match="forbidden"):
        await source.query("analysis/shop/errors")
    with pytest.raises(SourceError, match="404 page not found"):
        await source.online()


Finish = Callable[[dict[str, Any]], Callable[[Write], Awaitable[None]]]


@pytest.fixture
def finish(api: FakeApi) -> Finish:
    """Keptn: gives an Analysis its status a moment after it was made."""

    def hook(status: dict[str, Any]) -> Callable[[Write], Awaitable[None]]:
        async def completed(write: Write) -> None:
            if write.verb == "create":
                body = api.object(write.ref)
                assert body is not None
                api.put(write.ref, {**body, "status": status})

        return completed

    return hook


@pytest.mark.parametrize(
    ("query", "timeframe", "arguments"),
    [
        ("analysis/default/my-analysis", "1m", {}),
        ("analyses/default/my-analysis/5m", "5m", {}),
        (
            "Analysis/default/my-analysis/5m/foo=bar;bar=foo;odd;a=b=c",
            "5m",
            {"foo": "bar", "bar": "foo"},
        ),
    ],
)
@pytest.mark.parametrize(("passed", "value"), [(True, 1.0), (False, 0.0), (None, 0.0)])
async def test_an_analysis(
    api: FakeApi,
    source: Keptn,
    finish: Finish,
    query: str,
    timeframe: str,
    arguments: dict[str, str],
    passed: bool | None,
    value: float,
) -> None:
    api.after_write(finish({"state": "Completed", "pass": passed}))
    assert await source.query(query) == value
    made, deleted = api.applied()
    assert (made.verb, deleted.verb, deleted.ref) == ("create", "delete", made.ref)
    assert made.ref.namespace == "default"
    assert made.ref.name.removeprefix("my-analysis-").isalnum()
    assert made.body["spec"] == {
        "analysisDefinition": {"name": "my-analysis"},
        "timeframe": {"recent": timeframe},
        "args": arguments,
    }


@pytest.mark.looptime
async def test_an_analysis_that_never_ends(api: FakeApi, source: Keptn, finish: Finish) -> None:
    api.after_write(finish({"state": "Progressing"}))
    before = asyncio.get_running_loop().time()
    with pytest.raises(SourceTimeout, match="is not completed after 10 seconds"):
        await source.query("analysis/default/my-analysis")
    assert asyncio.get_running_loop().time() - before == keptn.DEADLINE
    assert not api.memory.objects


@pytest.mark.looptime
async def test_an_analysis_whose_wait_is_cut_off_goes(api: FakeApi, source: Keptn) -> None:
    query = asyncio.ensure_future(source.query("analysis/default/my-analysis"))
    await asyncio.sleep(3)
    assert api.memory.objects
    query.cancel()
    with pytest.raises(asyncio.CancelledError):
        await query
    assert not api.memory.objects


async def test_an_analysis_whose_reply_is_lost_goes(api: FakeApi, source: Keptn) -> None:
    def lose(write: Write) -> None:
        if write.verb == "create":
            api.faults.down = True

    def back(write: Write) -> None:
        if write.verb == "delete":
            api.faults.down = False

    api.after_write(lose)
    api.before_write(back)
    with pytest.raises(SourceError):
        await source.query("analysis/default/my-analysis")
    assert not api.memory.objects


async def test_an_analysis_that_cannot_be_deleted_has_its_verdict(
    api: FakeApi, source: Keptn, finish: Finish, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(write: Write) -> None:
        api.faults.down = write.verb == "delete"

    api.after_write(finish({"state": "Completed", "pass": True}))
    api.before_write(refuse)
    assert await source.query("analysis/default/my-analysis") == 1
    assert "stays" in caplog.text
