"""What the three companions share as Flask applications: the base app, and payload-taking views.

`base_app` answers ``/healthz``, ``/readyz`` and ``/metrics``, limits bodies, logs accesses and
renders errors; `with_payload` turns a request into a payload; `add_any` routes every HTTP method,
as upstream does. No routes of a service belong here.
"""

import dataclasses
import functools
import logging
import posixpath
import time
import urllib.parse
from collections.abc import Callable
from typing import Final

import flask
import prometheus_client as prometheus
import werkzeug.exceptions
import werkzeug.routing

from . import authz, callers
from .payload import CanaryWebhookPayload, PayloadError

logger = logging.getLogger(__name__)

Ready = Callable[[], str | None]
"""Answers None when ready to serve, else the reason why not."""
PayloadView = Callable[[CanaryWebhookPayload], flask.Response]

DEFAULT_MAX_BODY: Final = 256 * 1024
_PROBES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_KEY: Final = "flagger"


@dataclasses.dataclass
class Kit:
    """What belongs to one application and its process; ``kit(app)`` finds it."""

    service: str
    """Short name of the service, part of its metric names."""

    namespaces: authz.NamespaceRule
    """Whose payloads are served."""

    registry: prometheus.CollectorRegistry
    """The registry behind ``/metrics``; a service registers its own metrics here."""

    ready: Ready
    """Asked by ``/readyz``."""

    known: callers.Callers = dataclasses.field(default_factory=callers.Callers)
    """Whose payloads are taken."""

    on_term: list[Callable[[], None]] = dataclasses.field(default_factory=list)
    """Called at the first SIGTERM, inside the signal handler: only set flags or start a thread."""

    on_exit: list[Callable[[], None]] = dataclasses.field(default_factory=list)
    """Called when the worker process ends, after the last request."""


def kit(app: flask.Flask | None = None) -> Kit:
    """Return the kit of this application, or of the one handling the request."""
    found = (app or flask.current_app).extensions[_KEY]
    if not isinstance(found, Kit):
        raise TypeError("this application was not made by base_app")
    return found


def base_app(
    import_name: str,
    service: str,
    *,
    namespaces: authz.NamespaceRule | None = None,
    max_body: int = DEFAULT_MAX_BODY,
    ready: Ready = lambda: None,
    known: callers.Callers | None = None,
) -> flask.Flask:
    """Make an application with everything but the routes of the service.

    Args:
        import_name: ``__name__`` of the service's package.
        service: short name, say ``loadtester``; metrics are called ``flagger_{service}_...``.
        namespaces: whose payloads `with_payload` accepts; everyone's by default.
        max_body: largest request body in bytes; a larger one gets 413.
        ready: asked by ``/readyz``.
        known: whose payloads `with_payload` accepts; everyone's by default.
    """
    app = flask.Flask(import_name, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = max_body
    app.url_map.merge_slashes = False  # upstream answers 307 instead, see _canonical_path
    registry = prometheus.CollectorRegistry()
    prometheus.ProcessCollector(registry=registry)
    prometheus.PlatformCollector(registry=registry)
    app.extensions[_KEY] = Kit(
        service, namespaces or authz.NamespaceRule(), registry, ready, known or callers.Callers()
    )
    add_any(app, "/healthz", lambda: text(200, "OK"), "healthz")
    add_any(app, "/readyz", _readyz, "readyz")
    add_any(app, "/metrics", _metrics, "metrics")
    app.before_request(_canonical_path)
    app.register_error_handler(Exception, _on_error)
    _observe_requests(app, kit(app))
    return app


def add_any(
    app: flask.Flask, rule: str, view: Callable[..., flask.Response], endpoint: str
) -> None:
    """Route a path for all HTTP methods, OPTIONS, HEAD and unknown ones included.

    Upstream does not look at the method; Flask's own ``route`` cannot express that.
    """
    app.url_map.add(werkzeug.routing.Rule(rule, endpoint=endpoint, methods=None))
    app.view_functions[endpoint] = view


def with_payload(view: PayloadView) -> Callable[[], flask.Response]:
    """Decode, validate and authorise the body before calling the view with the payload.

    A body that is no payload gets 400 without a body, a caller who is not known 401, a namespace
    that is not served 403 ``Forbidden`` (loadtester.md sections 2.1, 2.2 and 8.2.4). The payload of
    the view does not hold the caller's token: that is `caller_token`.
    """

    @functools.wraps(view)
    def wrapper() -> flask.Response:
        try:
            payload = CanaryWebhookPayload.parse(flask.request.get_data())
        except PayloadError as error:
            logger.warning("payload refused: %s", error, extra={"path": flask.request.path})
            return text(400)
        flask.g.canary = payload.canary
        flask.g.caller_token = payload.metadata.get(callers.TOKEN, "")
        if refused := unknown_caller(caller_token()):
            return refused
        payload = callers.without_token(payload)
        if not kit().namespaces.allows(payload.namespace):
            logger.warning("namespace refused", extra={"canary": payload.canary})
            return text(403, "Forbidden")
        return view(payload)

    return wrapper


def caller_token() -> str:
    """Return the token in the metadata of the present payload, empty without one."""
    token: str = flask.g.get("caller_token", "")
    return token


def unknown_caller(token: str = "") -> flask.Response | None:
    """Return the refusal of a request whose sender is not known; None when it may go on.

    Args:
        token: of the metadata, empty without one.
    """
    request = flask.request
    reason = kit().known.refusal(dict(request.headers), request.get_data(), token)
    if reason is None:
        return None
    logger.warning("caller refused: %s", reason, extra={"path": request.path})
    response = text(401, "Unauthorized")
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def text(status: int, body: str = "") -> flask.Response:
    """Return a plain-text response; an empty one has no content type, as upstream's."""
    response = flask.Response(body, status, content_type="text/plain; charset=utf-8")
    if not body:
        del response.headers["Content-Type"]
    return response


def problem(status: int, code: str, error: str) -> flask.Response:
    """Return an error of a JSON API, ``{"error", "code"}`` (gatekeeper.md section B.3)."""
    response = flask.jsonify(error=error, code=code)
    response.status_code = status
    return response


def _readyz() -> flask.Response:
    reason = kit().ready()
    return text(200, "OK") if reason is None else text(503, reason)


def _metrics() -> flask.Response:
    body = prometheus.generate_latest(kit().registry)
    return flask.Response(body, 200, content_type=prometheus.CONTENT_TYPE_LATEST)


def _canonical_path() -> flask.Response | None:
    """Redirect ``//gate/check`` and ``/a/../gate/check`` to the clean path (loadtester.md 2).

    Looks at the server's path: the one of the request object has lost its leading slashes.
    """
    raw = flask.request.environ.get("PATH_INFO", "/")
    path = raw.encode("latin-1").decode(errors="replace")
    clean = posixpath.normpath("/" + path.lstrip("/"))
    if path.endswith("/") and clean != "/":
        clean += "/"
    if clean == path:
        return None
    location = urllib.parse.quote(clean)
    if query := flask.request.query_string.decode("latin-1"):
        location = f"{location}?{query}"
    response = text(307)
    response.headers["Location"] = location
    response.autocorrect_location_header = False
    return response


def _on_error(error: Exception) -> flask.Response:
    """Render any error: JSON below ``/api/``, else text. Details of a crash stay in the log."""
    if isinstance(error, werkzeug.exceptions.HTTPException):
        status, message = error.code or 500, error.name
    else:
        status, message = 500, "Internal Server Error"
        logger.error("request failed", exc_info=error, extra={"path": flask.request.path})
    if flask.request.path.startswith("/api/"):
        return problem(status, message.lower().replace(" ", "_"), message)
    return text(status, message)


def _observe_requests(app: flask.Flask, owner: Kit) -> None:
    """Count, time and log every request; probes are logged at debug level only."""
    seconds = prometheus.Histogram(
        f"flagger_{owner.service}_http_request_seconds",
        "Time to answer a request, blocking tasks included",
        ["endpoint", "method", "code"],
        registry=owner.registry,
        buckets=(0.005, 0.05, 0.5, 5, 60, 600),
    )

    def start() -> None:
        flask.g.started = time.monotonic()

    def finish(response: flask.Response) -> flask.Response:
        request = flask.request
        took = time.monotonic() - flask.g.get("started", time.monotonic())
        method = request.method if request.method in _METHODS else "other"
        seconds.labels(request.endpoint or "none", method, response.status_code).observe(took)
        level = logging.DEBUG if request.path in _PROBES else logging.INFO
        extra = {
            "path": request.path,
            "status": response.status_code,
            "seconds": round(took, 3),
            "remote": request.remote_addr,
        }
        if canary := flask.g.get("canary"):
            extra["canary"] = canary
        logger.log(level, "%s %s", request.method, request.path, extra=extra)
        return response

    app.before_request_funcs.setdefault(None, []).insert(0, start)
    app.after_request(finish)
