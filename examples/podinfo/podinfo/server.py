"""HTTP/1.1 on asyncio: keep-alive, bodies with a length, and an end that loses no request.

Small on purpose: no chunked request bodies (411), no TLS, no HTTP/2.
"""

import asyncio
import http
import socket
import time
from typing import Final, cast

from .app import METHODS, App, Request, Response

MAX_HEAD: Final = 32 * 1024
MAX_BODY: Final = 1024 * 1024
REASONS: Final = {status.value: status.phrase for status in http.HTTPStatus}
BODILESS: Final = frozenset({204, 304})


class BadRequestError(Exception):
    """The bytes are not a request this server understands; the argument is the status."""

    def __init__(self, status: int) -> None:
        super().__init__(REASONS[status])
        self.status = status


def parse_head(head: bytes) -> tuple[Request, int, bool]:
    """Return the request without its body, the body's length and whether to keep the line.

    Raises:
        BadRequestError: malformed, too large, or with a transfer coding.
    """
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or not parts[1].startswith("/"):
        raise BadRequestError(400)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequestError(400)
        headers[name.lower()] = value.strip()
    if "transfer-encoding" in headers:
        raise BadRequestError(411)
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise BadRequestError(400)
    if int(length) > MAX_BODY:
        raise BadRequestError(413)
    wish = headers.get("connection", "").lower()
    keep = wish == "keep-alive" if parts[2] == "HTTP/1.0" else wish != "close"
    return Request(parts[0], parts[1], headers, b""), int(length), keep


class Connection(asyncio.Protocol):
    """One client's connection; requests on it are answered one after another."""

    def __init__(self, app: App, connections: "set[Connection]") -> None:
        self.busy = False
        self._ended = False
        self._app = app
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._buffer = bytearray()
        self._head: tuple[Request, int, bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        version, color = app.settings.version, app.settings.color
        self._fixed = f"X-Version: {version}\r\nX-Color: {color}\r\n"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the line, so that the end of the process can wait for it."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the line and what was still to be sent on it."""
        self._connections.discard(self)
        if self._timer:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Collect bytes; answer when a request is complete."""
        self._buffer += data
        if not self.busy:
            self._next()

    def eof_received(self) -> bool:
        """Keep the line open for the answers to a client that has said everything."""
        self._ended = True
        return not self.idle

    @property
    def idle(self) -> bool:
        """Whether nothing has arrived that still needs an answer."""
        return not (self.busy or self._buffer or self._head)

    def close(self) -> None:
        """Close the line after what was already written."""
        self._transport.close()

    def _next(self) -> None:
        try:
            request = self._complete_request()
        except BadRequestError as error:
            self._refuse(error)
            return
        if request is None:
            if self._ended:
                self.close()
            return
        self.busy = True
        started = time.perf_counter()
        response = self._app.handle(request[0])
        if response.delay == 0:
            self._send(request, response, started)
        elif response.delay is not None:
            self._timer = self._loop.call_later(
                response.delay, self._send, request, response, started
            )

    def _complete_request(self) -> tuple[Request, bool] | None:
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if (len(self._buffer) if end < 0 else end) > MAX_HEAD:
                raise BadRequestError(431)
            if end < 0:
                return None
            self._head = parse_head(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
            if self._head[0].headers.get("expect", "").lower() == "100-continue":
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request, length, keep = self._head
        if len(self._buffer) < length:
            return None
        self._head = None
        if length:
            body = bytes(self._buffer[:length])
            del self._buffer[:length]
            request = Request(request.method, request.path, request.headers, body)
        return request, keep

    def _send(self, request: tuple[Request, bool], response: Response, started: float) -> None:
        method, keep = request[0].method, request[1] and not self._app.draining
        if response.counted:
            known = method if method in METHODS else "other"
            key = (known, response.route, response.status)
            self._app.metrics.observe(key, time.perf_counter() - started)
        self._write(method, response, keep)
        self.busy = False
        if not keep:
            self.close()
        elif self._buffer or self._ended:
            # Pipelined: through the loop, or a long pipeline would recurse.
            self._loop.call_soon(self._resume)

    def _resume(self) -> None:
        if not self.busy and not self._transport.is_closing():
            self._next()

    def _refuse(self, error: BadRequestError) -> None:
        self._write("GET", Response(error.status, str(error).encode(), "bad"), keep=False)
        self.close()

    def _write(self, method: str, response: Response, keep: bool) -> None:
        status = response.status
        body = b"" if status in BODILESS else response.body
        length = "" if status in BODILESS else f"Content-Length: {len(body)}\r\n"
        head = (
            f"HTTP/1.1 {status} {REASONS.get(status, '')}\r\n"
            f"Content-Type: {response.content_type}\r\n{length}{self._fixed}"
            f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n"
        )
        self._transport.write(
            head.encode("latin-1", "replace") + (b"" if method == "HEAD" else body)
        )


def listen(port: int) -> socket.socket:
    """Open one socket for IPv4 and, where the kernel has it, IPv6."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(
            ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024
        )
    return socket.create_server(("", port), backlog=1024)


async def serve(app: App, stop: asyncio.Event) -> None:
    """Answer until `stop` is set, then end without losing a request.

    After `stop`: not ready, each answer closes its connection, new connections are still taken
    for `drain` seconds. Idle connections are kept that long too: closing one at the moment its
    client sends would fail that request.
    """
    loop = asyncio.get_running_loop()
    connections: set[Connection] = set()
    listener = listen(app.settings.port)
    server = await loop.create_server(lambda: Connection(app, connections), sock=listener)
    port = listener.getsockname()[1]
    print(f"podinfo {app.settings.version} listens on port {port}", flush=True)  # noqa: T201
    await stop.wait()
    app.draining = True
    deadline = loop.time() + app.settings.grace
    await asyncio.sleep(min(app.settings.drain, app.settings.grace))
    server.close()
    while connections and loop.time() < deadline:
        for connection in [line for line in connections if line.idle]:
            connection.close()
        await asyncio.sleep(0.05)
