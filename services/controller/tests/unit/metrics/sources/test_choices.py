"""Which value of an answer counts, source by source (metrics.md 9.3 to 9.9, 14)."""

import json
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from flagger_controller.api.metrictemplate import MetricTemplateProvider
from flagger_controller.errors import ConfigError
from flagger_controller.metrics.base import Context, Setup, SourceError
from flagger_controller.metrics.datadog import Datadog
from flagger_controller.metrics.dynatrace import Dynatrace
from flagger_controller.metrics.graphite import Graphite
from flagger_controller.metrics.influxdb import InfluxDB
from flagger_controller.metrics.newrelic import NewRelic
from flagger_controller.metrics.splunk import Splunk

from .conftest import NOW

KEYS = {"datadog_api_key": "a", "datadog_application_key": "b"}
HEADER = "#datatype,string,long,{},string\n#group,false,false,false,true\n#default,_result,,{},\n"


def provider(kind: str, **fields: Any) -> MetricTemplateProvider:
    return MetricTemplateProvider.model_validate({"type": kind, **fields})


def ago(seconds: float) -> float:
    return (NOW.timestamp() - seconds) * 1000


@pytest.mark.parametrize(
    ("points", "length", "value"),
    [
        ([[ago(90), 1.0], [ago(60), 2.0], [ago(30), 3.0]], 30, 3.0),
        ([[ago(90), 1.0], [ago(60), 2.0], [ago(29), 3.0]], 30, 2.0),
        ([[ago(60), 2.0], [ago(30), None]], 30, 2.0),
        ([[ago(60), None], [ago(10), 3.0]], 30, 3.0),
        ([[ago(60), 2.0], [ago(10), 3.0]], None, 3.0),
    ],
)
async def test_datadogs_newest_complete_point(
    context: Context, httpserver: HTTPServer, points: list[Any], length: Any, value: float
) -> None:
    """Upstream takes the oldest one, from ten intervals ago (M13)."""
    series = [{"pointlist": points, "interval": length}, {"pointlist": [[ago(60), 9]]}]
    httpserver.expect_request("/api/v1/query").respond_with_json({"series": series})
    spec = provider("datadog", address=httpserver.url_for("/"))
    assert await Datadog(Setup(spec, KEYS, "1m", context)).query("q") == value


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_slash_at_the_end_of_an_address(
    context: Context, httpserver: HTTPServer, slash: str
) -> None:
    httpserver.expect_request("/eu/api/v1/validate").respond_with_data()
    httpserver.expect_request("/eu/v1/accounts/7/query").respond_with_json({"results": []})
    httpserver.expect_request("/eu/api/v2/metrics").respond_with_data()
    httpserver.expect_request("/eu/v2/metric").respond_with_data()
    address = httpserver.url_for("/eu") + slash
    relic = {"newrelic_account_id": "7", "newrelic_query_key": "k"}
    await Datadog(Setup(provider("datadog", address=address), KEYS, "1m", context)).online()
    await NewRelic(Setup(provider("newrelic", address=address), relic, "1m", context)).online()
    token = {"dynatrace_token": "t", "sf_token_key": "t"}
    await Dynatrace(Setup(provider("dynatrace", address=address), token, "1m", context)).online()
    await Splunk(Setup(provider("splunk", address=address), token, "1m", context)).online()
    httpserver.check_assertions()
    assert all(response.status_code == 200 for _, response in httpserver.log)


async def test_newrelic_asks_about_one_interval(context: Context, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/accounts/7/query").respond_with_json({"results": []})
    secret = {"newrelic_account_id": "7", "newrelic_query_key": "k"}
    spec = provider("newrelic", address=httpserver.url_for(""))
    for interval in ("1m", "1.5h", "300ms"):
        await NewRelic(Setup(spec, secret, interval, context)).online()
    assert [request.args["nrql"] for request, _ in httpserver.log] == [
        "SELECT * FROM Metric SINCE 60 seconds ago",
        "SELECT * FROM Metric SINCE 5400 seconds ago",
        "SELECT * FROM Metric SINCE 1 seconds ago",
    ]


def test_addresses_that_have_no_default(context: Context) -> None:
    secret = {"dynatrace_token": "t", "sf_token_key": "t"}
    with pytest.raises(ConfigError, match=r"^dynatrace endpoint is not set$"):
        Dynatrace(Setup(provider("dynatrace"), secret, "1m", context))
    with pytest.raises(ConfigError, match=r"^splunk endpoint is not set$"):
        Splunk(Setup(provider("splunk"), secret, "1m", context))
    for kind, made in (("graphite", Graphite), ("influxdb", InfluxDB)):
        with pytest.raises(ConfigError, match=f"^{kind} address x is not a valid URL$"):
            made(Setup(provider(kind, address="x"), {}, "1m", context))


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ("target=test", b"format=json&target=test"),
        ("target=a&format=csv&from=-2min", b"format=json&from=-2min&target=a"),
        ("target=a&\n  from=-2min\n", b"format=json&from=-2min&target=a"),
        ("target=b&target=a", b"format=json&target=b&target=a"),
        ("target=a+b", b"format=json&target=a+b"),
        ("target=disk;dc=x", b"format=json&target=disk%3Bdc%3Dx"),
        ("target=color(a,'#f00')&x=1", b"format=json&target=color(a,'%23f00')&x=1"),
        ("target=alias(a,'50%')", b"format=json&target=alias(a,'50%25')"),
        ("target=alias(\n a,\n 'x  y')", b"format=json&target=alias(+a,+'x++y')"),
    ],
)
async def test_graphites_query_string(
    context: Context, httpserver: HTTPServer, query: str, sent: bytes
) -> None:
    """Upstream drops what it cannot decode, and cuts at a `#`."""
    httpserver.expect_request("/g/render").respond_with_json([{"datapoints": [["3", "1"]]}])
    spec = provider("graphite", address=httpserver.url_for("/g/"))
    assert await Graphite(Setup(spec, {}, "1m", context)).query(query) == 3
    assert httpserver.log[0][0].query_string == sent
    assert "Authorization" not in httpserver.log[0][0].headers


async def test_graphites_last_number(context: Context, httpserver: HTTPServer) -> None:
    points = [[10, 1495732210], [75, 1495732220], [25, 1495732230], [100, 1495732240]]
    answer = [{"target": "sumSeries(app.http.*.*.count)", "datapoints": points}]
    httpserver.expect_request("/render").respond_with_json(answer)
    source = Graphite(
        Setup(provider("graphite", address=httpserver.url_for("")), {}, "1m", context)
    )
    assert await source.query("target=sumSeries(app.http.*.*.count)&from=-2min") == 100


@pytest.mark.parametrize(
    ("body", "status", "online"), [("[]", 200, True), ("[", 200, False), ("[]", 400, False)]
)
async def test_graphite_is_online_without_data(
    context: Context, httpserver: HTTPServer, body: str, status: int, online: bool
) -> None:
    httpserver.expect_request("/render").respond_with_data(body, status=status)
    source = Graphite(
        Setup(provider("graphite", address=httpserver.url_for("")), {}, "1m", context)
    )
    if online:
        await source.online()
    else:
        with pytest.raises(SourceError):
            await source.online()
    assert httpserver.log[0][0].query_string == b"format=json&target=test"


@pytest.mark.parametrize(
    ("kind", "default", "cell", "value"),
    [
        ("double", "", "2.5", 2.5),
        ("long", "", "7", 7.0),
        ("unsignedLong", "", "7", 7.0),
        ("double", "4.5", "", 4.5),
    ],
)
async def test_influxdbs_numbers(
    context: Context, httpserver: HTTPServer, kind: str, default: str, cell: str, value: float
) -> None:
    """Integers count as well, as those of `count()` (M7); annotations give defaults."""
    rows = f',result,table,_value,tag\n,,0,{cell},"a, b"\n'
    text = HEADER.format(kind, default) + rows
    httpserver.expect_request("/api/v2/query").respond_with_data(f"{text}\n{text}")
    spec = provider("influxdb", address=httpserver.url_for(""))
    assert await InfluxDB(Setup(spec, {}, "1m", context)).query("q") == value
    request = httpserver.log[0][0]
    assert (request.args["org"], request.headers["Authorization"]) == ("", "Token ")


async def test_influxdb_is_asked_without_a_bucket(context: Context, httpserver: HTTPServer) -> None:
    text = HEADER.format("double", "") + ",result,table,_value,tag\n,,0,1,x\n"
    httpserver.expect_request("/api/v2/query").respond_with_data(text)
    spec = provider("influxdb", address=httpserver.url_for(""))
    await InfluxDB(Setup(spec, {}, "1m", context)).online()
    assert "bucket" not in json.loads(httpserver.log[0][0].data)["query"]
