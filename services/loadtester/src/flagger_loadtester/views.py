"""The HTTP interface: tasks on every path but those of the gates (loadtester.md section 2)."""

import logging
from collections.abc import Callable
from typing import Final

import flask
from werkzeug.routing import PathConverter

from flagger_common import flaskkit
from flagger_common.payload import CanaryWebhookPayload

from . import audit, tasks
from .gates import Gates, Kind
from .grammar import GrammarError
from .policy.scope import RefusedError
from .redact import redact
from .runner import BusyError, Runner, StoppingError
from .tasks.base import TaskError, TaskType, Work

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 5

Prepare = Callable[[TaskType, CanaryWebhookPayload], Work]
"""Makes work of a payload, in the way of compat or of strict mode."""


class _AnyPath(PathConverter):
    """Matches what is left of a path, line breaks included: upstream has no 404."""

    regex = r"(?s:.+)"
    part_isolating = False  # it spans slashes


def register(app: flask.Flask, runner: Runner, gates: Gates, prepare: Prepare) -> None:
    """Add the routes of the service to its application."""
    app.url_map.converters["any_path"] = _AnyPath
    flaskkit.add_any(app, "/gate/approve", lambda: flaskkit.text(200, "OK"), "gate_approve")
    flaskkit.add_any(app, "/gate/halt", lambda: flaskkit.text(403, "Forbidden"), "gate_halt")
    for kind in Kind:
        for action, view in _gate_views(kind, gates).items():
            endpoint = f"{kind}_{action}"
            flaskkit.add_any(app, f"/{kind}/{action}", flaskkit.with_payload(view), endpoint)
    task = flaskkit.with_payload(lambda payload: _task(payload, runner, prepare))

    def any_path(rest: str = "") -> flask.Response:
        del rest
        return task()

    flaskkit.add_any(app, "/", any_path, "task")
    flaskkit.add_any(app, "/<any_path:rest>", any_path, "task")


def _gate_views(
    kind: Kind, gates: Gates
) -> dict[str, Callable[[CanaryWebhookPayload], flask.Response]]:
    """Return the views of one kind of gate (gatekeeper.md section A.2)."""

    def check(payload: CanaryWebhookPayload) -> flask.Response:
        approved = gates.is_open(kind, payload.name, payload.namespace)
        _log(payload, "%s check: approved %s", _title(payload, kind), str(approved).lower())
        return flaskkit.text(200, "Approved") if approved else flaskkit.text(403, "Forbidden")

    def open_(payload: CanaryWebhookPayload) -> flask.Response:
        gates.open(kind, payload.name, payload.namespace)
        _log(payload, "%s opened", _title(payload, kind))
        return flaskkit.text(202)

    def close(payload: CanaryWebhookPayload) -> flask.Response:
        gates.close(kind, payload.name, payload.namespace)
        _log(payload, "%s closed", _title(payload, kind))
        return flaskkit.text(202)

    return {"check": check, "open": open_, "close": close}


def _title(payload: CanaryWebhookPayload, kind: Kind) -> str:
    """Return upstream's key and word for a gate, for the log only."""
    return f"{payload.canary} gate" if kind is Kind.GATE else f"rollback.{payload.canary} rollback"


def _log(payload: CanaryWebhookPayload, text: str, *arguments: str) -> None:
    logger.info(text, *arguments, extra={"canary": payload.canary})


def _task(payload: CanaryWebhookPayload, runner: Runner, prepare: Prepare) -> flask.Response:
    """Create and run the task that the metadata describe (loadtester.md section 3)."""
    request = _request(payload)
    if not payload.metadata:
        return _refused(request, 400, "metadata not found in payload")
    try:
        kind = tasks.find(payload.metadata)
    except TaskError as error:
        return _refused(request, 400, str(error))
    try:
        work = prepare(kind, payload)
    except TaskError as error:
        return _refused(request, kind.refusal, str(error))
    except GrammarError as error:
        return _refused(request, 400, str(error))
    except RefusedError as error:
        runner.metrics.rejected.labels("policy").inc()
        return _refused(request, 403, str(error))
    return _admit(kind, work, runner, request)


def _admit(kind: TaskType, work: Work, runner: Runner, request: audit.Request) -> flask.Response:
    try:
        return _run(kind, request.accepted(work), runner)
    except BusyError as error:
        response = _refused(request, 429, str(error))
        response.headers["Retry-After"] = str(_RETRY_SECONDS)
        return response
    except StoppingError as error:
        return _refused(request, 503, str(error))


def _request(payload: CanaryWebhookPayload) -> audit.Request:
    sent = flask.request
    proof = audit.caller(flaskkit.kit().known, dict(sent.headers))
    kind = payload.metadata.get("type", tasks.DEFAULT)
    return audit.Request(sent.remote_addr or "", proof, payload, kind)


def _refused(request: audit.Request, status: int, reason: str) -> flask.Response:
    request.refused(status, reason)
    return flaskkit.text(status, redact(reason))


def _run(kind: TaskType, work: Work, runner: Runner) -> flask.Response:
    if not kind.blocking:
        runner.start(kind, work)
        return flaskkit.text(202)
    outcome = runner.run(kind, work)
    if outcome.reason:
        return flaskkit.text(500, work.failure(outcome))
    return flaskkit.text(200, outcome.output if work.return_output else "")
