"""The HTTP endpoints, on a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from flagger_controller.metrics.recorder import CONTENT_TYPE
from flagger_controller.operator.server import Server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def nothing() -> bytes:
    return b""


class Bench:
    """A server, and whether the process behind it is ready."""

    def __init__(self) -> None:
        self.port = free_port()
        self.ready = asyncio.Event()
        self.page = b"flagger_info 1\n"
        self.server = Server(
            self.port,
            metrics=self._rendered,
            content_type=CONTENT_TYPE,
            ready=self.ready.is_set,
        )

    async def _rendered(self) -> bytes:
        return self.page

    async def ask(self, path: str, method: str = "GET") -> tuple[int, str, str]:
        """Status, body and content type."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"http://127.0.0.1:{self.port}{path}") as reply,
        ):
            return reply.status, await reply.text(), reply.headers.get("Content-Type", "")


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    found = Bench()
    await found.server.start()
    yield found
    await found.server.stop()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_healthz(bench: Bench, method: str) -> None:
    status, text, _ = await bench.ask("/healthz", method)
    assert (status, text) == (200, "OK")


async def test_readyz_follows_the_watch(bench: Bench) -> None:
    status, text, _ = await bench.ask("/readyz")
    assert (status, text) == (503, "the watch of canaries has not started yet")
    assert (await bench.ask("/healthz"))[0] == 200
    bench.ready.set()
    status, text, _ = await bench.ask("/readyz")
    assert (status, text) == (200, "OK")


async def test_metrics_are_rendered_for_each_request(bench: Bench) -> None:
    assert await bench.ask("/metrics") == (200, "flagger_info 1\n", CONTENT_TYPE)
    bench.page = b"flagger_info 2\n"
    assert await bench.ask("/metrics") == (200, "flagger_info 2\n", CONTENT_TYPE)


@pytest.mark.parametrize("lines", [100, 100_000])
async def test_metrics_are_compressed_for_those_who_ask(bench: Bench, lines: int) -> None:
    bench.page = b"flagger_info 1\n" * lines
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.get(f"http://127.0.0.1:{bench.port}/metrics") as reply,
    ):
        assert reply.headers["Content-Encoding"] in ("gzip", "deflate")
        assert len(await reply.read()) < len(bench.page) / 10
    headers = {"Accept-Encoding": "identity"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"http://127.0.0.1:{bench.port}/metrics") as reply,
    ):
        assert "Content-Encoding" not in reply.headers
        assert await reply.read() == bench.page


@pytest.mark.parametrize("path", ["/", "/unknown", "/healthz/", "/metrics/", "/debug/pprof/"])
async def test_anything_else_is_not_found(bench: Bench, path: str) -> None:
    assert (await bench.ask(path))[0] == 404


async def test_requests_leave_no_trace_in_the_log(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    caplog.clear()
    await bench.ask("/healthz")
    assert [record for record in caplog.records if record.name.startswith("aiohttp")] == []


async def test_it_stops(bench: Bench) -> None:
    await bench.server.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await bench.ask("/healthz")
    await bench.server.stop()


async def test_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))  # noqa: S104 (so that nobody else listens there)
        taken.listen()
        server = Server(
            taken.getsockname()[1], metrics=nothing, content_type=CONTENT_TYPE, ready=lambda: True
        )
        with pytest.raises(OSError, match="address already in use"):
            await server.start()
        await server.stop()


async def test_a_server_that_never_started_can_be_stopped() -> None:
    await Server(1, metrics=nothing, content_type="", ready=lambda: True).stop()
