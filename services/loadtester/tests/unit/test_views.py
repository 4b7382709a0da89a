"""The HTTP contract through Flask's test client, with real commands (loadtester.md 2 and 3)."""

import json
import logging
import pathlib
from collections.abc import Callable, Iterator

import flask
import flask.testing
import pytest
from werkzeug.test import TestResponse

from flagger_loadtester import create_app
from flagger_loadtester.runner import Limits, Runner
from flagger_loadtester.settings import Settings

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"]
Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def runner() -> Iterator[Runner]:
    made = Runner(Limits(max_blocking=1, max_background=2, queue_size=0))
    yield made
    made.close()


@pytest.fixture
def app(runner: Runner) -> flask.Flask:
    return create_app(Settings(), runner)


@pytest.fixture
def client(app: flask.Flask) -> flask.testing.FlaskClient:
    return app.test_client()


def body(metadata: dict[str, str] | None = None, name: str = "podinfo") -> bytes:
    document: dict[str, object] = {"name": name, "namespace": "test"}
    return json.dumps(document | ({} if metadata is None else {"metadata": metadata})).encode()


def answer(reply: TestResponse) -> tuple[int, str]:
    return reply.status_code, reply.text


@pytest.mark.parametrize(
    ("metadata", "status", "text"),
    [
        (None, 400, "metadata not found in payload"),
        ({}, 400, "metadata not found in payload"),
        ({"logCmdOutput": "true"}, 400, "cmd not found in metadata"),
        ({"type": "cmd"}, 400, "cmd not found in metadata"),
        ({"type": "", "cmd": "true"}, 400, "unknown task type "),
        ({"type": "helmv2", "cmd": "true"}, 400, "unknown task type helmv2"),
        ({"cmd": ""}, 202, ""),
        ({"cmd": "no-such-program"}, 202, ""),
        ({"type": "bash"}, 200, ""),
        ({"type": "bash", "cmd": "echo hi"}, 200, ""),
        ({"type": "bash", "cmd": "echo hi", "returnCmdOutput": "true"}, 200, "hi\n"),
        ({"type": "bash", "cmd": "echo hi", "returnCmdOutput": "yes"}, 200, ""),
        ({"type": "bash", "cmd": "false"}, 500, "command false failed: : exit status 1"),
        (
            {"type": "bash", "cmd": "echo hi; exit 3"},
            500,
            "command echo hi; exit 3 failed: hi\n: exit status 3",
        ),
        ({"type": "ngrinder"}, 400, "server, clone, username and passwd are required metadata"),
        ({"type": "concord"}, 500, "`server` is required with type concord"),
    ],
)
def test_tasks(
    client: flask.testing.FlaskClient, metadata: dict[str, str] | None, status: int, text: str
) -> None:
    reply = client.post("/", data=body(metadata))
    assert answer(reply) == (status, text)
    expected = "text/plain; charset=utf-8" if text else None
    assert reply.headers.get("Content-Type") == expected


@pytest.mark.parametrize("kind", ["helm", "helmv3", "kubectl"])
def test_tools_get_words(
    client: flask.testing.FlaskClient,
    kind: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = "helm" if kind.startswith("helm") else kind
    monkeypatch.setenv("PATH", str(tmp_path))
    metadata = {"type": kind, "cmd": "test 'a b'  -n x", "returnCmdOutput": "true"}
    reply = client.post("/", data=body(metadata))
    missing = f'exec: "{program}": executable file not found in $PATH'
    assert answer(reply) == (500, f"command test 'a b'  -n x failed: : {missing}")
    (tmp_path / program).write_text('#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done\n')
    (tmp_path / program).chmod(0o755)
    assert answer(client.post("/", data=body(metadata))) == (200, "test\n'a\nb'\n-n\nx\n")


@pytest.mark.parametrize(
    "path", ["/", "/x", "/gate", "/gate/check/", "/Gate/Check", "/event", "/a/b/c", "/a\nb"]
)
@pytest.mark.parametrize("method", METHODS)
def test_every_other_path_and_method_is_a_task(
    client: flask.testing.FlaskClient, path: str, method: str
) -> None:
    environ = {"PATH_INFO": path}
    reply = client.open("/", method=method, data=body({}), environ_overrides=environ)
    assert reply.status_code == 400
    assert method == "HEAD" or reply.text == "metadata not found in payload"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/healthz", 200, "OK"),
        ("/gate/approve", 200, "OK"),
        ("/gate/halt", 403, "Forbidden"),
        ("/gate/check", 403, "Forbidden"),
        ("/gate/open", 202, ""),
        ("/gate/close", 202, ""),
        ("/rollback/check", 403, "Forbidden"),
        ("/rollback/open", 202, ""),
        ("/rollback/close", 202, ""),
    ],
)
def test_fixed_paths(
    client: flask.testing.FlaskClient, method: str, path: str, status: int, text: str
) -> None:
    reply = client.open(path, method=method, data=body())
    assert answer(reply) == (status, "" if method == "HEAD" else text)


@pytest.mark.parametrize("kind", ["gate", "rollback"])
def test_gates_open_and_close(client: flask.testing.FlaskClient, kind: str) -> None:
    other = "rollback" if kind == "gate" else "gate"
    assert answer(client.post(f"/{kind}/open", data=body())) == (202, "")
    for _ in range(2):
        assert answer(client.post(f"/{kind}/check", data=body())) == (200, "Approved")
    assert client.post(f"/{kind}/check", data=body(name="other")).status_code == 403
    assert client.post(f"/{other}/check", data=body()).status_code == 403
    assert answer(client.post(f"/{kind}/close", data=body())) == (202, "")
    assert answer(client.post(f"/{kind}/check", data=body())) == (403, "Forbidden")


def test_gates_log_upstreams_texts(
    client: flask.testing.FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "flagger_loadtester")
    for path in ("/gate/open", "/gate/check", "/rollback/check", "/rollback/close"):
        client.post(path, data=body())
    assert [line.getMessage() for line in caplog.records if "loadtester" in line.name] == [
        "podinfo.test gate opened",
        "podinfo.test gate check: approved true",
        "rollback.podinfo.test rollback check: approved false",
        "rollback.podinfo.test rollback closed",
    ]


@pytest.mark.parametrize("path", ["/", "/gate/check", "/gate/open", "/rollback/close"])
def test_the_namespace_rule_covers_tasks_and_gates(runner: Runner, path: str) -> None:
    client = create_app(Settings(namespace_regexp="^prod"), runner).test_client()
    reply = client.post(path, data=body({"type": "bash", "cmd": "true"}))
    assert answer(reply) == (403, "Forbidden")
    assert client.post("/gate/approve", data=body()).status_code == 200


def test_an_anchored_rule_matches_whole_names(runner: Runner) -> None:
    settings = Settings(namespace_regexp="tes", namespace_anchored=True)
    assert create_app(settings, runner).test_client().post("/", data=body({})).status_code == 403


@pytest.mark.parametrize("path", ["/", "/gate/check", "/rollback/open"])
def test_bad_bodies(client: flask.testing.FlaskClient, path: str) -> None:
    reply = client.post(path, data=b"{} trailing")
    assert answer(reply) == (400, "")


def test_a_full_server_asks_to_come_back(
    client: flask.testing.FlaskClient, tmp_path: pathlib.Path
) -> None:
    hold = f"until [ -e {tmp_path}/go ]; do sleep 0.02; done"
    for number in range(2):
        assert client.post("/", data=body({"cmd": f"{hold}; : {number}"})).status_code == 202
    reply = client.post("/", data=body({"cmd": f"{hold}; : 3"}))
    assert reply.status_code == 429
    assert reply.headers["Retry-After"] == "5"
    assert client.post("/", data=body({"cmd": f"{hold}; : 0"})).status_code == 202
    (tmp_path / "go").touch()


def test_a_stopping_server_takes_no_tasks(
    client: flask.testing.FlaskClient, runner: Runner
) -> None:
    runner.close()
    assert answer(client.post("/", data=body({"cmd": "true"}))) == (503, "shutting down")
    assert answer(client.get("/readyz")) == (503, "shutting down")
    assert answer(client.get("/healthz")) == (200, "OK")


@pytest.mark.parametrize(
    ("metadata", "logged"),
    [
        ({"cmd": "echo secret-output"}, False),
        ({"cmd": "echo secret-output", "logCmdOutput": "true"}, True),
        ({"type": "bash", "cmd": "echo secret-output"}, True),
    ],
)
def test_which_output_is_logged(
    client: flask.testing.FlaskClient,
    caplog: pytest.LogCaptureFixture,
    eventually: Eventually,
    metadata: dict[str, str],
    logged: bool,
) -> None:
    caplog.set_level(logging.INFO)
    client.post("/", data=body(metadata))
    finished = "command finished echo secret-output"
    eventually(lambda: finished in caplog.messages)
    (line,) = [entry for entry in caplog.records if entry.getMessage() == finished]
    assert line.__dict__.get("output") == ("secret-output\n" if logged else None)
    assert line.__dict__["canary"] == "podinfo.test"


def test_a_failure_in_the_background_is_logged(
    client: flask.testing.FlaskClient, caplog: pytest.LogCaptureFixture, eventually: Eventually
) -> None:
    client.post("/", data=body({"cmd": "echo why; exit 7"}))
    failed = "command failed echo why; exit 7 exit status 7 why\n"
    eventually(lambda: failed in caplog.messages)


def test_task_metrics(client: flask.testing.FlaskClient) -> None:
    client.post("/", data=body({"type": "bash", "cmd": "true"}))
    client.post("/", data=body({"type": "bash", "cmd": "false"}))
    text = client.get("/metrics").text
    for result in ("success", "failure"):
        assert f'flagger_loadtester_tasks_total{{result="{result}",type="bash"}} 1.0' in text
    assert 'flagger_loadtester_tasks_running{type="bash"} 0.0' in text
