"""`KubeClient` over HTTP, for the few things we need: 0.2 ms of CPU a call, no generated classes.

Reads are retried within a deadline. A write is retried only when the server refused to look at
it (429); when its outcome is unknown the caller must observe again, so it is raised. A server
that says for how long it wants to be left alone (`Retry-After` of a 429) is left alone by all.
"""

import asyncio
import copy
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final, Self

import aiohttp
from yarl import URL

from flagger_common.version import __version__
from flagger_controller import urgency
from flagger_controller.cluster import sockets, wire
from flagger_controller.cluster.client import (
    ApiError,
    ApiUnavailable,
    Call,
    Fence,
    Object,
    Page,
    Ref,
    Resource,
)
from flagger_controller.cluster.heard import Heard, nobody
from flagger_controller.cluster.login import Login
from flagger_controller.cluster.throttle import Throttle
from flagger_controller.cluster.unanswered import translated
from flagger_controller.cluster.wire import (
    FIELD_MANAGER,
    JSON,
    PARTIAL,
    Request,
    decode_object,
    identified,
)
from flagger_controller.urgency import Rank

TOO_MANY: Final = 429


@dataclass(frozen=True)
class HttpSettings:
    """Limits and timings of the client; times in seconds."""

    qps: float = 500.0
    burst: int = 1000
    connections: int = 50
    """Calls at the same time; each connection costs memory, and the server a handshake."""
    timeout: float = 10.0
    """For one attempt, and for the start of a watch."""
    deadline: float = 30.0
    """For a call with all its attempts."""
    attempts: int = 4
    backoff: float = 0.5
    """First pause; doubled each time, plus up to as much again at random."""


class HttpClient:
    """A connection pool to one API server. Make it inside a running event loop and `close` it."""

    def __init__(
        self,
        login: Login,
        settings: HttpSettings | None = None,
        *,
        heard: Heard = nobody,
        jitter: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._login = login
        self._settings = settings or HttpSettings()
        self._throttle = Throttle(self._settings.qps, self._settings.burst)
        self._heard = heard
        self._jitter = jitter
        self._sleep = sleep
        self._fence: Fence | None = None
        self._calls = self._session(self._settings.connections)
        # They occupy connections for minutes; their number is limited by the cache.
        self._watches = self._session(0)

    def _session(self, connections: int) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connections, keepalive_timeout=30, socket_factory=sockets.watched
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"flagger/{__version__}", "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._settings.timeout),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._calls.close()
        await self._watches.close()

    def fenced(self, fence: Fence) -> Self:
        """The same client, whose writes a fence can stop right before they are sent."""
        other = copy.copy(self)
        other._fence = fence
        return other

    @property
    def waiting(self) -> int:
        """Requests that the rate limit holds back."""
        return self._throttle.waiting

    @property
    def server(self) -> str:
        """Address of the API server."""
        return self._login.server

    async def read(
        self, path: str, params: Mapping[str, str] | None = None, *, seconds: float | None = None
    ) -> Object:
        """GET anything else, such as `/version`."""
        call = Call("get", path)
        return decode_object(call, await self._call(Request(call, params or {}), seconds))

    async def get(self, ref: Ref) -> Object:
        """Read one object."""
        return await self._object(Request(Call("get", ref)))

    async def list(self, resource: Resource, namespace: str = "") -> list[Object]:
        """Read all objects of a kind, paged."""
        call = Call("list", Ref(resource, "", namespace))
        found: list[Object] = []
        token = ""
        while True:
            page = await self.page(resource, namespace, token=token)
            found += [decode_object(call, item) for item in page.items]
            token = page.token
            if not token:
                kind = {"apiVersion": resource.api_version, "kind": resource.kind}
                return [body | kind for body in found]

    async def create(self, ref: Ref, body: Object) -> Object:
        """Create."""
        return await self._object(
            Request(Call("create", ref), FIELD_MANAGER, identified(ref, body))
        )

    async def update(self, ref: Ref, body: Object, *, subresource: str = "") -> Object:
        """Replace."""
        call = Call("update", ref, subresource)
        return await self._object(Request(call, FIELD_MANAGER, identified(ref, body)))

    async def patch(self, ref: Ref, patch: Object, *, subresource: str = "") -> Object:
        """JSON merge patch."""
        call, content = Call("patch", ref, subresource), "application/merge-patch+json"
        return await self._object(Request(call, FIELD_MANAGER, patch, content))

    async def delete(self, ref: Ref, *, uid: str = "") -> None:
        """Delete."""
        options: Object = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        await self._call(Request(Call("delete", ref), {}, options))

    async def page(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        limit: int = 500,
        token: str = "",
        metadata_only: bool = False,
    ) -> Page:
        """Read one page of a consistent list."""
        params = {"limit": str(limit)} | ({"continue": token} if token else {})
        accept = PARTIAL.format("List") if metadata_only else JSON
        request = Request(Call("list", Ref(resource, "", namespace)), params, accept=accept)
        body = wire.decode_list(request.call, await self._call(request))
        items = [bytes(item) for item in body.items or ()]
        return Page(items, body.metadata.resource_version, body.metadata.token)

    @asynccontextmanager
    async def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        version: str,
        seconds: float,
        metadata_only: bool = False,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Stream watch events."""
        params = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(int(seconds)),
        }
        accept = PARTIAL.format("") if metadata_only else JSON
        request = Request(Call("watch", Ref(resource, "", namespace)), params, accept=accept)
        await self._throttle.wait(_rank(request.call))
        with self._reported(request.call):
            async with asyncio.timeout(self._settings.timeout):
                response = await self._send(self._watches, request)
                problem = b"" if response.ok else await response.read()
        self._answered(request.call, response)
        lines = self._lines(request.call, response)
        try:
            if not response.ok:
                raise self._failure(request.call, response, problem)
            yield lines
        finally:
            await lines.aclose()
            response.close()

    async def _lines(
        self, call: Call, response: aiohttp.ClientResponse
    ) -> AsyncGenerator[bytes, None]:
        rest = b""
        with translated(call, self._settings.timeout):
            # aiohttp's own lines have a maximal length; objects may be larger.
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield line

    async def _call(self, request: Request, seconds: float | None = None) -> bytes:
        clock = asyncio.get_running_loop().time
        deadline = clock() + (self._settings.deadline if seconds is None else seconds)
        pause = self._settings.backoff
        for attempt in range(1, self._settings.attempts + 1):
            await self._throttle.wait(_rank(request.call))
            if request.writes and self._fence is not None:
                self._fence()
            try:
                return await self._attempt(request)
            except ApiUnavailable as error:
                wait = max(error.retry_after, pause) + pause * self._jitter()
                hopeless = request.writes and error.status != TOO_MANY
                last = attempt == self._settings.attempts or clock() + wait > deadline
                if hopeless or last:
                    raise
                halted = _halts(error)  # then the throttle makes us wait, with everybody else
            if not halted:
                await self._sleep(wait)
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    async def _object(self, request: Request) -> Object:
        return decode_object(request.call, await self._call(request))

    async def _attempt(self, request: Request) -> bytes:
        with self._reported(request.call):
            async with asyncio.timeout(self._settings.timeout):
                async with await self._send(self._calls, request) as response:
                    body = await response.read()
        self._answered(request.call, response)
        if not response.ok:
            raise self._failure(request.call, response, body)
        return body

    async def _send(
        self, session: aiohttp.ClientSession, request: Request
    ) -> aiohttp.ClientResponse:
        # A PUT or DELETE on a connection that the server has just closed is sent again by
        # aiohttp. That is safe because of the preconditions that all of ours carry.
        headers = {"Accept": request.accept}
        if authorization := self._login.authorization():
            headers["Authorization"] = authorization
        if request.body is not None:
            headers["Content-Type"] = request.content
        return await session.request(
            request.method,
            URL(self._login.server + request.path, encoded=True),
            params=request.params,
            data=None if request.body is None else request.body_bytes(),
            headers=headers,
            ssl=self._login.tls or True,
            server_hostname=self._login.server_name or None,
            proxy=self._login.proxy or None,
            allow_redirects=False,
        )

    def _failure(self, call: Call, response: aiohttp.ClientResponse, body: bytes) -> ApiError:
        after = response.headers.get("Retry-After", "")
        error = wire.failure(call, response.status, response.reason or "", body, after)
        if _halts(error):
            self._throttle.halt(error.retry_after)
        return error

    def _answered(self, call: Call, response: aiohttp.ClientResponse) -> None:
        self._heard(call.verb, call.resource, str(response.status))

    @contextmanager
    def _reported(self, call: Call) -> Iterator[None]:
        """Tell who listens that there was no answer, and why."""
        try:
            with translated(call, self._settings.timeout):
                yield
        except ApiError as error:
            self._heard(call.verb, call.resource, str(error.kind))
            raise


def _rank(call: Call) -> Rank:
    """Everybody waits for the cache, whoever it was that needed a list or a watch first."""
    return urgency.FIRST if call.verb in ("list", "watch") else urgency.current()


def _halts(error: ApiError) -> bool:
    """The server wants to be left alone by all of us for a while.

    What is read by its path can be the answer of an adapter, as of metrics: not the server's.
    """
    place = error.call.place if error.call else ""
    return isinstance(place, Ref) and error.status == TOO_MANY and error.retry_after > 0
