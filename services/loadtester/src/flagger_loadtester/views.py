"""The HTTP interface: tasks on every path but those of the gates (loadtester.md section 2)."""

import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Final

import flask
from werkzeug.routing import PathConverter

from flagger_common import declared, flaskkit
from flagger_common.payload import CanaryWebhookPayload

from . import api, audit, orders, tasks
from .gates import Gates, Kind
from .grammar import GrammarError
from .orders import Order
from .policy.scope import RefusedError
from .redact import redact
from .runner import BusyError, Runner, StoppingError
from .tasks.base import TaskError, TaskType, Work

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 5
_TASK: Final = "X-Flagger-Task"
"""Header with the number of the task, see `api`."""

Prepare = Callable[[TaskType, CanaryWebhookPayload], Work]
"""Makes work of a payload, in the way of compat or of strict mode."""


class _AnyPath(PathConverter):
    """Matches what is left of a path, line breaks included: upstream has no 404."""

    regex = r"(?s:.+)"
    part_isolating = False  # it spans slashes


def register(
    app: flask.Flask,
    runner: Runner,
    gates: Gates,
    kinds: Mapping[str, TaskType],
    prepare: Prepare,
    verify: declared.Verify,
) -> None:
    """Add the routes of the service to its application."""
    app.url_map.converters["any_path"] = _AnyPath
    flaskkit.add_any(app, "/gate/approve", lambda: flaskkit.text(200, "OK"), "gate_approve")
    flaskkit.add_any(app, "/gate/halt", lambda: flaskkit.text(403, "Forbidden"), "gate_halt")
    for kind in Kind:
        for action, view in _gate_views(kind, gates).items():
            endpoint = f"{kind}_{action}"
            flaskkit.add_any(app, f"/{kind}/{action}", flaskkit.with_payload(view), endpoint)
    api.register(app, runner)
    task = flaskkit.with_payload(lambda payload: _payload(payload, runner, kinds, prepare, verify))

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


def _payload(
    payload: CanaryWebhookPayload,
    runner: Runner,
    kinds: Mapping[str, TaskType],
    prepare: Prepare,
    verify: declared.Verify,
) -> flask.Response:
    """Take a task, or the news of an event hook, which no Canary lists as they come."""
    request = _request(payload)
    if not payload.metadata:
        return _refused(request, 400, "metadata not found in payload")
    if orders.is_event(payload):  # upstream runs the hook's own command for every event
        runner.notice(payload)
        return flaskkit.text(202)
    try:
        verify(payload)
        kind = tasks.find(payload.metadata, kinds)
    except declared.UndeclaredError as error:
        return _rejected(request, runner, 403, "undeclared", str(error))
    except declared.UnverifiedError as error:
        return _rejected(request, runner, 503, "unverified", str(error))
    except TaskError as error:
        return _refused(request, 400, str(error))
    return _task(kind, payload, runner, prepare, request)


def _task(
    kind: TaskType,
    payload: CanaryWebhookPayload,
    runner: Runner,
    prepare: Prepare,
    request: audit.Request,
) -> flask.Response:
    """Create and run the task that the metadata describe (loadtester.md section 3)."""
    try:
        order = orders.read(kind, prepare(kind, payload), payload)
    except TaskError as error:
        return _refused(request, kind.refusal, str(error))
    except GrammarError as error:
        return _refused(request, 400, str(error))
    except RefusedError as error:
        return _rejected(request, runner, 403, "policy", str(error))
    return _admit(order, runner, request)


def _admit(order: Order, runner: Runner, request: audit.Request) -> flask.Response:
    try:
        return _run(dataclasses.replace(order, work=request.accepted(order.work)), runner)
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


def _rejected(
    request: audit.Request, runner: Runner, status: int, why: str, reason: str
) -> flask.Response:
    """Refuse and count; `why` is a label of the metric, `reason` a text for people."""
    runner.metrics.rejected.labels(why).inc()
    return _refused(request, status, reason)


def _refused(request: audit.Request, status: int, reason: str) -> flask.Response:
    request.refused(status, reason)
    return flaskkit.text(status, redact(reason))


def _run(order: Order, runner: Runner) -> flask.Response:
    accepted = (runner.run if order.kind.blocking else runner.start)(order)
    response, outcome = flaskkit.text(202), accepted.outcome
    if outcome is not None and outcome.reason:
        response = flaskkit.text(500, order.work.failure(outcome))
    elif outcome is not None and order.kind.blocking:
        response = flaskkit.text(200, outcome.output if order.work.return_output else "")
    response.headers[_TASK] = accepted.id
    return response
