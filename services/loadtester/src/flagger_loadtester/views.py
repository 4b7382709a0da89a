"""The HTTP interface: tasks on every path but those of the gates (loadtester.md section 2)."""

import logging
from collections.abc import Callable
from typing import Final

import flask
from werkzeug.routing import PathConverter

from flagger_common import flaskkit
from flagger_common.payload import CanaryWebhookPayload

from . import api, orders, tasks
from .gates import Gates, Kind
from .orders import Order
from .runner import BusyError, Runner, StoppingError
from .tasks.base import TaskError

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 5
_TASK: Final = "X-Flagger-Task"
"""Header with the number of the task, see `api`."""


class _AnyPath(PathConverter):
    """Matches what is left of a path, line breaks included: upstream has no 404."""

    regex = r"(?s:.+)"
    part_isolating = False  # it spans slashes


def register(app: flask.Flask, runner: Runner, gates: Gates) -> None:
    """Add the routes of the service to its application."""
    app.url_map.converters["any_path"] = _AnyPath
    flaskkit.add_any(app, "/gate/approve", lambda: flaskkit.text(200, "OK"), "gate_approve")
    flaskkit.add_any(app, "/gate/halt", lambda: flaskkit.text(403, "Forbidden"), "gate_halt")
    for kind in Kind:
        for action, view in _gate_views(kind, gates).items():
            endpoint = f"{kind}_{action}"
            flaskkit.add_any(app, f"/{kind}/{action}", flaskkit.with_payload(view), endpoint)
    api.register(app, runner)
    task = flaskkit.with_payload(lambda payload: _payload(payload, runner))

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


def _payload(payload: CanaryWebhookPayload, runner: Runner) -> flask.Response:
    """Take a task, or the news of an event hook."""
    if not payload.metadata:
        return flaskkit.text(400, "metadata not found in payload")
    if orders.is_event(payload):  # upstream runs the hook's own command for every event
        runner.notice(payload)
        return flaskkit.text(202)
    return _task(payload, runner)


def _task(payload: CanaryWebhookPayload, runner: Runner) -> flask.Response:
    """Create and run the task that the metadata describe (loadtester.md section 3)."""
    try:
        kind = tasks.find(payload.metadata)
    except TaskError as error:
        return _refused(payload, 400, error)
    try:
        order = orders.read(kind, kind.prepare(payload), payload)
    except TaskError as error:
        return _refused(payload, kind.refusal, error)
    try:
        return _run(order, runner)
    except BusyError as error:
        response = flaskkit.text(429, str(error))
        response.headers["Retry-After"] = str(_RETRY_SECONDS)
        return response
    except StoppingError as error:
        return flaskkit.text(503, str(error))


def _refused(payload: CanaryWebhookPayload, status: int, error: TaskError) -> flask.Response:
    logger.warning("task refused: %s", error, extra={"canary": payload.canary})
    return flaskkit.text(status, str(error))


def _run(order: Order, runner: Runner) -> flask.Response:
    accepted = (runner.run if order.kind.blocking else runner.start)(order)
    response, outcome = flaskkit.text(202), accepted.outcome
    if outcome is not None and outcome.reason:
        response = flaskkit.text(500, order.work.failure(outcome))
    elif outcome is not None and order.kind.blocking:
        response = flaskkit.text(200, outcome.output if order.work.return_output else "")
    response.headers[_TASK] = accepted.id
    return response
