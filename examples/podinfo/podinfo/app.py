"""What each path answers. Knows requests and responses, nothing of sockets."""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from .metrics import Metrics
from .settings import Readiness, Settings

JSON: Final = "application/json; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MAX_DELAY: Final = 60.0


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has arrived completely."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, and how long to wait before it is sent (`None`: for ever)."""

    status: int
    body: bytes
    route: str
    content_type: str = JSON
    delay: float | None = 0.0
    counted: bool = True
    """Probes and scrapes are not: they would make every release look healthy."""


def _json(route: str, status: int, value: object, delay: float = 0.0) -> Response:
    return Response(status, json.dumps(value).encode() + b"\n", route, delay=delay)


@dataclass(slots=True)
class App:
    """The application: routes in a table, one switch for the end of its life."""

    settings: Settings
    metrics: Metrics
    draining: bool = False
    _routes: Mapping[str, Callable[[Request], Response]] = field(init=False)
    _prefixes: Mapping[str, Callable[[str], Response]] = field(init=False)
    _index: bytes = field(init=False)

    def __post_init__(self) -> None:
        self._routes = {
            "/": self._home,
            "/version": lambda _: _json("/version", 200, {"version": self.settings.version}),
            "/headers": lambda request: _json("/headers", 200, dict(request.headers)),
            "/echo": lambda request: Response(200, request.body, "/echo", TEXT),
            "/healthz": lambda _: Response(200, b"OK", "/healthz", TEXT, counted=False),
            "/readyz": self._ready,
            "/metrics": self._metrics,
        }
        self._prefixes = {"/status/": self._status, "/delay/": self._delay}
        described = {
            "hostname": self.settings.hostname,
            "version": self.settings.version,
            "color": self.settings.color,
            "message": self.settings.message,
        }
        self._index = json.dumps(described, indent=2).encode() + b"\n"

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        path = request.path.partition("?")[0]
        if handler := self._routes.get(path):
            return handler(request)
        for prefix, parse in self._prefixes.items():
            if path.startswith(prefix):
                return parse(path.removeprefix(prefix))
        return _json("other", 404, {"error": "not found"})

    def _home(self, _: Request) -> Response:
        settings = self.settings
        if settings.fail and random.random() < settings.fail_rate:  # noqa: S311 not a secret
            return _json("/", settings.fail, {"error": "told to fail"}, settings.delay)
        return Response(200, self._index, "/", delay=settings.delay)

    def _ready(self, _: Request) -> Response:
        mode = self.settings.ready
        healthy = mode is Readiness.OK and not self.draining
        delay = None if mode is Readiness.HANG else 0.0
        status, body = (200, b"OK") if healthy else (503, b"not ready")
        return Response(status, body, "/readyz", TEXT, delay, counted=False)

    def _metrics(self, _: Request) -> Response:
        body = self.metrics.render().encode()
        return Response(200, body, "/metrics", "text/plain; version=0.0.4", counted=False)

    def _status(self, text: str) -> Response:
        route = "/status/{code}"
        if len(text) == 3 and text.isascii() and text.isdigit() and "200" <= text <= "599":
            return _json(route, int(text), {"status": int(text)})
        return _json(route, 400, {"error": "a status from 200 to 599 is needed"})

    def _delay(self, text: str) -> Response:
        route = "/delay/{seconds}"
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= MAX_DELAY:
            return _json(route, 400, {"error": f"seconds from 0 to {MAX_DELAY:g} are needed"})
        return _json(route, 200, {"delay": seconds}, delay=seconds)
