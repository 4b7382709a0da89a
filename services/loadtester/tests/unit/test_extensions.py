"""Metadata and headers that upstream does not know, with real commands."""

import json
import pathlib
from collections.abc import Callable, Iterator

import flask.testing
import pytest
from werkzeug.test import TestResponse

from flagger_loadtester import create_app
from flagger_loadtester.runner import Limits, Runner
from flagger_loadtester.settings import Settings

Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def runner() -> Iterator[Runner]:
    made = Runner(Limits(timeout=100))
    yield made
    made.close()


@pytest.fixture
def client(runner: Runner) -> flask.testing.FlaskClient:
    return create_app(Settings(), runner).test_client()


def post(
    client: flask.testing.FlaskClient, *, phase: str = "Progressing", **metadata: str
) -> TestResponse:
    document = {"name": "podinfo", "namespace": "test", "phase": phase, "checksum": "one"}
    return client.post("/", data=json.dumps(document | {"metadata": metadata}))


@pytest.mark.parametrize(
    ("metadata", "status"),
    [
        ({"type": "bash", "cmd": "true"}, 200),
        ({"type": "bash", "cmd": "false"}, 500),
        ({"cmd": "true"}, 202),
        ({"cmd": "exit 3", "failFast": "true"}, 500),
    ],
)
def test_replies_tell_the_number_of_the_task(
    client: flask.testing.FlaskClient, runner: Runner, metadata: dict[str, str], status: int
) -> None:
    reply = post(client, **metadata)
    assert reply.status_code == status
    (record,) = runner.records()
    assert reply.headers["X-Flagger-Task"] == record.id


def test_other_replies_tell_none(client: flask.testing.FlaskClient) -> None:
    for metadata in ({"type": "cmd"}, {"type": "nothing"}, {"eventMessage": "hello"}):
        assert "X-Flagger-Task" not in post(client, **metadata).headers


def test_a_skipped_task_has_the_number_of_the_running_one(
    client: flask.testing.FlaskClient,
) -> None:
    first, second = (post(client, cmd="exec sleep 1000") for _ in range(2))
    assert first.headers["X-Flagger-Task"] == second.headers["X-Flagger-Task"]


@pytest.mark.parametrize(
    ("command", "status", "text"),
    [
        ("echo why; exit 7", 500, "command echo why; exit 7 failed: why\n: exit status 7"),
        ("exec sleep 1000", 202, ""),
        ("echo fine", 202, ""),
    ],
)
def test_an_instant_failure_is_told(
    client: flask.testing.FlaskClient, command: str, status: int, text: str
) -> None:
    reply = post(client, cmd=command, failFast="true", logCmdOutput="true")
    assert (reply.status_code, reply.text) == (status, text)


def test_without_fail_fast_a_failure_is_accepted(client: flask.testing.FlaskClient) -> None:
    assert post(client, cmd="exit 7").status_code == 202


@pytest.mark.parametrize(
    ("limit", "timeout", "state"), [(100, "50ms", "timeout"), (0.05, "1h", "timeout")]
)
def test_the_shorter_limit_counts(limit: float, timeout: str, state: str) -> None:
    runner = Runner(Limits(timeout=limit))
    client = create_app(Settings(), runner).test_client()
    reply = post(client, type="bash", cmd="exec sleep 1000", timeout=timeout)
    assert reply.text == "command exec sleep 1000 failed: : signal: killed"
    assert [record.state for record in runner.records()] == [state]


def test_a_bad_timeout_is_refused(client: flask.testing.FlaskClient, runner: Runner) -> None:
    reply = post(client, cmd="true", timeout="soon")
    assert reply.status_code == 400
    assert "`timeout`" in reply.text
    assert runner.records() == []


def test_only_once(
    client: flask.testing.FlaskClient, tmp_path: pathlib.Path, eventually: Eventually
) -> None:
    file = tmp_path / "runs"
    replies = []
    for _ in range(2):
        replies.append(post(client, cmd=f"echo run >> {file}", onlyOnce="true", failFast="true"))
        eventually(file.exists)
    assert [reply.status_code for reply in replies] == [202, 202]
    assert len({reply.headers["X-Flagger-Task"] for reply in replies}) == 1
    assert file.read_text() == "run\n"


def test_events_run_nothing_and_end_what_is_over(
    client: flask.testing.FlaskClient, runner: Runner, eventually: Eventually
) -> None:
    post(client, cmd="exec sleep 1000")
    event = {"eventMessage": "hello", "eventType": "Normal", "timestamp": "1", "cmd": "true"}
    assert post(client, **event).status_code == 202
    assert [record.state for record in runner.records()] == ["running"]
    reply = post(client, phase="Succeeded", **event)
    assert (reply.status_code, reply.text) == (202, "")
    eventually(lambda: [record.state for record in runner.records()] == ["cancelled"])
