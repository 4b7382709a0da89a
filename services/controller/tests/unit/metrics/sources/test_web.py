"""What sources over HTTP share: TLS, time-outs, cut answers, remarks."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterator

import pytest
import trustme
from pytest_httpserver import HTTPServer
from werkzeug import Response

from flagger_controller.api.metrictemplate import METRIC_SOURCES, MetricTemplateProvider
from flagger_controller.metrics import web
from flagger_controller.metrics.base import Context, Setup, SourceError, SourceTimeout
from flagger_controller.metrics.templates import load

ONE = {"data": {"result": [{"value": [1, "1"]}]}}
NUMBERS = [{"target": "a", "datapoints": [[1, 1]]}]
ANSWERS = {"prometheus": ONE, "graphite": NUMBERS, "externalmetrics": {"items": [{"value": "1"}]}}


@pytest.fixture
def https(authority: trustme.CA) -> Iterator[HTTPServer]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(tls)
    with HTTPServer(ssl_context=tls) as server:
        yield server


@pytest.mark.parametrize("kind", sorted(ANSWERS))
async def test_certificates(
    context: Context, https: HTTPServer, authority: trustme.CA, kind: str
) -> None:
    """Refused unless its authority is trusted, or verifying is switched off."""
    https.expect_request("/api/v1/query").respond_with_json(ANSWERS["prometheus"])
    https.expect_request("/render").respond_with_json(ANSWERS["graphite"])
    https.expect_request(
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/q"
    ).respond_with_json(ANSWERS["externalmetrics"])
    pem = authority.cert_pem.bytes().decode()

    async def ask(secret: dict[str, str], *, insecure: bool = False) -> float:
        spec = {
            "type": kind,
            "address": https.url_for(""),
            "secretRef": {"name": "login"} if secret else None,
            "insecureSkipVerify": insecure,
        }
        provider = MetricTemplateProvider.model_validate(spec)
        return await load(METRIC_SOURCES[kind])(Setup(provider, secret, "1m", context)).query("q")

    with pytest.raises(SourceError, match="tls: failed to verify certificate"):
        await ask({})
    assert await ask({}, insecure=True) == 1
    assert await ask({"ca.crt": pem}) == 1
    with pytest.raises(SourceError, match=r"the certificates to trust \(ca.crt\) are not PEM"):
        await ask({"ca.crt": "nonsense"})


@pytest.fixture
async def silence() -> AsyncIterator[str]:
    """A server that accepts and says nothing."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            pass
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_silence_is_a_timeout(context: Context, silence: str) -> None:
    client = web.Web(context.http, timeout=0.05)
    for asked in (client.get(silence), client.post(silence, {})):
        with pytest.raises(SourceTimeout, match=r"^request failed: context deadline exceeded"):
            await asked


async def test_an_answer_that_stops_is_a_timeout(context: Context) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        while await reader.read(1024):
            pass
        writer.close()

    async with await asyncio.start_server(stall, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(SourceTimeout, match=r"^error reading body: context deadline exceeded"):
            await web.Web(context.http, timeout=0.1).get(url)


async def test_answers_that_cannot_be_read_whole_are_errors(
    context: Context, httpserver: HTTPServer
) -> None:
    cut = Response("short")
    cut.headers["Content-Length"] = "500"
    httpserver.expect_request("/cut").respond_with_response(cut)
    httpserver.expect_request("/long").respond_with_data("x" * (4 * 1024 * 1024 + 1))
    client = web.Web(context.http)
    with pytest.raises(SourceError, match=r"^error reading body: "):
        await client.get(httpserver.url_for("/cut"))
    with pytest.raises(SourceError, match=r"^the answer is longer than 4194304 bytes$"):
        await client.get(httpserver.url_for("/long"))


def test_several_series_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    remarks = web.Remarks()
    with caplog.at_level(logging.WARNING):
        for count in (1, 2, 3):
            remarks.several(count, "last", "q{}")
    assert caplog.messages == [
        "2 series came back, the last one counts: aggregate them in the query: q{}"
    ]
