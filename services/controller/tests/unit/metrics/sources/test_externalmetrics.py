"""The External Metrics API (metrics.md 9.12, conformance vector 13)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from flagger_controller.api.metrictemplate import MetricTemplateProvider
from flagger_controller.cluster.fake import FakeApi
from flagger_controller.cluster.http import HttpClient
from flagger_controller.cluster.login import Login
from flagger_controller.metrics import quantity
from flagger_controller.metrics.base import Context, Setup, SourceError, SourceTimeout
from flagger_controller.metrics.externalmetrics import ExternalMetrics

ROOT = "/apis/external.metrics.k8s.io/v1beta1"
PROVIDER = MetricTemplateProvider(type="externalmetrics")


@pytest.fixture
async def cluster(httpserver: HTTPServer) -> AsyncIterator[HttpClient]:
    """The client of our own cluster."""
    login = Login(httpserver.url_for("").rstrip("/"), authorization=lambda: "Bearer ours")
    client = HttpClient(login)
    yield client
    await client.close()


@pytest.mark.parametrize(
    ("query", "path", "selector"),
    [
        ("default/mine?labelSelector=label1%3Dvalue1", "default/mine", "label1=value1"),
        ("shop/mine?labelSelector=a in (b,c)\n", "shop/mine", "a in (b,c)"),
        ("/metric_only", "default/metric_only", None),
        ("metric_only", "default/metric_only", None),
        ("shop/datadogmetric@shop:x", "shop/datadogmetric@shop:x", None),
    ],
)
async def test_our_cluster_is_asked_as_ourselves(
    context: Context,
    cluster: HttpClient,
    httpserver: HTTPServer,
    query: str,
    path: str,
    selector: str | None,
) -> None:
    httpserver.expect_request(f"{ROOT}/namespaces/{path}").respond_with_json(
        {"items": [{"value": "1500m"}]}
    )
    source = ExternalMetrics(
        Setup(PROVIDER, {"token": "unused"}, "1m", replace(context, cluster=cluster))
    )
    assert await source.query(query) == 1.5
    request, _ = httpserver.log[0]
    assert request.headers["Authorization"] == "Bearer ours"
    assert request.args.get("labelSelector") == selector
    assert request.args["timeout"] == "5s"


@pytest.mark.parametrize(
    "query", ["namespaceonly/", "/", "", "a/b/c", "a/b\nc", "?labelSelector=a"]
)
async def test_other_forms_are_errors(context: Context, query: str) -> None:
    source = ExternalMetrics(Setup(PROVIDER, {}, "1m", context))
    with pytest.raises(SourceError, match=r"^error parsing query "):
        await source.query(query)


async def test_another_server_never_gets_our_token(
    context: Context, cluster: HttpClient, httpserver: HTTPServer
) -> None:
    """Upstream sends the controller's (M11)."""
    httpserver.expect_request(f"{ROOT}/namespaces/default/q").respond_with_json({"items": []})
    httpserver.expect_request(ROOT).respond_with_json({})
    provider = MetricTemplateProvider(type="externalmetrics", address=httpserver.url_for(""))
    source = ExternalMetrics(Setup(provider, {}, "1m", replace(context, cluster=cluster)))
    await source.online()
    assert "Authorization" not in httpserver.log[0][0].headers


async def test_what_the_api_server_says(
    context: Context, cluster: HttpClient, httpserver: HTTPServer
) -> None:
    status = {"kind": "Status", "code": 404, "reason": "NotFound", "message": "no such metric"}
    httpserver.expect_request(f"{ROOT}/namespaces/default/q").respond_with_json(status, status=404)
    source = ExternalMetrics(Setup(PROVIDER, {}, "1m", replace(context, cluster=cluster)))
    with pytest.raises(SourceError, match=r"^error querying external metrics API: no such metric$"):
        await source.query("q")
    with pytest.raises(SourceError, match=r"^error querying external metrics API: "):
        await source.online()


class Hanging(FakeApi):
    """An API server whose adapter does not answer."""

    async def read(
        self, path: str, params: Mapping[str, str] | None = None, *, seconds: float | None = None
    ) -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.looptime
async def test_silence_is_a_timeout(context: Context) -> None:
    source = ExternalMetrics(Setup(PROVIDER, {}, "1m", replace(context, cluster=Hanging())))
    with pytest.raises(SourceTimeout, match="no answer within 5 s"):
        await source.query("q")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("1500m", 1.5),
        ("2Ki", 2048),
        ("-1.5k", -1500),
        (".5", 0.5),
        ("3.", 3),
        ("1e3", 1000),
        ("12E-1", 1.2),
        ("7E", 7e18),
        ("1Mi", 1048576),
        ("500n", 5e-7),
        ("+2u", 2e-6),
    ],
)
def test_quantities(text: str, value: float) -> None:
    assert quantity.parse(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "m", "1 k", "1kk", "1KI", "0x1", "NaN", "1e"])
def test_no_quantities(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        quantity.parse(text)
