"""Concord and nGrinder against loopback servers that speak their protocols."""

import base64
import dataclasses
import json
import pathlib

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from flagger_common.confinement import Confinement
from flagger_common.payload import CanaryWebhookPayload
from flagger_common.plan import Plan
from flagger_loadtester import tasks
from flagger_loadtester.outcome import Outcome
from flagger_loadtester.tasks import base, concord, ngrinder


@dataclasses.dataclass
class Clock:
    """A context whose time is counted in pauses."""

    limit: float = 100.0
    pauses: list[float] = dataclasses.field(default_factory=list)

    def execute(self, plan: Plan, confinement: Confinement | None = None) -> Outcome:
        raise AssertionError(plan)

    def pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return sum(self.pauses) <= self.limit


def prepare(metadata: dict[str, str]) -> base.Work:
    payload = CanaryWebhookPayload(name="podinfo", namespace="test", metadata=metadata)
    return tasks.find(metadata, tasks.TASKS).prepare(payload)


@pytest.fixture
def key(tmp_path: pathlib.Path) -> pathlib.Path:
    file = tmp_path / "key"
    file.write_text("secret\n")
    return file


def concord_metadata(server: str, key: pathlib.Path, **more: str) -> dict[str, str]:
    return {
        "type": "concord",
        "server": server,
        "org": "Org",
        "project": "Project",
        "repo": "Repo",
        "entrypoint": "main",
        "apiKeyPath": str(key),
        "endpoint": "http://podinfo-canary.test",
        "arguments.b": "2",
        "arguments.a": "1",
    } | more


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("FINISHED", ""),
        ("FAILED", "concord instanceID: 42 failed"),
        ("TIMED_OUT", "concord instanceID: 42 failed"),
    ],
)
def test_concord_starts_and_polls(
    httpserver: HTTPServer, key: pathlib.Path, status: str, reason: str
) -> None:
    def start(request: Request) -> Response:
        assert request.headers["Authorization"] == "secret"
        assert list(request.form.items(multi=True)) == [
            ("org", "Org"),
            ("project", "Project"),
            ("repo", "Repo"),
            ("entryPoint", "main"),
            ("arguments.endpoint", "http://podinfo-canary.test"),
            ("arguments.a", "1"),
            ("arguments.b", "2"),
        ]
        return Response(json.dumps({"instanceId": "42", "ok": True}), 500)

    httpserver.expect_ordered_request("/api/v1/process", "POST").respond_with_handler(start)
    poll = ("/api/v1/process/42", "GET")
    httpserver.expect_ordered_request(*poll).respond_with_json({"status": "RUNNING"})
    httpserver.expect_ordered_request(*poll, headers={"Authorization": "secret"}).respond_with_json(
        {"status": status}
    )
    clock = Clock()
    work = prepare(concord_metadata(httpserver.url_for("/ignored/"), key))
    outcome = work.run(clock)
    httpserver.check_assertions()
    assert outcome.reason == reason
    assert work.failure(outcome) == reason
    assert clock.pauses == [5, 5]


def test_concord_faults(httpserver: HTTPServer, key: pathlib.Path) -> None:
    start = httpserver.expect_request("/api/v1/process", "POST")
    work = prepare(concord_metadata(httpserver.url_for(""), key))
    start.respond_with_data("no json")
    assert work.run(Clock()).reason.startswith("failed starting process: the answer is not JSON")
    start.respond_with_json({"ok": False})
    assert work.run(Clock()).reason == "failed starting process: no instanceId in the answer"
    start.respond_with_json({"instanceId": "42"})
    assert work.run(Clock(limit=4)).reason == "context timedout"
    httpserver.expect_request("/api/v1/process/42").respond_with_json(["no object"])
    assert work.run(Clock()).reason.startswith("failed checking status: ")
    short = prepare(concord_metadata(httpserver.url_for(""), key, pollTimeout="3"))
    assert short.run(Clock()).reason == "concord process timed out, after 3 seconds"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"org": "", "endpoint": ""}, "`org` is required with type concord"),
        ({"apiKeyPath": "/no/such/file"}, "`apiKeyPath` file doesn't exist /no/such/file"),
        ({"endpoint": ""}, "`endpoint` is required with type concord"),
        ({"pollInterval": "5s"}, "unable to convert `pollInterval` to int"),
        ({"pollTimeout": ""}, "unable to convert `pollTimeout` to int"),
        ({"pollInterval": "0"}, "`pollInterval` must be positive"),
        ({"arguments.endpoint": "x"}, "`arguments.endpoint` is set by `endpoint`"),
    ],
)
def test_concord_metadata_are_checked(change: dict[str, str], text: str, key: pathlib.Path) -> None:
    with pytest.raises(base.TaskError) as caught:
        prepare(concord_metadata("http://concord", key) | change)
    assert str(caught.value) == text
    assert concord.TASK.refusal == 500


def ngrinder_metadata(server: str, **more: str) -> dict[str, str]:
    return {
        "type": "ngrinder",
        "server": server,
        "clone": "7",
        "username": "admin",
        "passwd": base64.b64encode(b"pass").decode(),
    } | more


AUTH = {"Authorization": "Basic " + base64.b64encode(b"admin:pass").decode()}


@pytest.mark.parametrize(
    ("interval", "seconds"), [("5s", 5.0), ("", 1.0), ("soon", 1.0), ("0s", 1.0), ("-1s", 1.0)]
)
@pytest.mark.parametrize("path", ["/base", "/base/"])
def test_ngrinder_clones_and_polls(
    httpserver: HTTPServer, path: str, interval: str, seconds: float
) -> None:
    api = "/base/perftest/api"
    poll = (f"{api}/9/status", "GET")
    httpserver.expect_ordered_request(
        f"{api}/7/clone_and_start", "POST", headers=AUTH
    ).respond_with_json({"id": 9})
    httpserver.expect_ordered_request(*poll).respond_with_data("no json")
    httpserver.expect_ordered_request(*poll).respond_with_json({"success": False})
    httpserver.expect_ordered_request(*poll).respond_with_json({"status": []})
    httpserver.expect_ordered_request(*poll, headers=AUTH).respond_with_json(
        {"status": [{"status_id": "FINISHED"}]}
    )
    clock = Clock()
    work = prepare(ngrinder_metadata(httpserver.url_for(path), pollInterval=interval))
    assert work.run(clock) == Outcome("")
    httpserver.check_assertions()
    assert clock.pauses == [seconds] * 4


@pytest.mark.parametrize("status", ["STOP_BY_ERROR", "CANCELED", "UNKNOWN"])
def test_ngrinder_failures(httpserver: HTTPServer, status: str) -> None:
    httpserver.expect_request("/perftest/api/7/clone_and_start").respond_with_json({"id": 9})
    httpserver.expect_request("/perftest/api/9/status").respond_with_json(
        {"status": [{"status_id": status}]}
    )
    outcome = prepare(ngrinder_metadata(httpserver.url_for(""))).run(Clock())
    assert outcome.reason == f"test 9 ended as {status}"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"success": False, "message": "no quota"}, "refused: no quota"),
        ({"id": "9"}, "no id in the answer"),
        ({}, "no id in the answer"),
    ],
)
def test_ngrinder_cannot_start(
    httpserver: HTTPServer, answer: dict[str, object], reason: str
) -> None:
    httpserver.expect_request("/perftest/api/7/clone_and_start").respond_with_json(answer)
    outcome = prepare(ngrinder_metadata(httpserver.url_for(""))).run(Clock())
    assert outcome.reason == f"clone and start failed: {reason}"


def test_ngrinder_is_stopped_at_the_limit(httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/perftest/api/7/clone_and_start").respond_with_json(
        {"id": 9}
    )
    httpserver.expect_ordered_request(
        "/perftest/api/9", "PUT", query_string="action=stop", headers=AUTH
    ).respond_with_json({"success": True})
    outcome = prepare(ngrinder_metadata(httpserver.url_for(""))).run(Clock(limit=0))
    httpserver.check_assertions()
    assert outcome.reason == "test 9 is out of time"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"username": ""}, "server, clone, username and passwd are required metadata"),
        ({"clone": "seven"}, "metadata clone must be integer: "),
        ({"passwd": "%"}, "metadata password is invalid: "),
        ({"server": "http://[::1"}, "invalid url: "),
        ({"server": "nowhere"}, "invalid url: "),
    ],
)
def test_ngrinder_metadata_are_checked(change: dict[str, str], text: str) -> None:
    with pytest.raises(base.TaskError) as caught:
        prepare(ngrinder_metadata("http://ngrinder") | change)
    assert str(caught.value).startswith(text)
    assert ngrinder.TASK.refusal == 400


def test_ngrinder_identity_is_canary_and_test() -> None:
    work = prepare(ngrinder_metadata("http://ngrinder"))
    assert work.identity == ("podinfo.test", "ngrinder", "7")
    assert "pass" not in repr(work)


def test_an_endless_answer_is_refused(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/perftest/api/7/clone_and_start").respond_with_data("x" * 1_100_000)
    outcome = prepare(ngrinder_metadata(httpserver.url_for(""))).run(Clock())
    assert outcome.reason == "clone and start failed: the answer is too large"


def test_a_dead_server_is_a_failure(httpserver: HTTPServer) -> None:
    work = prepare(ngrinder_metadata("http://127.0.0.1:1"))
    assert work.run(Clock()).reason.startswith("clone and start failed: ")
