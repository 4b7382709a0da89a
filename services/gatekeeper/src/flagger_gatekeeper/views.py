"""The gate endpoints of upstream's load tester, path by path (spec gatekeeper A.2)."""

import datetime
import logging
from typing import Final, Literal

import flask
import prometheus_client

from flagger_common import flaskkit, payload

from . import gates
from .store import base

logger = logging.getLogger(__name__)

Action = Literal["check", "open", "close"]
Payload = payload.CanaryWebhookPayload

_PREFIXES: Final = (("gate", gates.DEFAULT), ("rollback", gates.ROLLBACK))
"""First part of the path, and the gate of the canary it stands for."""

_STATES: Final = {"open": gates.State.OPEN, "close": gates.State.CLOSED}
_LABELS: Final = {gates.DEFAULT: "gate", gates.ROLLBACK: "rollback"}


class Counters:
    """What the service counts; no label holds a name from a payload, callers can invent any."""

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        self.checks = prometheus_client.Counter(
            "flagger_gate_checks",
            "Checks of gates by result: approved, forbidden or unavailable",
            ["gate", "result"],
            registry=registry,
        )
        self.mutations = prometheus_client.Counter(
            "flagger_gate_mutations",
            "Requests to open or close gates by result: done or unavailable",
            ["gate", "action", "result"],
            registry=registry,
        )


class Desk:
    """Answers the requests for one store."""

    def __init__(self, store: base.GateStore, counters: Counters) -> None:
        self._store = store
        self._counters = counters

    def check(self, sent: Payload, gate: str) -> flask.Response:
        """Answer 200 only for a gate that is known to be open.

        A store that does not answer makes it 503 and neither of the two: a closed gate would hide
        the fault, an open one would let a rollout pass (or, for `rollback`, roll one back).
        """
        key = _key(sent, gate)
        try:
            approved = gates.passes(self._store.read(key))
        except gates.GateError as error:
            self._counters.checks.labels(gate, "unavailable").inc()
            return _unavailable(sent, f"{key} {_LABELS[gate]} check", error)
        self._counters.checks.labels(gate, "approved" if approved else "forbidden").inc()
        logger.info(
            "%s %s check: approved %s",
            key,
            _LABELS[gate],
            str(approved).lower(),
            extra={"canary": sent.canary},
        )
        return flaskkit.text(200, "Approved") if approved else flaskkit.text(403, "Forbidden")

    def move(self, sent: Payload, gate: str, action: Action) -> flask.Response:
        """Open or close a gate; 202 promises that it is stored, 503 that it must be repeated."""
        key = _key(sent, gate)
        state = _STATES[action]
        try:
            self._store.update(key, gates.moving(state, datetime.datetime.now(datetime.UTC)))
        except gates.GateError as error:
            self._counters.mutations.labels(gate, action, "unavailable").inc()
            return _unavailable(sent, f"{key} {_LABELS[gate]} {action}", error)
        self._counters.mutations.labels(gate, action, "done").inc()
        word = "opened" if state is gates.State.OPEN else "closed"
        logger.info("%s %s %s", key, _LABELS[gate], word, extra={"canary": sent.canary})
        return flaskkit.text(202)


def register(app: flask.Flask, store: base.GateStore) -> None:
    """Add the paths; each takes every HTTP method, as upstream's do."""
    desk = Desk(store, Counters(flaskkit.kit(app).registry))
    flaskkit.add_any(app, "/gate/approve", lambda: flaskkit.text(200, "OK"), "gate-approve")
    flaskkit.add_any(app, "/gate/halt", lambda: flaskkit.text(403, "Forbidden"), "gate-halt")
    for prefix, gate in _PREFIXES:
        _route(app, prefix, gate, desk)


def _route(app: flask.Flask, prefix: str, gate: str, desk: Desk) -> None:
    """Add check, open and close of one gate."""

    @flaskkit.with_payload
    def check(sent: Payload) -> flask.Response:
        return desk.check(sent, gate)

    @flaskkit.with_payload
    def opening(sent: Payload) -> flask.Response:
        return desk.move(sent, gate, "open")

    @flaskkit.with_payload
    def closing(sent: Payload) -> flask.Response:
        return desk.move(sent, gate, "close")

    flaskkit.add_any(app, f"/{prefix}/check", check, f"{prefix}-check")
    flaskkit.add_any(app, f"/{prefix}/open", opening, f"{prefix}-open")
    flaskkit.add_any(app, f"/{prefix}/close", closing, f"{prefix}-close")


def _key(sent: Payload, gate: str) -> gates.GateKey:
    return gates.GateKey(sent.namespace, sent.name, gate)


def _unavailable(sent: Payload, what: str, error: gates.GateError) -> flask.Response:
    logger.error("%s failed: %s", what, error, extra={"canary": sent.canary})
    return flaskkit.text(503, "gate store unavailable")
