"""The endpoints: any path takes a task, the gates of upstream's load tester are not here."""

from typing import Final

import flask

from flagger_common import declared, flaskkit
from flagger_common.payload import CanaryWebhookPayload

from . import desk, flights, legacy, peer

_GATES: Final = (
    "/gate/approve",
    "/gate/halt",
    "/gate/check",
    "/gate/open",
    "/gate/close",
    "/rollback/check",
    "/rollback/open",
    "/rollback/close",
)


def register(
    app: flask.Flask,
    tests: desk.Desk,
    others: legacy.Legacy | None,
    verify: declared.Verify,
    *,
    cancel_on_disconnect: bool,
) -> None:
    """Add the paths; each takes every HTTP method, as upstream's do.

    Args:
        app: the application.
        tests: who answers.
        others: who is asked to do the tasks of a load tester; None: nobody.
        verify: tells payloads that are a Canary's own from others.
        cancel_on_disconnect: whether a test ends when everybody who asked for it has gone.
    """

    def task(sent: CanaryWebhookPayload) -> flask.Response:
        if not sent.metadata:
            return flaskkit.text(400, "metadata not found in payload")
        try:
            verify(sent)
        except declared.UndeclaredError as error:
            return tests.refuse(sent, "undeclared", 403, str(error))
        except declared.UnverifiedError as error:
            return tests.refuse(sent, "unverified", 503, str(error))
        kind = _type(sent)
        if others is not None and kind in legacy.TYPES:
            response = others.forward()
            if response is None:
                return tests.refuse(sent, "overloaded", 429, "too many tasks are handed on")
            return response
        return tests.task(kind, sent, _client() if cancel_on_disconnect else flights.always)

    for path in _GATES:
        flaskkit.add_any(app, path, lambda: flaskkit.text(404, "Not Found"), path.strip("/"))
    take = flaskkit.with_payload(task)
    flaskkit.add_any(app, "/", take, "task")
    flaskkit.add_any(app, "/<path:anything>", lambda anything: take(), "task-anywhere")


def _type(sent: CanaryWebhookPayload) -> str:
    """Return the type of a task; a missing one is upstream's `cmd` (spec helmtester A.2)."""
    kind = sent.metadata.get("type")
    if kind is None:
        return "helmv3" if sent.metadata.get("cmd", "").startswith("test ") else "cmd"
    return kind


def _client() -> flights.Wanted:
    """Return what tells whether the client of this request is still there."""
    return peer.connected(flask.request.environ["gunicorn.socket"])
