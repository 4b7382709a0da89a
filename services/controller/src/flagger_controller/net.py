"""Outbound HTTP to all but the Kubernetes API: metric sources, hooks, chats.

One place for what every such call needs: a deadline, a limit on the answer, proxies, TLS options,
redirects that do not lose the body, and errors whose text carries no address (web hook addresses
are secrets). Without an opinion on which status is a success: callers know.
"""

import asyncio
import functools
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, Self, TypedDict

import aiohttp
from yarl import URL

from flagger_common import durations
from flagger_common.version import __version__
from flagger_controller.errors import FlaggerError, Retriable
from flagger_controller.proxies import Proxies

DEFAULT_TIMEOUT: Final = 5.0
"""Seconds for one call, answer included, unless the caller says otherwise (metrics.md 9.2)."""
DEFAULT_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of an answer that are read; a receiver must not be able to exhaust our memory."""
AUTHORITY: Final = "ca.crt"
"""Key of a Secret with certificates (PEM) to trust instead of the system's."""
MAX_REDIRECTS: Final = 10
_CONNECT_TIMEOUT: Final = 30.0
_CLOSE_TIMEOUT: Final = 0.5
USER_AGENT: Final = f"flagger/{__version__}"
_DROPS_BODY: Final = (301, 302, 303)
_KEEPS_BODY: Final = (307, 308)
_HARMLESS_HEADERS: Final = ("content-type", "accept")


class CallError(FlaggerError):
    """There is no answer; the text says why, without the address."""


class Unreachable(CallError, Retriable):
    """Connection refused, name not found, time is up: the same call may succeed later."""


class TimedOut(Unreachable):
    """There was no answer before the deadline."""


class Unusable(CallError):
    """Bad address, header or certificate, or a redirect: the same call fails again."""


@dataclass(frozen=True)
class Request:
    """One call. Addresses and headers may hold secrets, so they stay out of the repr."""

    method: Literal["GET", "POST"]
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Sent as they are; a name may repeat."""
    body: bytes | None = field(default=None, repr=False)
    timeout: float = DEFAULT_TIMEOUT
    """Seconds for the whole call; zero or less: no deadline."""
    verify: bool = True
    """Verify certificate and host name of a TLS server."""
    authority: str = field(default="", repr=False)
    """Certificates to trust, as PEM, instead of the system's."""
    proxy: str = field(default="", repr=False)
    """Use this proxy whatever the environment says."""
    direct: bool = False
    """Ignore the proxies of the environment."""
    limit: int = DEFAULT_LIMIT
    """Bytes of the answer's body to read."""


@dataclass(frozen=True)
class Reply:
    """The answer of a server, whatever its status."""

    status: int
    reason: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Names in lower case; the last of repeated ones."""
    body: bytes = b""
    complete: bool = True
    """False: the body is longer than the limit and was cut."""
    broken: str = ""
    """Why the body could not be read to its end; empty: it was."""
    overdue: bool = False
    """The body could not be read to its end before the deadline."""

    @property
    def text(self) -> str:
        """The body as text; bytes that are no UTF-8 are replaced."""
        return self.body.decode(errors="replace")


class _Connection(TypedDict):
    """How a server is reached."""

    ssl: ssl.SSLContext | bool
    proxy: URL | None


class Http:
    """The client; an async context manager, because its connections must be closed.

    GET keeps connections for reuse. POST does not: a kept connection that the server closes at
    the very moment of use fails the call, and a hook must not be repeated to find out.
    """

    def __init__(self, proxies: Proxies | None = None) -> None:
        self._proxies = proxies or Proxies()
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        for method in ("GET", "POST"):
            self._sessions[method] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=method == "POST"),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT),
                headers={"User-Agent": USER_AGENT},
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._sessions:
            await self._sessions.popitem()[1].close()

    async def call(self, request: Request) -> Reply:
        """Send the request, follow redirects that keep it whole, and read the answer.

        Raises:
            Unreachable: no connection or no answer in time.
            Unusable: the address, a header, the certificate or a redirect is at fault.
        """
        _check_headers(request.headers)
        now = asyncio.get_running_loop().time()
        deadline = now + request.timeout if request.timeout > 0 else None
        with translated(request):
            return await self._follow(request, deadline)

    async def upgrade(self, request: Request) -> aiohttp.ClientWebSocketResponse:
        """Ask the server for a web socket; for `websocket`, which keeps the deadline."""
        url = _address(request.url)
        return await self._sessions["GET"].ws_connect(
            url,
            headers=request.headers,
            max_msg_size=request.limit,
            timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_TIMEOUT),
            **self._connection(request, url),
        )

    async def _follow(self, request: Request, deadline: float | None) -> Reply:
        url, headers = _address(request.url), request.headers
        if any(name.lower() == "authorization" for name, _ in headers):
            url = url.with_user(None)
        for _ in range(MAX_REDIRECTS + 1):
            async with asyncio.timeout_at(deadline):
                response = await self._send(request, url, headers)
            try:
                location = _redirection(request, response)
                if location is None:
                    return await _read(response, request, deadline)
            finally:
                response.close()
            following = _address(str(url.join(location)))
            if following.origin() != url.origin():
                headers = tuple(h for h in headers if h[0].lower() in _HARMLESS_HEADERS)
            url = following
        raise Unusable(f"stopped after {MAX_REDIRECTS} redirects")

    async def _send(
        self, request: Request, url: URL, headers: tuple[tuple[str, str], ...]
    ) -> aiohttp.ClientResponse:
        return await self._sessions[request.method].request(
            request.method,
            url,
            headers=headers,
            data=request.body,
            allow_redirects=False,
            **self._connection(request, url),
        )

    def _connection(self, request: Request, url: URL) -> _Connection:
        environment = "" if request.direct else self._proxies.choose(url)
        trusted = trust(request.authority) if request.verify and request.authority else None
        return {
            "ssl": trusted or request.verify,
            "proxy": _proxy(request.proxy or environment),
        }


@contextmanager
def translated(request: Request) -> Iterator[None]:
    """Say of every failure to get an answer what kind it is: a `CallError`, without the address."""
    try:
        yield
    except aiohttp.ServerTimeoutError as error:
        raise TimedOut("connection timed out") from error
    except TimeoutError as error:
        raise TimedOut(_overdue(request)) from error
    except aiohttp.ClientConnectorCertificateError as error:
        reason = f"tls: failed to verify certificate: {error.certificate_error}"
        raise Unusable(reason) from error
    except (aiohttp.InvalidURL, ValueError) as error:
        raise Unusable("the address or a header is not valid") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unreachable(str(error) or type(error).__name__) from error


@functools.lru_cache(maxsize=64)
def trust(authority: str) -> ssl.SSLContext:
    """What to verify servers with; the same text gives the same, so that connections are shared.

    Raises:
        Unusable: it has no certificates.
    """
    try:
        if not authority:  # means the system's to `ssl`
            raise ValueError("no certificates")
        return ssl.create_default_context(cadata=authority)
    except (ssl.SSLError, ValueError) as error:
        raise Unusable(f"the certificates to trust ({AUTHORITY}) are not PEM") from error


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret replaced; servers like to repeat in errors what they got."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def shorten(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8, cut between characters, with a mark that it was cut."""
    raw = text.encode(errors="replace")
    return text if len(raw) <= limit else raw[: limit - 3].decode(errors="ignore") + "…"


def _address(text: str) -> URL:
    if any(ord(char) < 0x20 or char == "\x7f" for char in text):
        raise Unusable("net/url: invalid control character in URL")
    url = URL(text)
    if url.scheme not in ("http", "https"):
        raise Unusable(f'unsupported protocol scheme "{url.scheme}"')
    if not url.host:
        raise Unusable("no Host in request URL")
    return url


def _check_headers(headers: Iterable[tuple[str, str]]) -> None:
    for name, value in headers:
        if any(char in value for char in "\r\n\0"):
            raise Unusable(f'net/http: invalid header field value for "{name}"')


def _proxy(text: str) -> URL | None:
    if not text:
        return None
    url = URL(text if "://" in text else f"http://{text}")
    if url.scheme not in ("http", "https"):
        raise Unusable(f"proxies of the kind {url.scheme} are not supported: use an HTTP proxy")
    return url


def _redirection(request: Request, response: aiohttp.ClientResponse) -> URL | None:
    location = response.headers.get("Location")
    if not location or response.status not in (*_DROPS_BODY, *_KEEPS_BODY):
        return None
    if response.status in _DROPS_BODY and request.method != "GET":
        origin = response.url.join(URL(location)).origin()
        raise Unusable(
            f"redirected with {response.status} to {origin}, which would drop the body:"
            " write the final address into the manifest"
        )
    return URL(location)


async def _read(
    response: aiohttp.ClientResponse, request: Request, deadline: float | None
) -> Reply:
    body, broken, overdue = bytearray(), "", False
    try:
        async with asyncio.timeout_at(deadline):
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > request.limit:
                    break
    except TimeoutError:
        broken, overdue = _overdue(request), True
    except (aiohttp.ClientError, OSError) as error:
        broken = str(error) or type(error).__name__
    return Reply(
        status=response.status,
        reason=response.reason or "",
        headers={name.lower(): value for name, value in response.headers.items()},
        body=bytes(body[: request.limit]),
        complete=len(body) <= request.limit,
        broken=broken,
        overdue=overdue,
    )


def _overdue(request: Request) -> str:
    return f"context deadline exceeded: no answer within {durations.render(request.timeout)}"
