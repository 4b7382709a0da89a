"""The query API of Prometheus (metrics.md 9.2, conformance vectors 2 and 8)."""

import json
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from flagger_controller.api.metrictemplate import MetricTemplateProvider
from flagger_controller.errors import ConfigError
from flagger_controller.metrics import promql
from flagger_controller.metrics.base import Context, NoValues, Setup, SourceError
from flagger_controller.metrics.prometheus import Prometheus

from .conftest import Prometheus as Server


def provider(**fields: Any) -> MetricTemplateProvider:
    return MetricTemplateProvider.model_validate({"type": "prometheus", **fields})


@pytest.mark.parametrize(
    ("values", "value"),
    [
        (["100"], 100.0),
        (["1", "2"], 2.0),
        (["NaN", "5"], 5.0),
        (["7", 8], 7.0),
        (["1e3"], 1000.0),
        (["-0.5"], -0.5),
    ],
)
async def test_takes_the_last_number(
    context: Context, prometheus: Server, values: list[Any], value: float
) -> None:
    prometheus.series(*values)
    assert await Prometheus.at(prometheus.url, context).query("q") == value


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], "no values found"),
        (["NaN"], "no values found"),
        (["1", "NaN"], "no values found"),
        ([1], "no values found"),
        (["+Inf"], "no values found: the value is inf"),
        (["1", "-Inf"], "no values found: the value is -inf"),
    ],
)
async def test_has_no_values(
    context: Context, prometheus: Server, values: list[Any], text: str
) -> None:
    prometheus.series(*values)
    with pytest.raises(NoValues) as raised:
        await Prometheus.at(prometheus.url, context).query("q")
    assert str(raised.value) == text


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {}}, {"data": {"result": None}}])
async def test_missing_data_is_no_values(context: Context, prometheus: Server, body: Any) -> None:
    prometheus.answer = Response(json.dumps(body))
    with pytest.raises(NoValues):
        await Prometheus.at(prometheus.url, context).query("q")


async def test_a_matrix_is_too_much(context: Context, prometheus: Server) -> None:
    prometheus.result({"metric": {}, "values": [[1, "1"], [2, "2"]]})
    with pytest.raises(SourceError, match=r"^query returned multiple values$"):
        await Prometheus.at(prometheus.url, context).query("q")


@pytest.mark.parametrize(
    "body",
    [
        "not json",
        "[]",
        '{"data": {"resultType": "scalar", "result": [1, "1"]}}',
        '{"data": {"resultType": "string", "result": "text"}}',
        '{"data": {"result": [{"histogram": [1, {"count": "3"}]}]}}',
        '{"data": {"result": [{"value": [1]}]}}',
        '{"data": {"result": [{"value": [1, "many"]}]}}',
        "[" * 100_000,
    ],
)
async def test_nonsense_is_an_error(context: Context, prometheus: Server, body: str) -> None:
    prometheus.answer = Response(body)
    with pytest.raises(SourceError) as raised:
        await Prometheus.at(prometheus.url, context).query("q")
    text = str(raised.value)
    assert text.startswith("error unmarshaling result: ")
    assert body[:20] in text
    assert len(text) < 1000


async def test_statuses_are_errors_with_the_body(context: Context, prometheus: Server) -> None:
    prometheus.answer = Response("overloaded", status=500)
    expected = r"^error response: Status 500 INTERNAL SERVER ERROR: overloaded$"
    with pytest.raises(SourceError, match=expected):
        await Prometheus.at(prometheus.url, context).query("q")


async def test_unreachable_is_an_error(context: Context, unused_tcp_port: int) -> None:
    source = Prometheus.at(f"http://127.0.0.1:{unused_tcp_port}", context)
    with pytest.raises(SourceError, match=r"^request failed: Cannot connect"):
        await source.query("q")
    with pytest.raises(SourceError):
        await source.online()


@pytest.mark.parametrize("suffix", ["", "/", "?timeout=1"])
async def test_the_path_is_kept(context: Context, httpserver: HTTPServer, suffix: str) -> None:
    body = {"data": {"result": [{"value": [1, "3"]}]}}
    httpserver.expect_request("/select/0/api/v1/query").respond_with_json(body)
    address = httpserver.url_for("/select/0") + suffix
    assert await Prometheus.at(address, context).query('a{b="c&d=+ä#"}') == 3
    request, _ = httpserver.log[0]
    assert request.args.to_dict() == {"query": 'a{b="c&d=+ä#"}'}


async def test_online_evaluates_a_constant(context: Context, prometheus: Server) -> None:
    source = Prometheus.at(prometheus.url, context)
    prometheus.series("1")
    await source.online()
    assert prometheus.queries == ["vector(1)"]
    prometheus.series("2")
    with pytest.raises(SourceError, match=r"vector\(1\) is 2"):
        await source.online()
    prometheus.series()
    with pytest.raises(SourceError, match="no values found"):
        await source.online()


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ({"token": "abc"}, "Bearer abc"),
        ({"token": "abc\n", "username": "u", "password": "p"}, "Bearer abc"),
        ({"username": "u", "password": "p"}, "Basic dTpw"),
        ({"username": "u\n", "password": "p\n"}, "Basic dTpw"),
        ({"token": ""}, None),
    ],
)
async def test_credentials(
    context: Context, prometheus: Server, secret: dict[str, str], expected: str | None
) -> None:
    spec = provider(address=prometheus.url, secretRef={"name": "login"})
    await Prometheus(Setup(spec, secret, "1m", context)).query("q")
    assert prometheus.requests[0].headers.get("Authorization") == expected


@pytest.mark.parametrize(
    ("secret", "key"), [({"password": "p"}, "username"), ({"username": "u"}, "password")]
)
async def test_incomplete_credentials(context: Context, secret: dict[str, str], key: str) -> None:
    spec = provider(address="http://prometheus.test", secretRef={"name": "login"})
    with pytest.raises(ConfigError, match=f"^prometheus credentials does not contain a {key}$"):
        Prometheus(Setup(spec, secret, "1m", context))


async def test_a_secret_without_reference_is_ignored(context: Context, prometheus: Server) -> None:
    await Prometheus(
        Setup(provider(address=prometheus.url), {"token": "abc"}, "1m", context)
    ).query("q")
    assert "Authorization" not in prometheus.requests[0].headers


async def test_a_login_in_the_address(context: Context, prometheus: Server) -> None:
    address = prometheus.url.replace("http://", "http://u:p@")
    await Prometheus.at(address, context).query("q")
    assert prometheus.requests[0].headers["Authorization"] == "Basic dTpw"


async def test_headers_are_sent_and_do_not_accumulate(context: Context, prometheus: Server) -> None:
    headers = {"X-Scope-OrgID": ["tenant1"], "authorization": ["mine"]}
    spec = provider(address=prometheus.url, headers=headers, secretRef={"name": "login"})
    for _ in range(3):
        await Prometheus(Setup(spec, {"token": "abc"}, "1m", context)).query("q")
    for request in prometheus.requests:
        assert request.headers["X-Scope-OrgID"] == "tenant1"
        assert request.headers["Authorization"] == "Bearer abc"


@pytest.mark.parametrize("address", ["", "  ", "prometheus", "http://[bad"])
def test_bad_addresses(context: Context, address: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Prometheus(Setup(provider(address=address), {}, "1m", context))
    assert str(raised.value) == f"prometheus address {address.strip()} is not a valid URL"


async def test_a_missing_scheme_fails_when_queried(context: Context) -> None:
    with pytest.raises(SourceError, match='unsupported protocol scheme "prometheus"'):
        await Prometheus.at("prometheus:9090", context).query("q")


async def test_secrets_do_not_come_back_in_errors(context: Context, prometheus: Server) -> None:
    address = prometheus.url.replace("http://", "http://me:hidden-1@")
    spec = provider(address=address, secretRef={"name": "login"})
    prometheus.answer = Response("no: Bearer hidden-2, hidden-1", status=401)
    with pytest.raises(SourceError) as raised:
        await Prometheus(Setup(spec, {"token": "hidden-2"}, "1m", context)).query("q")
    assert "hidden" not in str(raised.value)
    assert "no: Bearer ***, ***" in str(raised.value)
    with pytest.raises(ConfigError) as invalid:
        Prometheus.at("//me:hidden-1@host", context)
    assert "hidden" not in str(invalid.value)


async def test_long_answers_are_cut_in_errors(context: Context, prometheus: Server) -> None:
    prometheus.answer = Response("x" * 10_000, status=400)
    with pytest.raises(SourceError) as raised:
        await Prometheus.at(prometheus.url, context).query("q")
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ("\n  sum(\n\t  x\n  )", " sum( x )"),
        ("a # to b\n/ b", "a / b"),
        ('a{b="c  d",e=~"#x"}  # end', 'a{b="c  d",e=~"#x"} '),
        ("a{b='c  d'} + b{c=`  #`}", "a{b='c  d'} + b{c=`  #`}"),
        ('a{b="\\"  #"}  ', 'a{b="\\"  #"} '),
    ],
)
def test_white_space_is_collapsed_outside_texts(query: str, sent: str) -> None:
    assert promql.collapse(query) == sent
