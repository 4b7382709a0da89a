"""Windows that do not look before the run, for templates that want it (sharp edge M13)."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from flagger_controller.api.metrictemplate import METRIC_SOURCES, MetricTemplateProvider
from flagger_controller.metrics.base import Context, Setup
from flagger_controller.metrics.templates import load

from .conftest import NOW

SECRET: Final = {
    "datadog_api_key": "a",
    "datadog_application_key": "b",
    "newrelic_account_id": "7",
    "newrelic_query_key": "a",
    "dynatrace_token": "a",
    "sf_token_key": "a",
}
AGES: Final[dict[str, Callable[[dict[str, str]], float]]] = {
    "datadog": lambda given: NOW.timestamp() - float(given["from"]),
    "dynatrace": lambda given: NOW.timestamp() - float(given["from"]) / 1000,
    "newrelic": lambda given: float(given["nrql"].split()[-3]),
}
"""How many seconds back a request asks."""
BODY: Final = {
    "series": [{"pointlist": [[1, 1]]}],
    "result": [{"data": [{"values": [1]}]}],
    "results": [{"result": 1}],
}
"""A value for each of them."""


def setup(context: Context, kind: str, address: str, age: float | None) -> Setup:
    provider = MetricTemplateProvider(type=kind, address=address, within_run=True)
    began = None if age is None else NOW - timedelta(seconds=age)
    return Setup(provider, SECRET, "100s", context, began)


@pytest.mark.parametrize(
    ("age", "asked"),
    [(None, None), (5000.0, None), (42.0, 42.0), (0.0, 1.0), (-3.0, 1.0)],
)
@pytest.mark.parametrize("kind", AGES)
async def test_a_window_begins_with_the_run(
    context: Context, httpserver: HTTPServer, kind: str, age: float | None, asked: float | None
) -> None:
    """Of a run that has just begun, or by another clock in the future, a second."""
    given: list[dict[str, str]] = []

    def answer(request: Request) -> Response:
        given.append(request.args.to_dict())
        return Response(json.dumps(BODY))

    for path in ("/api/v1/query", "/api/v2/metrics/query", "/v1/accounts/7/query"):
        httpserver.expect_request(path).respond_with_handler(answer)
    source = load(METRIC_SOURCES[kind])(setup(context, kind, httpserver.url_for("/"), age))
    assert await source.query("q") == 1
    usual = 100.0 if kind == "newrelic" else 1000.0
    assert AGES[kind](given[0]) == (usual if asked is None else asked)
