"""SignalFlow over a web socket (metrics.md 9.11)."""

import gzip
import struct
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from flagger_controller import net, websocket
from flagger_controller.api.metrictemplate import MetricTemplateProvider
from flagger_controller.errors import ConfigError
from flagger_controller.metrics import signalflow
from flagger_controller.metrics.base import Context, NoValues, Setup, SourceError
from flagger_controller.metrics.splunk import Splunk

from .conftest import NOW

TOKEN = "token-1"
END = {"type": "control-message", "channel": "ch-1", "event": "END_OF_CHANNEL"}
START = {"type": "control-message", "channel": "ch-1", "event": "JOB_START"}
Frame = dict[str, Any] | bytes


def data(*points: tuple[int, int, Any], version: int = 1, packed: bool = False) -> bytes:
    """A data message; points are kind, time series and value."""
    body = struct.pack(">q" if version == 1 else ">qq", *([1] if version == 1 else [1, 2]))
    body += struct.pack(">I", len(points))
    for kind, series, value in points:
        body += struct.pack(">BQ", kind, series) + struct.pack(">d" if kind == 2 else ">q", value)
    head = struct.pack(">BBBB16s", version, 5, 1 if packed else 0, 0, b"ch-1")
    return head + (gzip.compress(body) if packed else body)


class Stream:
    """A server that speaks SignalFlow as far as we do."""

    def __init__(self) -> None:
        self.address = ""
        self.frames: list[Frame] = []
        """What follows the request to execute; then the connection is closed."""
        self.executed: list[dict[str, Any]] = []
        self.probed: list[web.Request] = []

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        first = await socket.receive_json()
        if first != {"type": "authenticate", "token": TOKEN}:
            await socket.close(code=4401)
            return socket
        await socket.send_json({"type": "authenticated", "userId": "u", "orgId": "o"})
        self.executed.append(await socket.receive_json())
        for frame in self.frames:
            await (
                socket.send_bytes(frame) if isinstance(frame, bytes) else socket.send_json(frame)
            )
        await socket.close()
        return socket

    async def metric(self, request: web.Request) -> web.Response:
        self.probed.append(request)
        return web.Response(status=200 if request.headers.get("X-SF-Token") == TOKEN else 401)


@pytest.fixture
async def stream() -> AsyncIterator[Stream]:
    found = Stream()
    app = web.Application()
    app.router.add_get("/v2/signalflow/connect", found.connect)
    app.router.add_get("/v2/metric", found.metric)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


Make = Callable[..., Splunk]


@pytest.fixture
def make(context: Context, stream: Stream) -> Make:
    def source(
        token: str = TOKEN, interval: str = "100s", run_began: datetime | None = None
    ) -> Splunk:
        provider = MetricTemplateProvider(type="splunk", address=stream.address)
        return Splunk(Setup(provider, {"sf_token_key": token}, interval, context, run_began))

    return source


async def test_the_newest_point_of_the_one_series(stream: Stream, make: Make) -> None:
    stream.frames = [
        START,
        {"type": "metadata", "channel": "ch-1", "tsId": "x", "properties": {}},
        data((2, 7, 1.5)),
        data((0, 7, 0), (2, 7, 2.5), version=2, packed=True),
        data((0, 7, 0)),
        END,
    ]
    assert await make().query("data('x').publish()\n") == 2.5
    stop = int(NOW.timestamp() * 1000)
    assert stream.executed == [
        {
            "type": "execute",
            "channel": "ch-1",
            "program": "data('x').publish()\n",
            "start": stop - 1_000_000,
            "stop": stop,
            "resolution": 0,
            "maxDelay": 0,
            "immediate": True,
            "timezone": "",
        }
    ]


async def test_a_window_begins_with_the_run(stream: Stream, make: Make) -> None:
    stream.frames = [data((2, 7, 1)), END]
    await make(run_began=NOW - timedelta(seconds=42)).query("p")
    (executed,) = stream.executed
    assert executed["stop"] - executed["start"] == 42_000


@pytest.mark.parametrize("point", [(1, 7, -3), (2, 7, -3.0), (3, 7, -3)])
async def test_kinds_of_numbers(stream: Stream, make: Make, point: tuple[int, int, Any]) -> None:
    stream.frames = [data(point), END]
    assert await make().query("p") == -3


@pytest.mark.parametrize(
    "frames",
    [[END], [data(), END], [data((0, 7, 0), (9, 8, 0)), END], [data((2, 7, float("inf"))), END]],
)
async def test_no_values(stream: Stream, make: Make, frames: list[Frame]) -> None:
    stream.frames = frames
    with pytest.raises(NoValues, match=r"^no values found"):
        await make().query("p")


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        (
            [data((2, 7, 1.0), (2, 8, 1.0)), END],
            "invalid response: query returned multiple values",
        ),
        (
            [{"type": "error", "error": 400, "errorType": "BAD", "message": "no such metric"}],
            "error executing query: 400 (BAD): no such metric",
        ),
        ([{"type": "message"}], "error executing query: the server has closed the connection;"),
        ([b"short"], "error executing query: unreadable message: a binary message is broken"),
        ([data((2, 7, 1.0))[:-1]], "error executing query: unreadable message"),
        ([data((2, 7, 1.0), packed=True)[:-9]], "error executing query: unreadable message"),
    ],
)
async def test_errors(stream: Stream, make: Make, frames: list[Frame], text: str) -> None:
    stream.frames = frames
    with pytest.raises(SourceError) as raised:
        await make().query("p")
    assert str(raised.value).startswith(text)


async def test_a_rejected_token_is_an_error(stream: Stream, make: Make) -> None:
    """Upstream finds no values."""
    with pytest.raises(SourceError, match="is the token valid"):
        await make("other").query("p")
    stream.frames = [{"type": "error", "error": 7, "message": f"who is {TOKEN}?"}]
    with pytest.raises(SourceError, match=r"who is \*\*\*\?"):
        await make().query("p")
    with pytest.raises(SourceError, match="401"):
        await make("other").online()


async def test_online_lists_a_metric(stream: Stream, make: Make) -> None:
    await make().online()
    assert stream.probed[0].query_string == "limit=1"


async def test_who_does_not_speak_it_is_an_error(context: Context, unused_tcp_port: int) -> None:
    address = f"http://127.0.0.1:{unused_tcp_port}"
    provider = MetricTemplateProvider(type="splunk", address=address)
    source = Splunk(Setup(provider, {"sf_token_key": TOKEN}, "1m", context))
    with pytest.raises(SourceError, match=r"^error executing query: Cannot connect"):
        await source.query("p")


async def test_silence_ends_at_the_deadline(context: Context, stream: Stream) -> None:
    request = net.Request("GET", f"{stream.address}/v2/signalflow/connect", timeout=0.2)
    async with websocket.connect(context.http, request) as socket:
        with pytest.raises(net.TimedOut, match="no answer within 200ms"):
            await socket.receive()  # the server waits for a token


def test_addresses(context: Context) -> None:
    """The stream is beside the API; both names lead to both."""
    for address in ("https://api.us1.signalfx.com", "wss://stream.us1.signalfx.com"):
        provider = MetricTemplateProvider(type="splunk", address=address)
        source = Splunk(Setup(provider, {"sf_token_key": TOKEN}, "1m", context))
        assert source.stream == "https://stream.us1.signalfx.com/v2/signalflow/connect"
        assert source.api == "https://api.us1.signalfx.com/v2/metric"
    with pytest.raises(ConfigError, match=r"^splunk credentials does not contain sf_token_key$"):
        Splunk(Setup(provider, {}, "1m", context))
    with pytest.raises(ConfigError, match=r"^error parsing metric interval: "):
        Splunk(Setup(provider, {"sf_token_key": TOKEN}, "", context))


def test_messages_that_are_none() -> None:
    for raw in ("[]", "no JSON", b""):
        with pytest.raises(ValueError, match=r"."):
            signalflow.decode(raw)
    assert signalflow.decode(struct.pack(">BBBB16s", 1, 4, 0, 0, b"")) == {}
