"""The management API below `/api/v1` (spec gatekeeper B.3): parse, call one function, format."""

import datetime
import logging
from collections.abc import Callable, Iterator
from typing import Final, NoReturn

import flask
import werkzeug.exceptions

from flagger_common import flaskkit, payload

from . import access, audit, changes, codec, desk, documents, gates, openapi, resets, watch, wishes
from .store import base

logger = logging.getLogger(__name__)

PREFIX: Final = "/api/v1"
MOST_GATES: Final = 500
MOST_ENTRIES: Final = 1000

Payload = payload.CanaryWebhookPayload

_ONE: Final = f"{PREFIX}/gates/<namespace>/<canary>/<gate>"
_TRUTHS: Final = {"": None, "true": True, "false": False}


class ProblemError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.code = code


class Api:
    """The views. Every one asks `admit` first: who may do this, in this namespace?"""

    def __init__(
        self, front: desk.Desk, admit: access.Admit, streams: watch.Streams, *, auto_reset: bool
    ) -> None:
        self._desk = front
        self._admit = admit
        self._streams = streams
        self._auto_reset = auto_reset

    def list_gates(self) -> flask.Response:
        """List gates, page by page."""
        visible = self._admit(access.Verb.READ, None)
        scope, wanted, limit = _scope(), _filter(), _limit(MOST_GATES)
        found = [one for one in self._look(scope, visible) if documents.matches(one, wanted)]
        try:
            part, following = documents.page(found, flask.request.args.get("continue", ""), limit)
        except ValueError:
            _refuse(400, "invalid_parameter", "continue is nothing that this API has returned")
        return flask.jsonify(items=part, **{"continue": following})

    def gate(self, key: gates.GateKey) -> flask.Response:
        """Return one gate."""
        self._admit(access.Verb.READ, key.namespace)
        record = self._desk.store.read(key)
        if record is None:
            _refuse(404, "not_found", "this gate was never changed, so it is closed")
        return self._gate(key, record)

    def put(self, key: gates.GateKey) -> flask.Response:
        """Make a gate what the body says."""
        fields = _body()
        state = fields.pop("state", None)
        if state == gates.State.OPEN:
            return self._open(key, fields)
        if state == gates.State.CLOSED:
            return self._close(key, fields)
        _refuse(422, "invalid_body", "state is open or closed")

    def open(self, key: gates.GateKey) -> flask.Response:
        """Open a gate."""
        return self._open(key, _body())

    def close(self, key: gates.GateKey) -> flask.Response:
        """Close a gate."""
        return self._close(key, _body())

    def delete(self, key: gates.GateKey) -> flask.Response:
        """Forget a gate, which closes it."""
        caller = self._admit(access.Verb.CLOSE, key.namespace)
        now = _now()
        reason = flask.request.args.get("reason", "")
        forgetting = changes.forgetting(caller.by, now, reason, _precondition())
        self._desk.change(key, audit.Action.DELETE, forgetting)
        return flask.Response(status=204)

    def history(self) -> flask.Response:
        """Return the newest part of the history, oldest first."""
        visible = self._admit(access.Verb.READ, None)
        limit = _limit(MOST_ENTRIES)
        found = self._desk.store.history(_scope(), _since())
        seen = [one for one in found if visible.sees(one.key.namespace)]
        return flask.jsonify(items=[documents.logged(one) for one in seen[-limit:]])

    def events(self) -> flask.Response:
        """Take an event of the controller, and close gates when it ends a release."""
        try:
            sent = Payload.parse(flask.request.get_data())
        except payload.PayloadError as error:
            _refuse(400, "malformed_body", str(error))
        flask.g.canary = sent.canary
        caller = self._admit(access.Verb.CHECK, sent.namespace, sent.metadata.get("token", ""))
        closed = list(self._reset(sent, caller.by)) if resets.ends_release(sent) else []
        answer = flask.jsonify(reset=closed)
        answer.status_code = 202
        return answer

    def watch(self) -> flask.Response:
        """Tell about gates as long as somebody listens."""
        visible = self._admit(access.Verb.READ, None)
        scope = _scope()
        stream = self._streams.open(lambda: self._look(scope, visible))
        if stream is None:
            _refuse(429, "too_many_streams", "too many streams, come back later")
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return flask.Response(stream, content_type="text/event-stream", headers=headers)

    def _look(self, scope: base.Scope, visible: access.Caller) -> list[documents.Document]:
        now = _now()
        found = self._desk.store.find(scope)
        return [self._desk.document(one, now) for one in found if visible.sees(one.key.namespace)]

    def _open(self, key: gates.GateKey, fields: documents.Document) -> flask.Response:
        caller = self._admit(access.Verb.OPEN, key.namespace)
        now = _now()
        wish = wishes.opened(documents.opening(fields), self._desk.rules.defaults, now)
        opening = self._desk.opening(key, wish, caller.by, now, _precondition())
        return self._gate(key, self._desk.change(key, audit.Action.OPEN, opening))

    def _close(self, key: gates.GateKey, fields: documents.Document) -> flask.Response:
        caller = self._admit(access.Verb.CLOSE, key.namespace)
        wish = wishes.closed(*documents.closing(fields))
        closing = changes.setting(wish, caller.by, _now(), _precondition())
        return self._gate(key, self._desk.change(key, audit.Action.CLOSE, closing))

    def _gate(self, key: gates.GateKey, record: gates.GateRecord) -> flask.Response:
        answer = flask.jsonify(self._desk.document(base.Listed(key, record), _now()))
        answer.set_etag(record.etag)
        return answer

    def _reset(self, sent: Payload, by: audit.By) -> Iterator[str]:
        for listed in self._desk.store.find(base.Scope(sent.namespace, sent.name)):
            if listed.record is None:
                continue
            reset = resets.resetting(listed.key, by, _now(), every=self._auto_reset)
            if self._desk.apply(listed.key, reset):
                yield listed.key.gate


def register(
    app: flask.Flask,
    front: desk.Desk,
    admit: access.Admit,
    streams: watch.Streams,
    *,
    auto_reset: bool,
) -> None:
    """Add the paths of the API."""
    api = Api(front, admit, streams, auto_reset=auto_reset)
    _route(app, "GET", f"{PREFIX}/openapi.json", lambda: flask.jsonify(openapi.description()))
    _route(app, "GET", f"{PREFIX}/gates", api.list_gates)
    _route(app, "GET", f"{PREFIX}/audit", api.history)
    _route(app, "GET", f"{PREFIX}/watch", api.watch)
    _route(app, "POST", f"{PREFIX}/events", api.events)
    _route(app, "GET", _ONE, _named(api.gate))
    _route(app, "PUT", _ONE, _named(api.put))
    _route(app, "DELETE", _ONE, _named(api.delete))
    _route(app, "POST", f"{_ONE}/open", _named(api.open))
    _route(app, "POST", f"{_ONE}/close", _named(api.close))
    app.register_error_handler(ProblemError, lambda e: flaskkit.problem(e.status, e.code, str(e)))
    app.register_error_handler(access.RefusedError, _refused)


def _route(app: flask.Flask, method: str, path: str, view: Callable[..., flask.Response]) -> None:
    def answer(**names: str) -> flask.Response:
        try:
            return view(**names)
        except changes.PreconditionError:
            _refuse(412, "precondition_failed", "the gate is not as you have seen it")
        except wishes.WishError as error:
            _refuse(422, "invalid_body", str(error))
        except gates.CorruptRecordError as error:
            logger.exception("%s %s failed", method, path)
            _refuse(503, "unreadable", f"the gate is neither open nor closed: {error}")
        except gates.GateError as error:
            logger.exception("%s %s failed", method, path)
            _refuse(503, "store_unavailable", f"not acknowledged, repeat it: {error}")

    app.add_url_rule(path, f"{method} {path}", answer, methods=[method])


def _refused(refusal: access.RefusedError) -> flask.Response:
    answer = flaskkit.problem(refusal.status, refusal.code, str(refusal))
    if refusal.status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _named(view: Callable[[gates.GateKey], flask.Response]) -> Callable[..., flask.Response]:
    """Turn the names in a path into a gate."""

    def answer(namespace: str, canary: str, gate: str) -> flask.Response:
        if not gates.is_name(gate):
            _refuse(422, "invalid_name", "a gate is called by up to 63 of a-z, 0-9 and dashes")
        return view(gates.GateKey(namespace, canary, gate))

    return answer


def _precondition() -> changes.Precondition:
    """Return what `If-Match` and `If-None-Match` demand."""
    headers, request = flask.request.headers, flask.request
    match = request.if_match if "If-Match" in headers else None
    none_match = request.if_none_match if "If-None-Match" in headers else None

    def holds(record: gates.GateRecord | None) -> bool:
        etag = record.etag if record is not None and record.version else None
        if match is not None and (etag is None or not match.contains(etag)):
            return False
        return none_match is None or etag is None or not none_match.contains(etag)

    return holds


def _body() -> documents.Document:
    if not flask.request.get_data():
        return {}
    try:
        fields = flask.request.get_json(force=True)
    except werkzeug.exceptions.BadRequest:
        _refuse(400, "malformed_body", "the body is no JSON")
    if not isinstance(fields, dict):
        _refuse(422, "invalid_body", "the body is an object")
    return fields


def _scope() -> base.Scope:
    arguments = flask.request.args
    return base.Scope(arguments.get("namespace"), arguments.get("canary"))


def _filter() -> documents.Filter:
    state, waiting = flask.request.args.get("state"), flask.request.args.get("pending", "")
    if state not in (None, *gates.State, documents.UNREADABLE):
        _refuse(400, "invalid_parameter", "state is open, closed or unreadable")
    if waiting not in _TRUTHS:
        _refuse(400, "invalid_parameter", "pending is true or false")
    return documents.Filter(state, _TRUTHS[waiting])


def _limit(most: int) -> int:
    text = flask.request.args.get("limit", str(min(most, 100)))
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:6]) <= most:
        _refuse(400, "invalid_parameter", f"limit is from 1 to {most}")
    return int(text)


def _since() -> datetime.datetime | None:
    text = flask.request.args.get("since")
    try:
        return None if text is None else codec.moment(text.replace(" ", "+"))
    except ValueError:
        _refuse(400, "invalid_parameter", "since is a time such as 2026-11-26T12:00:00Z")


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _refuse(status: int, code: str, error: str) -> NoReturn:
    raise ProblemError(status, code, error)
