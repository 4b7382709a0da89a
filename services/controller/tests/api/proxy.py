"""A reverse proxy between a controller and the API server, which makes one write fail."""

import asyncio
import collections
import itertools
import json
import re
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import aiohttp
from aiohttp import web
from tools.cluster.controlplane import ControlPlane
from yarl import URL

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_PLACE = re.compile(r"/(?:api/v1|apis/[^/]+/[^/]+)(?:/namespaces/[^/]+)?/(?P<rest>.+)")
_HOP_BY_HOP = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})


class Fault(StrEnum):
    """What happens to a write."""

    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    LOST = "reply lost"
    CONFLICT = "409"
    ERROR = "500"
    BUSY = "429"
    SILENT = "no answer"

    @property
    def kills(self) -> bool:
        return self in (Fault.KILLED_BEFORE, Fault.KILLED_AFTER)


REASONS = {
    Fault.CONFLICT: "Conflict",
    Fault.ERROR: "InternalError",
    Fault.BUSY: "TooManyRequests",
}
"""The answers of the server that are made up."""
SWEPT = (Fault.KILLED_BEFORE, Fault.KILLED_AFTER, Fault.LOST, Fault.CONFLICT, Fault.ERROR)
"""What every write has to survive; to the rest the same applies, it only takes longer."""


@dataclass(frozen=True)
class Write:
    """A write as it can be found again in another run: the n-th one to an object."""

    what: str
    """`PATCH canaries/podinfo/status`."""
    number: int
    """Counted from 1."""

    def __str__(self) -> str:
        return f"{self.what} #{self.number}"


class FaultProxy:
    """Serves plain HTTP on loopback from a thread of its own; use it as a context manager."""

    def __init__(self, plane: ControlPlane) -> None:
        self._upstream = plane.url
        self._tls = ssl.create_default_context(cafile=str(plane.ca_file))
        self._counts: collections.Counter[str] = collections.Counter()
        self._planned: tuple[Write, Fault] | None = None
        self._kill: Callable[[], None] = lambda: None
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.url = ""
        self.writes: list[Write] = []
        self.struck = threading.Event()
        """The planned fault has happened."""

    def plan(self, write: Write, fault: Fault, kill: Callable[[], None] = lambda: None) -> None:
        """Let a write fail when it comes; `kill` ends the controller."""
        self._kill = kill
        self.struck.clear()
        self._planned = write, fault

    def next(self, what: str) -> Write:
        """The write to an object that comes next."""
        return Write(what, self._counts[what] + 1)

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
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        fault = self._next(request, body)
        if fault is None:
            return await self._forwarded(request, body)
        if fault is Fault.KILLED_BEFORE:
            return await self._dead(request)
        if fault in REASONS:
            self.struck.set()
            return _failure(fault)
        if fault is Fault.SILENT:
            self.struck.set()
            await asyncio.Event().wait()  # until the controller gives up
        async with self._sent(request, body) as answer:
            await answer.read()
        if fault is Fault.KILLED_AFTER:
            return await self._dead(request)
        self.struck.set()
        return _aborted(request)

    def _next(self, request: web.Request, body: bytes) -> Fault | None:
        """Count a write; the fault that is planned for it."""
        if request.method not in WRITES:
            return None
        what = f"{request.method} {_place(request, body)}"
        self._counts[what] += 1
        write = Write(what, self._counts[what])
        self.writes.append(write)
        if self._planned is not None and self._planned[0] == write:
            return self._planned[1]
        return None

    async def _dead(self, request: web.Request) -> web.StreamResponse:
        # This handler is cancelled when the controller's end of the connection is gone.
        await asyncio.to_thread(self._strike_dead)
        return _aborted(request)

    def _strike_dead(self) -> None:
        self._kill()
        self.struck.set()

    async def _forwarded(self, request: web.Request, body: bytes) -> web.StreamResponse:
        async with self._sent(request, body) as answer:
            response = web.StreamResponse(status=answer.status, headers=_kept(answer.headers))
            try:
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
            except (ConnectionError, aiohttp.ClientError):
                return _aborted(request)
            return response

    def _sent(self, request: web.Request, body: bytes) -> Any:
        return self._session.request(
            request.method,
            URL(self._upstream + request.raw_path, encoded=True),
            headers=_kept(request.headers),
            data=body or None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None),
        )


def _place(request: web.Request, body: bytes) -> str:
    """The object or collection, without its namespace; `services/podinfo` for a creation."""
    found = _PLACE.fullmatch(request.path)
    place = found["rest"] if found else request.path
    if place.partition("/")[0] == "events":
        return "events"  # their names are made up
    if request.method == "POST":
        return f"{place}/{json.loads(body)['metadata']['name']}"
    return place


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key.lower() not in _HOP_BY_HOP}


def _failure(fault: Fault) -> web.Response:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": f"the test refuses this write with {fault}",
        "reason": REASONS[fault],
        "code": int(fault),
    }
    headers = {"Retry-After": "2"} if fault is Fault.BUSY else {}
    return web.json_response(body, status=int(fault), headers=headers)


def _aborted(request: web.Request) -> web.Response:
    """Break the connection; the response goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def pairs(writes: list[Write]) -> list[tuple[Write, Fault]]:
    """Every write with everything that can happen to it.

    Names of Events are made up, so nobody else can have taken them: no conflict there.
    """
    made = itertools.product(writes, SWEPT)
    return [(w, f) for w, f in made if not (f is Fault.CONFLICT and w.what.endswith("events"))]
