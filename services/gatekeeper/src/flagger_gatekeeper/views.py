"""The gate endpoints of upstream's load tester, path by path (spec gatekeeper A.2).

Added to them: gates with names, chosen by path, query or metadata (spec gatekeeper B.2).
"""

import datetime
import logging
from collections.abc import Callable
from typing import Final

import flask

from flagger_common import flaskkit, payload

from . import access, audit, changes, checks, desk, gates, wishes

logger = logging.getLogger(__name__)

Payload = payload.CanaryWebhookPayload
Verb = access.Verb
Setting = changes.Transition[gates.GateRecord]
Answer = Callable[[Payload, gates.GateKey], flask.Response]

_TOO_MANY: Final = 429
_APPROVED: Final = (200, "Approved")
_FORBIDDEN: Final = (403, "Forbidden")
_LABELS: Final = {gates.DEFAULT: "gate", gates.ROLLBACK: "rollback"}


class Compatible:
    """The three actions on a gate, with the answers of upstream."""

    def __init__(self, front: desk.Desk, admit: access.Admit) -> None:
        self._desk = front
        self._admit = admit

    def check(self, sent: Payload, key: gates.GateKey) -> flask.Response:
        """Answer 200 only for a gate that is known to be open, 503 if nobody knows."""
        caller = self._admit(Verb.CHECK, key.namespace, flaskkit.caller_token())
        question = checks.Question(caller.by, audit.clip(sent.phase), _kept(sent.checksum))
        try:
            verdict = self._desk.check(key, question, now())
        except gates.GateError as error:
            return _unavailable(sent, f"{key} {_label(key)} check", error)
        approved = str(verdict.approved).lower()
        extra = {"canary": sent.canary, "reason": verdict.reason}
        logger.info("%s %s check: approved %s", key, _label(key), approved, extra=extra)
        return (
            flaskkit.text(200, "Approved") if verdict.approved else flaskkit.text(403, "Forbidden")
        )

    def open(self, sent: Payload, key: gates.GateKey) -> flask.Response:
        """Open a gate; 202 promises that it is stored, 503 that it must be repeated."""
        caller = self._admit(Verb.OPEN, key.namespace)
        at = now()
        wish = wishes.opened(wishes.Opening(), self._desk.rules.defaults, at)
        opening = self._desk.opening(key, wish, caller.by, at)
        return self._change(sent, key, audit.Action.OPEN, opening)

    def close(self, sent: Payload, key: gates.GateKey) -> flask.Response:
        """Close a gate; 202 promises that it is stored, 503 that it must be repeated."""
        caller = self._admit(Verb.CLOSE, key.namespace)
        closing = changes.setting(wishes.closed(), caller.by, now())
        return self._change(sent, key, audit.Action.CLOSE, closing)

    def _change(
        self, sent: Payload, key: gates.GateKey, action: audit.Action, setting: Setting
    ) -> flask.Response:
        try:
            record = self._desk.change(key, action, setting)
        except gates.GateError as error:
            return _unavailable(sent, f"{key} {_label(key)} {action}", error)
        word = "opened" if action is audit.Action.OPEN else "closed"
        said = ""
        if record.approvals:
            word = "approved"
            required = self._desk.rules.book.of(key).approvals
            said = f"{len(record.approvals)} of {required} approvals"
        logger.info("%s %s %s", key, _label(key), word, extra={"canary": sent.canary})
        return flaskkit.text(202, said)


def register(app: flask.Flask, front: desk.Desk, admit: access.Admit) -> None:
    """Add the paths; each takes every HTTP method, as upstream's do."""
    _add_fixed(app, "approve", 200, "OK")
    _add_fixed(app, "halt", 403, "Forbidden")
    compatible = Compatible(front, admit)
    actions: dict[str, Answer] = {
        "check": compatible.check,
        "open": compatible.open,
        "close": compatible.close,
    }
    for action, answer in actions.items():
        chosen = _view(answer, _chosen)
        flaskkit.add_any(app, f"/gate/{action}", chosen, f"gate-{action}")
        flaskkit.add_any(app, f"/gate/{action}/<gate>", chosen, f"gate-{action}-named")
        rollback = _view(answer, lambda _: gates.ROLLBACK)
        flaskkit.add_any(app, f"/rollback/{action}", rollback, f"rollback-{action}")


def _add_fixed(app: flask.Flask, name: str, status: int, body: str) -> None:
    """Add a gate that never changes. Upstream's looks at nothing, a strict one at the namespace."""
    namespaces = flaskkit.kit(app).namespaces
    checked = flaskkit.with_payload(lambda _: flaskkit.text(status, body))
    strict = namespaces.anchored and namespaces.pattern is not None
    view = checked if strict else lambda: flaskkit.text(status, body)
    flaskkit.add_any(app, f"/gate/{name}", view, f"gate-{name}")


def now() -> datetime.datetime:
    """Return the time of a request."""
    return datetime.datetime.now(datetime.UTC)


def _view(answer: Answer, choose: Callable[[Payload], str]) -> Callable[..., flask.Response]:
    @flaskkit.with_payload
    def view(sent: Payload) -> flask.Response:
        gate = choose(sent)
        if not gates.is_name(gate):
            logger.warning("no name of a gate: %r", gate[:100], extra={"canary": sent.canary})
            return flaskkit.text(400)
        try:
            return answer(sent, gates.GateKey(sent.namespace, sent.name, gate))
        except access.RefusedError as refusal:
            return _refused(sent, refusal)
        except gates.GateError as error:
            return _unavailable(sent, "asking who it is", error)

    return lambda **_: view()


def _chosen(sent: Payload) -> str:
    """Return the gate that a request means: path, query, metadata, default."""
    named = (flask.request.view_args or {}).get("gate") or flask.request.args.get("gate")
    return named or sent.metadata.get("gate") or gates.DEFAULT


def _label(key: gates.GateKey) -> str:
    return _LABELS.get(key.gate, f"gate {key.gate}")


def _kept(checksum: str) -> str:
    """Return a checksum that a record can hold; a longer one identifies nothing."""
    return checksum if len(checksum) <= wishes.LONGEST_CHECKSUM else ""


def _refused(sent: Payload, refusal: access.RefusedError) -> flask.Response:
    """Answer as upstream does for a namespace that is not served; the reason is in the log."""
    extra = {"canary": sent.canary, "reason": refusal.code}
    logger.warning("%s refused: %s", flask.request.path, refusal, extra=extra)
    if refusal.status == _TOO_MANY:
        return flaskkit.text(_TOO_MANY, "Too Many Requests")
    return flaskkit.text(*_FORBIDDEN)


def _unavailable(sent: Payload, what: str, error: gates.GateError) -> flask.Response:
    logger.error("%s failed: %s", what, error, extra={"canary": sent.canary})
    return flaskkit.text(503, "gate store unavailable")
