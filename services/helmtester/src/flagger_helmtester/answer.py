"""The answer to a hook: upstream's text, or JSON for who asks for it (spec helmtester A.2, B.4)."""

import dataclasses
from typing import Final

import flask

from flagger_common import flaskkit

from . import classify, outcome
from .outcome import Result

RESULT: Final = "X-Flagger-Test-Result"
"""Header with the class of the result."""
MISSING: Final = "X-Flagger-Missing-Right"
"""Header with the right that was missing, `verb resource`."""

_RETRY_AFTER_SECONDS: Final = 15


def report(
    task: outcome.Task, found: outcome.Report, failure_status: int, *, with_output: bool
) -> flask.Response:
    """Answer with what a test came to.

    Args:
        task: what was asked for.
        found: what it came to.
        failure_status: HTTP status of a failure.
        with_output: whether the text of a success is the output.
    """
    status = classify.status(found.result, failure_status)
    if _wants_json():
        response = _json(status, document(task, found))
    elif found.result is Result.PASSED:
        response = flaskkit.text(status, printed(task, found) if with_output else "")
    else:
        response = flaskkit.text(status, failure(task, found))
    if found.missing:
        response.headers[MISSING] = found.missing
    return _classed(response, found.result)


def refused(result: Result, status: int, message: str) -> flask.Response:
    """Answer a request that runs nothing."""
    if _wants_json():
        response = _json(status, {"result": result.value, "output": message})
    else:
        response = flaskkit.text(status, message)
    if result is Result.OVERLOADED:
        response.headers["Retry-After"] = str(_RETRY_AFTER_SECONDS)
    return _classed(response, result)


def printed(task: outcome.Task, found: outcome.Report) -> str:
    """Return the notes about a command, and the output."""
    return "".join(f"note: {note}\n" for note in task.notes) + found.output


def failure(task: outcome.Task, found: outcome.Report) -> str:
    """Return upstream's text for a failure; the tests stand before what was printed."""
    tests = "".join(_line(test) for test in found.tests)
    return f"command {task.command} failed: {tests}{printed(task, found)}: {found.reason}"


def document(task: outcome.Task, found: outcome.Report) -> dict[str, object]:
    """Return the JSON form."""
    return {
        "result": found.result.value,
        "release": task.lane.name,
        "namespace": task.lane.namespace,
        "revision": found.revision or None,
        "tests": [_fields(test) for test in found.tests],
        "duration": round(found.seconds, 3),
        "output": printed(task, found),
        "reason": found.reason,
        "missing": found.missing,
    }


def _line(test: outcome.Test) -> str:
    code = "" if test.exit_code is None else f", exit code {test.exit_code}"
    log = f"{test.log}\n" if test.log and test.phase == "Failed" else ""
    return f"test {test.name}: {test.phase}{code}\n{log}"


def _fields(test: outcome.Test) -> dict[str, object]:
    fields = dataclasses.asdict(test)
    fields["exitCode"] = fields.pop("exit_code")
    return fields


def _wants_json() -> bool:
    accepted = flask.request.accept_mimetypes
    return accepted.best_match(["text/plain", "application/json"]) == "application/json"


def _json(status: int, content: dict[str, object]) -> flask.Response:
    response = flask.jsonify(content)
    response.status_code = status
    return response


def _classed(response: flask.Response, result: Result) -> flask.Response:
    response.headers[RESULT] = result.value
    return response
