"""A loopback server in the place of a provider, and what sources need of the process."""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from flagger_controller import net
from flagger_controller.api.metrictemplate import METRIC_SOURCES, MetricTemplateProvider
from flagger_controller.cluster.fake import FakeApi
from flagger_controller.metrics.base import Context, MetricSource, Setup
from flagger_controller.metrics.templates import load

from .cases import NOW, Case


@pytest.fixture
async def context() -> AsyncIterator[Context]:
    async with net.Http() as http:
        yield Context(http, FakeApi(), lambda: datetime.fromtimestamp(NOW, UTC))


class Provider:
    """Answers whoever is authorised, and remembers what it was asked."""

    def __init__(self, server: HTTPServer) -> None:
        self._server = server
        self.requests: list[Request] = []
        self.headers: dict[str, str] = {}
        """What a request must have."""
        self.answers: dict[str, Response] = {}
        """By path; other paths are 404."""
        server.expect_request(re.compile(".*")).respond_with_handler(self._handle)

    @property
    def address(self) -> str:
        return self._server.url_for("").rstrip("/")

    def answer(self, path: str, body: str, status: int = 200) -> None:
        self.answers[path] = Response(body, status=status)

    def _handle(self, request: Request) -> Response:
        self.requests.append(request)
        if any(request.headers.get(name) != value for name, value in self.headers.items()):
            return Response(f"who is {dict(request.headers)}?", status=401)
        return self.answers.get(request.path, Response("404 page not found", status=404))


@pytest.fixture
def server(httpserver: HTTPServer) -> Provider:
    return Provider(httpserver)


Make = Callable[..., MetricSource]


@pytest.fixture
def make(context: Context, server: Provider) -> Make:
    """Make the source of a case; keywords are fields of the template's provider."""

    def source(
        case: Case,
        secret: Mapping[str, str] | None = None,
        *,
        interval: str = "100s",
        **fields: Any,
    ) -> MetricSource:
        reference = {"name": "login"}
        spec = {"type": case.type, "address": server.address, "secretRef": reference, **fields}
        provider = MetricTemplateProvider.model_validate(spec)
        given = case.secret if secret is None else secret
        return load(METRIC_SOURCES[case.type])(Setup(provider, given, interval, context))

    return source


@pytest.fixture
def answering(server: Provider) -> Callable[[Case], None]:
    """Let the server be the provider of a case."""

    def behave(case: Case) -> None:
        server.headers = dict(case.headers)
        server.answer(case.probe, case.probed)
        server.answer(case.path, case.answer)

    return behave
