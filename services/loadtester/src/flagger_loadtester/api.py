"""The task API below ``/api/v1``: what waits, runs and has ended (loadtester.md section 8.4)."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import flask

from flagger_common import flaskkit

from .records import Record, State
from .runner import OverError, Runner

PREFIX: Final = "/api/v1"
_LIMIT: Final = re.compile(r"[1-9][0-9]{0,2}|1000")
_FILTERS: Final = ("namespace", "canary", "state", "type")

View = Callable[..., flask.Response]


def register(app: flask.Flask, runner: Runner) -> None:
    """Add the routes; everything below the prefix is answered here and is never a task."""
    one: dict[str, View] = {
        "GET": lambda number: _one(runner, number),
        "DELETE": lambda number: _cancel(runner, number),
    }
    routes: dict[str, Mapping[str, View]] = {
        "/tasks": {"GET": lambda: _list(runner)},
        "/tasks/<number>": one,
    }
    for path, views in routes.items():
        flaskkit.add_any(app, PREFIX + path, _guarded(views), f"api {path}")
    for path in ("", "/", "/<any_path:rest>"):
        flaskkit.add_any(app, PREFIX + path, _guarded(None), f"api nothing {path}")


def _guarded(views: Mapping[str, View] | None) -> View:
    """Return the view that knows the caller and then chooses by method; None is a wrong path."""

    def view(**parts: str) -> flask.Response:
        if refused := flaskkit.unknown_caller():
            answer = flaskkit.problem(401, "unauthorized", "a token or a signature is needed")
            answer.headers["WWW-Authenticate"] = refused.headers["WWW-Authenticate"]
            return answer
        if views is None:
            return flaskkit.problem(404, "not_found", "there is nothing at this path")
        method = flask.request.method
        chosen = views.get("GET" if method == "HEAD" else method)
        if chosen is None:
            answer = flaskkit.problem(405, "method_not_allowed", f"{method} is not known here")
            answer.headers["Allow"] = ", ".join(["HEAD", *views])
            return answer
        return chosen(**parts)

    return view


def _list(runner: Runner) -> flask.Response:
    wanted = {name: flask.request.args.get(name, "") for name in _FILTERS}
    if wanted["state"] not in ("", *State):
        return flaskkit.problem(400, "invalid_parameter", f"state is one of {', '.join(State)}")
    limit = flask.request.args.get("limit", "100")
    if not _LIMIT.fullmatch(limit):
        return flaskkit.problem(400, "invalid_parameter", "limit is a number from 1 to 1000")
    found = [record for record in runner.records() if _matches(record, wanted)]
    return flask.jsonify(items=[_document(record) for record in found[: int(limit)]])


def _matches(record: Record, wanted: Mapping[str, str]) -> bool:
    return all(not value or getattr(record, name) == value for name, value in wanted.items())


def _one(runner: Runner, number: str) -> flask.Response:
    record = runner.find(number)
    if record is None:
        return _unknown()
    return flask.jsonify(_document(record) | {"output": record.output})


def _cancel(runner: Runner, number: str) -> flask.Response:
    try:
        record = runner.cancel(number, "cancelled by the API")
    except KeyError:
        return _unknown()
    except OverError as error:
        return flaskkit.problem(409, "over", str(error))
    answer = flask.jsonify(_document(record))
    answer.status_code = 202
    return answer


def _unknown() -> flask.Response:
    return flaskkit.problem(404, "not_found", "no task with this number is known any more")


def _document(record: Record) -> dict[str, Any]:
    """Return the record without its output, which may be long."""
    document = dataclasses.asdict(record)
    del document["output"]
    return document
