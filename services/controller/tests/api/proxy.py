"""A reverse proxy between a controller and the API server, which makes one write fail."""

import asyncio
import contextlib
import json
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Self

import aiohttp
from aiohttp import web
from tools.cluster.controlplane import ControlPlane
from yarl import URL

from .faults import WRITES, Counter, Fault, Write
from .streams import Stream, Streams, expired

HELD = 12.0
"""Seconds; clients give up after ten."""
USER = "flagger"
"""Whose requests they are when they do not say."""
LATE = 3.0
"""Seconds for which a server that lists the past does not go on."""
_HOP_BY_HOP = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})
_REASONS = {
    Fault.CONFLICT: (409, "Conflict"),
    Fault.BUSY: (429, "TooManyRequests"),
    Fault.ERROR: (500, "InternalError"),
}


class FaultProxy:
    """Serves plain HTTP on loopback from a thread of its own; use it as a context manager."""

    def __init__(self, plane: ControlPlane, *, held: float = HELD) -> None:
        self._upstream = plane.url
        self._held = held
        """Seconds without a reply, or of silence in a stream."""
        # Go clients send no credentials without TLS; Python clients send theirs.
        self._usual = {"Authorization": f"Bearer {plane.tokens[USER]}"}
        self._tls = ssl.create_default_context(cafile=str(plane.ca_file))
        self._counter = Counter()
        self._planned: tuple[Write, Fault] | None = None
        self._strike: Callable[[], None] = lambda: None
        self._streams = Streams()
        self._revisions: list[str] = []
        """Of the statuses of Canaries, as they were written."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.url = ""
        self.writes: list[Write] = []
        self.met = threading.Event()
        """The write that is to fail has come."""
        self.struck = threading.Event()
        """The planned fault has happened."""

    def plan(self, write: Write, fault: Fault, strike: Callable[[], None] = lambda: None) -> None:
        """Let something fail when a write comes; `strike` ends or stops the controller."""
        self._strike = strike
        self.met.clear()
        self.struck.clear()
        self._planned = write, fault

    def next(self, what: str) -> Write:
        """The write to an object that comes next."""
        return self._counter.upcoming(what)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        # Without cancellation a watch of a dead controller would last until its next event.
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1)
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
            self._session = session
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self._ready.set()
            await self._stop.wait()
            for task in self._tasks:
                task.cancel()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.method in WRITES:
            return await self._write(request, body)
        if request.query.get("watch") in ("1", "true"):
            return await self._watch(request)
        if revision := self._streams.past(request.path):
            self.struck.set()
            return await self._forward(request, params=_as_of(request, revision))
        return await self._forward(request, body)

    # Writes

    async def _write(self, request: web.Request, body: bytes) -> web.StreamResponse:
        write = self._counter.next(request.method, request.path, body)
        self.writes.append(write)
        if self._planned is None or self._planned[0] != write:
            return await self._deliver(request, body)
        fault = self._planned[1]
        self.met.set()
        if fault in _REASONS:
            self.struck.set()
            return _failure(*_REASONS[fault])
        return await self._faults[fault](self, request, body)

    async def _deliver(self, request: web.Request, body: bytes) -> web.Response:
        async with self._sent(request, body) as answer:
            content = await answer.read()
        if answer.ok and "/canaries/" in request.path:
            self._revisions.append(json.loads(content)["metadata"]["resourceVersion"])
        return web.Response(status=answer.status, headers=_kept(answer.headers), body=content)

    async def _killed_before(self, request: web.Request, body: bytes) -> web.StreamResponse:
        await self._struck_down()
        return _aborted(request)

    async def _killed_after(self, request: web.Request, body: bytes) -> web.StreamResponse:
        await self._deliver(request, body)
        await self._struck_down()
        return _aborted(request)

    async def _lost(self, request: web.Request, body: bytes) -> web.StreamResponse:
        await self._deliver(request, body)
        self.struck.set()
        return _aborted(request)

    async def _timed_out(self, request: web.Request, body: bytes) -> web.StreamResponse:
        # The client goes away meanwhile, and this handler with it.
        return await asyncio.shield(self._begin(self._deliver_late(request, body)))

    async def _deliver_late(self, request: web.Request, body: bytes) -> web.StreamResponse:
        await asyncio.sleep(self._held)
        response = await self._deliver(request, body)
        self.struck.set()
        return response

    async def _paused(self, request: web.Request, body: bytes) -> web.StreamResponse:
        await asyncio.to_thread(self._strike)
        response = await self._deliver(request, body)
        self.struck.set()
        return response

    async def _struck_down(self) -> None:
        # This handler is cancelled when the controller's end of the connection is gone.
        await asyncio.to_thread(self._kill)

    def _kill(self) -> None:
        self._strike()
        self.struck.set()

    async def _frozen(self, request: web.Request, body: bytes) -> web.StreamResponse:
        self._streams.freeze()
        self._begin(self._thaw())
        self.struck.set()
        return await self._deliver(request, body)

    async def _thaw(self) -> None:
        await asyncio.sleep(self._held)
        self._streams.thaw()

    async def _gone(self, request: web.Request, body: bytes) -> web.StreamResponse:
        response = await self._deliver(request, body)
        self._streams.expire()
        return response

    async def _stale(self, request: web.Request, body: bytes) -> web.StreamResponse:
        response = await self._deliver(request, body)
        self._streams.expire(self._revisions[max(0, len(self._revisions) - 2)])
        return response

    _faults: Mapping[
        Fault, Callable[["FaultProxy", web.Request, bytes], Awaitable[web.StreamResponse]]
    ] = {
        Fault.BEFORE: _killed_before,
        Fault.AFTER: _killed_after,
        Fault.LOST: _lost,
        Fault.TIMEOUT: _timed_out,
        Fault.PAUSED: _paused,
        Fault.FROZEN: _frozen,
        Fault.GONE: _gone,
        Fault.STALE: _stale,
    }

    # Reads

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        if self._streams.has_expired(request.path):
            if not self._streams.lists_past(request.path):
                self.struck.set()
            return expired()
        if "sendInitialEvents" in request.query and self._streams.lists_past(request.path):
            return _failure(422, "Invalid")  # a client that lists by watching lists as usual then
        with self._streams.opened(request) as stream:
            if self._streams.is_late(request.path):
                await asyncio.sleep(LATE)
            return await self._forward(request, stream=stream)

    async def _forward(
        self,
        request: web.Request,
        body: bytes = b"",
        *,
        params: Mapping[str, str] | None = None,
        stream: Stream | None = None,
    ) -> web.StreamResponse:
        async with self._sent(request, body, params) as answer:
            response = web.StreamResponse(status=answer.status, headers=_kept(answer.headers))
            try:
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    if stream is None or not stream.frozen:
                        await response.write(chunk)
                await response.write_eof()
            except (ConnectionError, aiohttp.ClientError):
                return _aborted(request)
            return response

    @contextlib.asynccontextmanager
    async def _sent(
        self, request: web.Request, body: bytes, params: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        url = URL(self._upstream + request.raw_path, encoded=True)
        async with self._session.request(
            request.method,
            url if params is None else url.with_query(params),
            headers=self._usual | _kept(request.headers),
            data=body or None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None),
        ) as answer:
            try:
                yield answer
            finally:
                _abandon(answer)

    def _begin(self, work: Any) -> "asyncio.Task[Any]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _abandon(answer: aiohttp.ClientResponse) -> None:
    """Break the connection of an answer that is not complete.

    Its graceful end would take longer than the loop is there.
    """
    connection = answer.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()


def _as_of(request: web.Request, revision: str) -> dict[str, str]:
    exactly = {"resourceVersion": revision, "resourceVersionMatch": "Exact"}
    return {key: value for key, value in request.query.items() if key != "continue"} | exactly


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key.lower() not in _HOP_BY_HOP}


def _failure(code: int, reason: str) -> web.Response:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": f"the test refuses this with {code}",
        "reason": reason,
        "code": code,
    }
    headers = {"Retry-After": "2"} if code == 429 else {}
    return web.json_response(body, status=code, headers=headers)


def _aborted(request: web.Request) -> web.Response:
    """Break the connection; the response goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
