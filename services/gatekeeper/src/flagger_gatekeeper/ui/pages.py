"""The views of the page below `/ui` (spec gatekeeper B.6): parse, call one function, render."""

import datetime
import logging
from collections.abc import Callable
from typing import Any, Final

import flask

from flagger_common import flaskkit

from .. import access, audit, changes, desk, documents, gates, wishes
from ..store import base
from . import cookies, forms

logger = logging.getLogger(__name__)

PREFIX: Final = "/ui"
MOST_ENTRIES: Final = 100
"""Of the history of one gate; the API has the rest."""

_ONE: Final = "/gates/<namespace>/<canary>/<gate>"
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_Document = dict[str, Any]


class Pages:
    """The views. Every one asks `admit` first, as those of the API do."""

    def __init__(self, front: desk.Desk, admit: access.Admit, *, tokens: bool) -> None:
        """Show the gates of a desk; with `tokens` people can log in with theirs."""
        self._desk = front
        self._admit = admit
        self._tokens = tokens

    def index(self) -> flask.Response:
        """Show what waits, and all gates."""
        caller = self._admit(access.Verb.READ, None)
        asked = flask.request.args
        scope = base.Scope(asked.get("namespace") or None, asked.get("canary") or None)
        now = _now()
        found = [
            self._desk.document(one, now)
            for one in self._desk.store.find(scope)
            if caller.sees(one.key.namespace)
        ]
        waiting = [one for one in found if "pending" in one]
        mine = [one for one in waiting if caller.may(access.Verb.OPEN, one["namespace"])]
        others = [one for one in waiting if one not in mine]
        return self._page("gates.html", caller, mine=mine, others=others, gates=found, now=now)

    def gate(self, key: gates.GateKey) -> flask.Response:
        """Show one gate, what can be done with it, and its history."""
        caller = self._admit(access.Verb.READ, key.namespace)
        return self._gate(key, caller)

    def change(self, key: gates.GateKey) -> flask.Response:
        """Open or close a gate, then show it."""
        form = flask.request.form
        opens = form.get("action") == "open"
        self._admit(access.Verb.READ, key.namespace)
        caller = self._admit(access.Verb.OPEN if opens else access.Verb.CLOSE, key.namespace)
        now, unchanged = _now(), forms.unchanged(form.get("seen", ""))
        try:
            if opens:
                wish = wishes.opened(forms.opening(form), self._desk.rules.defaults, now)
                transition = self._desk.opening(key, wish, caller.by, now, unchanged)
                self._desk.change(key, audit.Action.OPEN, transition)
            else:
                wish = wishes.closed(form.get("reason", ""))
                closing = changes.setting(wish, caller.by, now, unchanged)
                self._desk.change(key, audit.Action.CLOSE, closing)
        except wishes.WishError as error:
            return self._gate(key, caller, problem=f"Nothing was changed: {error}.", status=422)
        except changes.PreconditionError:
            text = "Nothing was changed: somebody else was faster. This is how the gate is now."
            return self._gate(key, caller, problem=text, status=409)
        return _see_other(_address(key))

    def login(self) -> flask.Response:
        """Ask for a token, or keep the one that was given."""
        if flask.request.method == "GET":
            return self._page("login.html", None)
        cookies.use(flask.request.form.get("token", "").strip())
        self._admit(access.Verb.READ, None)
        return cookies.kept(_see_other(flask.url_for("ui.index")))

    def logout(self) -> flask.Response:
        """Forget the token."""
        return cookies.gone(_see_other(flask.url_for("ui.login")))

    def refused(self, refusal: access.RefusedError) -> flask.Response:
        """Say that somebody may not do this; ask who it is if that may help."""
        page = "login.html" if refusal.status == 401 and self._tokens else "problem.html"
        return self._page(page, None, problem=f"{refusal}.".capitalize(), status=refusal.status)

    def unavailable(self, error: gates.GateError) -> flask.Response:
        """Say that nobody knows: the gate is neither open nor closed."""
        logger.error("%s failed: %s", flask.request.path, error)
        text = "The store of the gates does not answer. What you wanted may have happened: look."
        return self._page("problem.html", None, problem=text, status=503)

    def _gate(
        self, key: gates.GateKey, caller: access.Caller, problem: str = "", status: int = 200
    ) -> flask.Response:
        now = _now()
        record = self._desk.store.read(key)
        shown: _Document = {**_names(key), "state": gates.State.CLOSED.value}
        if record is not None:
            shown = self._desk.document(base.Listed(key, record), now)
        history = self._desk.store.history(base.Scope.of(key), None, MOST_ENTRIES)
        return self._page(
            "gate.html",
            caller,
            status=status,
            problem=problem,
            gate=shown,
            seen=record.etag if record is not None and record.version else forms.NEW,
            may_open=caller.may(access.Verb.OPEN, key.namespace),
            may_close=caller.may(access.Verb.CLOSE, key.namespace),
            modes=forms.MODES,
            default_mode=self._desk.rules.defaults.mode.value,
            history=[documents.logged(one) for one in reversed(history)],
            now=now,
        )

    def _page(
        self, name: str, caller: access.Caller | None, *, status: int = 200, **values: Any
    ) -> flask.Response:
        actor = caller.by.actor if caller is not None else ""
        values = {"problem": "", "actor": actor, "tokens": self._tokens, **values}
        body = flask.render_template(f"ui/{name}", **values)
        return flask.Response(body, status)


def register(app: flask.Flask, front: desk.Desk, admit: access.Admit, *, tokens: bool) -> None:
    """Add the page, and a way to it from `/`.

    Args:
        app: the application.
        front: where the gates are.
        admit: who may do what.
        tokens: whether callers are recognised by tokens, so that people can log in with theirs.
    """
    pages = Pages(front, admit, tokens=tokens)
    ui = flask.Blueprint(
        "ui", __name__, url_prefix=PREFIX, template_folder="templates", static_folder="static"
    )
    ui.before_request(cookies.read)
    ui.before_request(_refuse_strangers)
    ui.after_request(_protected)
    ui.register_error_handler(access.RefusedError, pages.refused)
    ui.register_error_handler(gates.GateError, pages.unavailable)
    ui.add_app_template_filter(_when, "when")
    ui.add_app_template_filter(_ago, "ago")
    ui.add_url_rule("/", "index", pages.index)
    ui.add_url_rule(_ONE, "gate", _named(pages.gate), methods=["GET"])
    ui.add_url_rule(_ONE, "change", _named(pages.change), methods=["POST"])
    ui.add_url_rule("/login", "login", pages.login, methods=["GET", "POST"])
    ui.add_url_rule("/logout", "logout", pages.logout, methods=["POST"])
    app.register_blueprint(ui)
    flaskkit.add_any(app, "/", _root, "root")


def _root() -> flask.Response:
    """Lead browsers to the page; for everybody else there is nothing here, as upstream says."""
    if flask.request.method != "GET":
        flask.abort(404)
    return _see_other(flask.url_for("ui.index"))


def _refuse_strangers() -> flask.Response | None:
    """Answer requests that another site has made a browser send (CSRF)."""
    if flask.request.method in ("GET", "HEAD") or cookies.is_own_page():
        return None
    logger.warning("%s refused: sent from another site", flask.request.path)
    return flaskkit.text(403, "This form was sent from another site.")


def _protected(answer: flask.Response) -> flask.Response:
    answer.headers.extend(_HEADERS)
    return answer


def _named(view: Callable[[gates.GateKey], flask.Response]) -> Callable[..., flask.Response]:
    def answer(namespace: str, canary: str, gate: str) -> flask.Response:
        if not gates.is_name(gate):
            return flaskkit.text(404, "No gate can be called so.")
        return view(gates.GateKey(namespace, canary, gate))

    return answer


def _names(key: gates.GateKey) -> dict[str, str]:
    return {"namespace": key.namespace, "canary": key.canary, "gate": key.gate}


def _address(key: gates.GateKey) -> str:
    return flask.url_for("ui.gate", namespace=key.namespace, canary=key.canary, gate=key.gate)


def _see_other(location: str) -> flask.Response:
    answer = flask.Response(status=303)
    answer.headers["Location"] = location
    return answer


def _when(text: str) -> str:
    """Write a time as people read it."""
    return datetime.datetime.fromisoformat(text).strftime("%d %b %Y, %H:%M:%S UTC")


def _ago(text: str, now: datetime.datetime) -> str:
    """Write how long something has lasted, in its largest unit."""
    seconds = max(0, int((now - datetime.datetime.fromisoformat(text)).total_seconds()))
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
