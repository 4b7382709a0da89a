"""The task API through Flask's test client, with real commands (loadtester.md section 8.4)."""

import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import flask
import flask.testing
import pytest

from flagger_common import callers, flaskkit
from flagger_loadtester import create_app
from flagger_loadtester.runner import Limits, Runner
from flagger_loadtester.settings import Settings

Eventually = Callable[[Callable[[], object]], None]
Running = Callable[[pathlib.Path], bool]


@pytest.fixture
def runner() -> Iterator[Runner]:
    made = Runner(Limits(max_background=1))
    yield made
    made.close()


@pytest.fixture
def app(runner: Runner) -> flask.Flask:
    return create_app(Settings(), runner)


@pytest.fixture
def client(app: flask.Flask) -> flask.testing.FlaskClient:
    return app.test_client()


def post(
    client: flask.testing.FlaskClient, name: str = "podinfo", **metadata: str
) -> tuple[int, str]:
    document = {"name": name, "namespace": "test", "phase": "Progressing", "checksum": "one"}
    reply = client.post("/", data=json.dumps(document | {"metadata": metadata}))
    return reply.status_code, reply.headers["X-Flagger-Task"]


def get(client: flask.testing.FlaskClient, path: str) -> Any:
    reply = client.get(f"/api/v1/{path}")
    assert reply.status_code == 200, reply.text
    return reply.json


def test_a_task_is_known_by_the_number_in_the_reply(client: flask.testing.FlaskClient) -> None:
    status, number = post(client, type="bash", cmd="echo out; exit 3")
    assert status == 500
    document = get(client, f"tasks/{number}")
    assert document["created"] <= document["started"] <= document["ended"]
    for name in ("created", "started", "ended"):
        del document[name]
    assert document == {
        "id": number,
        "canary": "podinfo",
        "namespace": "test",
        "phase": "Progressing",
        "checksum": "one",
        "type": "bash",
        "label": "echo out; exit 3",
        "state": "failed",
        "reason": "exit status 3",
        "output": "out\n",
        "result": None,
    }


def test_the_result_of_a_load_test(
    client: flask.testing.FlaskClient,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sample = pathlib.Path(__file__).parent / "results" / "samples" / "hey.txt"
    (tmp_path / "hey").write_text(f"#!/bin/sh\ncat {sample}\n")
    (tmp_path / "hey").chmod(0o755)
    _, number = post(client, type="bash", cmd=f"{tmp_path}/hey http://podinfo/")
    assert get(client, f"tasks/{number}")["result"] == {
        "requests": 40,
        "failures": 8,
        "rate": 46.7587,
        "mean": 0.0425,
        "percentiles": {"50": 0.0440, "90": 0.0481, "95": 0.0518, "100": 0.0521},
    }
    labels = 'canary="podinfo",namespace="test",type="hey"'
    series = f"flagger_loadtester_result_requests{{{labels}}} 40.0"
    assert sorted(labels.split(",")) == labels.split(",")
    assert series in sorted_labels(client.get("/metrics").text)


def sorted_labels(text: str) -> list[str]:
    lines = []
    for line in text.splitlines():
        name, brace, rest = line.partition("{")
        labels, _, value = rest.partition("}")
        ordered = ",".join(sorted(labels.split(",")))
        lines.append(f"{name}{{{ordered}}}{value}" if brace else line)
    return lines


def test_lists_are_filtered_newest_first_and_without_output(
    client: flask.testing.FlaskClient,
) -> None:
    _, first = post(client, type="bash", cmd="echo out")
    _, second = post(client, type="bash", cmd="false")
    _, third = post(client, "other", type="kubectl", cmd="version")

    def listed(query: str) -> list[str]:
        return [item["id"] for item in get(client, f"tasks{query}")["items"]]

    assert listed("") == [third, second, first]
    assert listed("?limit=2") == [third, second]
    assert listed("?canary=podinfo") == [second, first]
    assert listed("?state=succeeded") == [first]
    assert listed("?type=bash&state=failed&namespace=test") == [second]
    assert listed("?namespace=prod") == []
    assert all("output" not in item for item in get(client, "tasks")["items"])


@pytest.mark.parametrize("query", ["state=done", "limit=0", "limit=1001", "limit=x", "limit="])
def test_bad_parameters(client: flask.testing.FlaskClient, query: str) -> None:
    reply = client.get(f"/api/v1/tasks?{query}")
    assert reply.status_code == 400
    assert reply.json is not None
    assert reply.json["code"] == "invalid_parameter"


def test_a_running_task_is_cancelled(
    client: flask.testing.FlaskClient,
    tmp_path: pathlib.Path,
    running: Running,
    eventually: Eventually,
) -> None:
    _, number = post(client, cmd=f"echo $$ > {tmp_path}/pid; exec sleep 1000")
    _, waiting = post(client, cmd="echo never")
    eventually(lambda: (tmp_path / "pid").exists() and running(tmp_path / "pid"))
    assert get(client, f"tasks/{waiting}")["state"] == "queued"
    for path, state in ((waiting, "cancelled"), (number, "running")):
        reply = client.delete(f"/api/v1/tasks/{path}")
        assert reply.status_code == 202
        assert reply.json is not None
        assert reply.json["state"] == state
    eventually(lambda: get(client, f"tasks/{number}")["state"] == "cancelled")
    assert get(client, f"tasks/{number}")["reason"] == "cancelled by the API"
    eventually(lambda: not running(tmp_path / "pid"))
    for path in (waiting, number):
        reply = client.delete(f"/api/v1/tasks/{path}")
        assert reply.status_code == 409
        assert reply.json is not None
        assert reply.json["code"] == "over"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "", 404),
        ("GET", "/", 404),
        ("POST", "/nothing/here", 404),
        ("GET", "/tasks/", 404),
        ("GET", "/tasks/unknown", 404),
        ("DELETE", "/tasks/unknown", 404),
        ("POST", "/tasks", 405),
        ("DELETE", "/tasks", 405),
        ("PUT", "/tasks/unknown", 405),
    ],
)
def test_nothing_below_the_prefix_is_a_task(
    client: flask.testing.FlaskClient, runner: Runner, method: str, path: str, status: int
) -> None:
    body = json.dumps({"metadata": {"type": "bash", "cmd": "true"}})
    reply = client.open(f"/api/v1{path}", method=method, data=body)
    assert reply.status_code == status
    assert reply.json is not None
    assert reply.json.keys() == {"code", "error"}
    assert ("Allow" in reply.headers) == (status == 405)
    assert runner.records() == []


def test_head_is_answered_as_get(client: flask.testing.FlaskClient) -> None:
    assert client.head("/api/v1/tasks").status_code == 200


def test_callers_have_to_be_known(
    app: flask.Flask, client: flask.testing.FlaskClient, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "token").write_text("secret\n")
    flaskkit.kit(app).known = callers.Callers(token_file=tmp_path / "token")
    for method, path in (("GET", "tasks"), ("DELETE", "tasks/x"), ("GET", "nothing")):
        reply = client.open(f"/api/v1/{path}", method=method)
        assert reply.status_code == 401
        assert reply.json is not None
        assert reply.json["code"] == "unauthorized"
        assert reply.headers["WWW-Authenticate"] == "Bearer"
    headers = {"Authorization": "Bearer secret"}
    assert client.get("/api/v1/tasks", headers=headers).status_code == 200
