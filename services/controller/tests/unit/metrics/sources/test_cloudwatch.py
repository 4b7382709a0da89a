"""CloudWatch against moto's server (metrics.md 9.5, conformance vector 14)."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from pytest_httpserver import HTTPServer

from flagger_controller.api.metrictemplate import MetricTemplateProvider
from flagger_controller.errors import ConfigError
from flagger_controller.metrics.base import Context, NoValues, Setup, SourceError
from flagger_controller.metrics.cloudwatch import CloudWatch

PROVIDER = MetricTemplateProvider(type="cloudwatch", region="eu-central-1")
NOW = datetime.now(UTC).replace(second=30, microsecond=0)
"""Moto forgets what is old."""


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials in the environment, and no others."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")


@pytest.fixture
def source(context: Context) -> CloudWatch:
    return CloudWatch(Setup(PROVIDER, {}, "1m", replace(context, now=lambda: NOW)))


def stat(name: str, key: str = "e1", **members: Any) -> dict[str, Any]:
    metric = {"namespace": "Shop", "metricName": name, "Dimensions": [{"name": "a", "VALUE": "b"}]}
    return {
        "id": key,
        "MetricStat": {"metric": metric, "period": 60, "stat": "Average", "unknown": 1},
        "Unknown": {},
        **members,
    }


def put(address: str, name: str, *ages: int) -> None:
    """Values at so many seconds before now; each is its age."""
    client = boto3.client("cloudwatch", region_name=PROVIDER.region, endpoint_url=address)
    data = [
        {
            "MetricName": name,
            "Dimensions": [{"Name": "a", "Value": "b"}],
            "Timestamp": NOW - timedelta(seconds=age),
            "Value": float(age),
        }
        for age in ages
    ]
    client.put_metric_data(Namespace="Shop", MetricData=data)


async def test_nothing_from_before_the_run(
    moto: str, monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    put(moto, "before", 150)
    setup = Setup(PROVIDER, {}, "1m", replace(context, now=lambda: NOW))
    assert await CloudWatch(setup).query(json.dumps([stat("before")])) == 150.0
    began = NOW - timedelta(seconds=42)
    with pytest.raises(NoValues):
        await CloudWatch(replace(setup, run_began=began)).query(json.dumps([stat("before")]))


@pytest.mark.parametrize(
    ("ages", "value"), [((10, 90, 150, 400), 90.0), ((10,), 10.0), ((150, 400), 150.0)]
)
async def test_the_newest_complete_value(
    moto: str,
    monkeypatch: pytest.MonkeyPatch,
    context: Context,
    ages: tuple[int, ...],
    value: float,
) -> None:
    """Moto begins its periods at the start of the window: the last of these is not over."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    source = CloudWatch(Setup(PROVIDER, {}, "59s", replace(context, now=lambda: NOW)))
    name = f"newest-{len(ages)}-{ages[0]}"
    put(moto, name, *ages)
    assert await source.query(json.dumps([stat(name)])) == value


async def test_nothing_was_measured(
    moto: str, monkeypatch: pytest.MonkeyPatch, source: CloudWatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    put(moto, "old", 700)
    for queries in ([stat("old")], [stat("never")], [stat("x", returnData=False)]):
        with pytest.raises(NoValues, match=r"^no values found: invalid response$"):
            await source.query(json.dumps(queries))


@pytest.mark.parametrize("query", ["", "no JSON", "{}", "[1]", '[{"MetricStat": 1}]', "[" * 99999])
async def test_queries_that_cannot_be_read(source: CloudWatch, query: str) -> None:
    with pytest.raises(SourceError, match=r"^error unmarshaling query: "):
        await source.query(query)


async def test_the_sdk_refuses_a_query(source: CloudWatch) -> None:
    with pytest.raises(SourceError, match=r"^error requesting cloudwatch: Parameter validation"):
        await source.query('[{"Period": "60"}]')


async def test_the_window_is_ten_intervals(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, source: CloudWatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", httpserver.url_for(""))
    httpserver.expect_request("/").respond_with_data(status=500)
    with pytest.raises(SourceError, match=r"^error requesting cloudwatch: .*reached max retries"):
        await source.query("[]")
    requests = [request for request, _ in httpserver.log]
    assert len(requests) == 3
    sent = requests[0].get_data(as_text=True)
    for time in (NOW, NOW - timedelta(minutes=10)):
        assert str(int(time.timestamp())) in sent or time.strftime("%Y-%m-%dT%H%%3A%M") in sent


def refusal(status: int, code: str) -> dict[str, Any]:
    headers = {"x-amzn-errortype": code, "x-amzn-query-error": f"{code};Sender"}
    body = json.dumps({"__type": code, "message": "hidden-2 no"})
    return {"response_data": body, "status": status, "headers": headers}


@pytest.mark.parametrize(
    ("status", "code", "online"),
    [
        (400, "ValidationError", True),
        (400, "InvalidParameterValue", True),
        (400, "UnrecognizedClientException", False),
        (400, "ExpiredTokenException", False),
        (403, "AccessDenied", False),
    ],
)
async def test_online(
    httpserver: HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    source: CloudWatch,
    status: int,
    code: str,
    online: bool,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", httpserver.url_for(""))
    httpserver.expect_request("/").respond_with_data(**refusal(status, code))
    if online:
        await source.online()
    else:
        with pytest.raises(SourceError, match=rf"^unexpected status code: .*{code}"):
            await source.online()
    assert "hidden-1" not in httpserver.log[0][0].get_data(as_text=True)


async def test_nobody_is_there(
    monkeypatch: pytest.MonkeyPatch, source: CloudWatch, unused_tcp_port: int
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(SourceError, match=r"^error requesting cloudwatch: Could not connect"):
        await source.query("[]")
    with pytest.raises(SourceError, match=r"^unexpected error: Could not connect"):
        await source.online()


async def test_no_credentials(monkeypatch: pytest.MonkeyPatch, source: CloudWatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SourceError, match="Unable to locate credentials"):
        await source.query("[]")


def test_what_is_mandatory(context: Context) -> None:
    with pytest.raises(ConfigError, match=r"^region not specified$"):
        CloudWatch(Setup(MetricTemplateProvider(type="cloudwatch"), {}, "1m", context))
    with pytest.raises(ConfigError, match=r"^error parsing metric interval: "):
        CloudWatch(Setup(PROVIDER, {}, "", context))
