"""Canaries, a client and a scripted Prometheus for the tests of metrics."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from flagger_controller import clock, net
from flagger_controller.api.canary import Canary
from flagger_controller.cluster.fake import FakeApi
from flagger_controller.metrics.base import Context

Build = Callable[..., Canary]


@pytest.fixture
async def context() -> AsyncIterator[Context]:
    async with net.Http() as http:
        yield Context(http, FakeApi(), clock.utc)


@pytest.fixture
def canary() -> Build:
    """Build a Canary `podinfo` in `default`; keywords are fields of its spec (camelCase)."""

    def build(*metrics: dict[str, Any], **spec: Any) -> Canary:
        body: dict[str, Any] = {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
            "service": {"port": 80},
            "analysis": {"metrics": list(metrics)},
            **spec,
        }
        metadata = {"name": "podinfo", "namespace": "default"}
        return Canary.from_api({"metadata": metadata, "spec": body})

    return build


class Prometheus:
    """A server that answers every query alike and remembers what it was asked."""

    def __init__(self, server: HTTPServer) -> None:
        self._server = server
        self.requests: list[Request] = []
        self.answer = Response()
        self.series("100")
        server.expect_request("/api/v1/query").respond_with_handler(self._handle)

    def _handle(self, request: Request) -> Response:
        self.requests.append(request)
        return self.answer

    @property
    def url(self) -> str:
        return self._server.url_for("").rstrip("/")

    @property
    def queries(self) -> list[str]:
        return [request.args["query"] for request in self.requests]

    def result(self, *result: Any) -> None:
        """Answer with these series."""
        data = {"resultType": "vector", "result": list(result)}
        self.answer = Response(json.dumps({"status": "success", "data": data}))

    def series(self, *values: Any) -> None:
        """Answer with one series for each value."""
        self.result(*({"metric": {}, "value": [1, value]} for value in values))


@pytest.fixture
def prometheus(httpserver: HTTPServer) -> Prometheus:
    return Prometheus(httpserver)
