"""Tests that are Jobs, in a real server process and with a small API server (spec B.10)."""

import concurrent.futures
import json
import pathlib
import re
from collections.abc import Callable
from typing import Any

import pytest
import pytest_httpserver
import werkzeug

Start = Callable[..., Any]
Until = Callable[[str, Callable[[], bool]], None]

RESULT = "X-Flagger-Test-Result"
TEMPLATE = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "spec": {"template": {"spec": {"containers": [{"name": "smoke", "image": "example/smoke:1"}]}}},
}
JOBS = "/apis/batch/v1/namespaces/test/jobs"
FAILED = [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]
COMPLETE = [{"type": "Complete", "status": "True"}]


class Api:
    """An API server with one ConfigMap, Jobs, and a pod for each of them."""

    def __init__(self, server: pytest_httpserver.HTTPServer) -> None:
        self.data = {"smoke.json": json.dumps(TEMPLATE), "wrong": "kind: [Job"}
        self.jobs: dict[str, Any] = {}
        self.created: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.users: set[str | None] = set()
        self.denied: str = ""
        self.broken = 0
        server.expect_request(re.compile(r".*")).respond_with_handler(self.answer)

    def answer(self, request: werkzeug.Request) -> werkzeug.Response:
        self.users.add(request.headers.get("Impersonate-User"))
        if request.headers.get("Authorization") != "Bearer pod-token":
            return said(401, "Unauthorized")
        if request.path == self.denied:
            return said(403, f'User "x" cannot {request.method.lower()} resource "jobs"')
        if request.path == "/api/v1/namespaces/test/configmaps/helmtester-jobs":
            return document(200, {"data": self.data})
        if request.path.startswith(JOBS):
            return self._job(request, request.path.removeprefix(JOBS).strip("/"))
        if request.path == "/api/v1/namespaces/test/pods":
            return document(200, {"items": self._pods(request.args["labelSelector"])})
        if re.fullmatch(r"/api/v1/namespaces/test/pods/[^/]+/log", request.path):
            assert request.args["container"] == "smoke"
            return werkzeug.Response("one\ntwo\n")
        if request.path == "/api/v1/namespaces/test/pods/smoke":
            ended = [{"state": {"terminated": {"exitCode": code}}} for code in (0, 3)]
            return document(200, {"status": {"containerStatuses": ended}})
        return said(404, f"{request.path} not found")

    def _job(self, request: werkzeug.Request, name: str) -> werkzeug.Response:
        if request.method == "POST":
            made = json.loads(request.get_data())
            name = made["metadata"]["name"]
            if name in self.jobs:
                return said(409, f'jobs.batch "{name}" already exists')
            self.created.append(made)
            self.jobs[name] = made
            return document(201, made)
        if name not in self.jobs:
            return said(404, f'jobs.batch "{name}" not found')
        if request.method == "DELETE":
            assert request.args["propagationPolicy"] == "Background"
            self.deleted.append(name)
            return document(200, self.jobs.pop(name))
        if self.broken:
            self.broken -= 1
            return said(500, "etcd is slow")
        return document(200, self.jobs[name])

    def _pods(self, selector: str) -> list[dict[str, Any]]:
        job = self.jobs[selector.removeprefix("job-name=")]
        good = job["status"]["conditions"] == COMPLETE
        ended = {"exitCode": 0 if good else 3}
        status = {
            "phase": "Succeeded" if good else "Failed",
            "containerStatuses": [{"state": {"terminated": ended}}],
        }
        containers = [{"name": "smoke"}]
        return [
            {"metadata": {"name": "pod-1"}, "spec": {"containers": containers}, "status": status}
        ]

    def finish(self, conditions: list[dict[str, str]]) -> None:
        """Do what the Job controller does at the end."""
        for job in self.jobs.values():
            job["status"] = {"conditions": conditions}


def document(status: int, content: object) -> werkzeug.Response:
    return werkzeug.Response(json.dumps(content), status, content_type="application/json")


def said(status: int, message: str) -> werkzeug.Response:
    return document(status, {"kind": "Status", "code": status, "message": message})


@pytest.fixture
def api(httpserver: pytest_httpserver.HTTPServer) -> Api:
    return Api(httpserver)


@pytest.fixture
def start(
    helmtesters: Start, httpserver: pytest_httpserver.HTTPServer, tmp_path: pathlib.Path
) -> Start:
    def start(*arguments: str) -> Any:
        token = tmp_path / "pod-token"
        token.write_text("pod-token\n")
        url = httpserver.url_for("")
        return helmtesters("-jobs", f"-kube-api={url}", f"-kube-token-file={token}", *arguments)

    return start


def ask(helmtester: Any, template: str = "helmtester-jobs/smoke.json", **metadata: str) -> Any:
    metadata |= {"template": template, "returnCmdOutput": "true"}
    return helmtester.post(kind="job", metadata=metadata)


def test_a_job_is_made_waited_for_and_removed(api: Api, start: Start, until: Until) -> None:
    helmtester = start("-timeout=10m")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, helmtester)
        until("the job is there", lambda: len(api.jobs) == 1)
        second = pool.submit(ask, helmtester)
        until("both ask", lambda: helmtester.metric("flagger_helmtester_queue_depth") == 1)
        api.broken = 2
        api.finish(COMPLETE)
        for response in (first.result(), second.result()):
            assert (response.status_code, response.headers[RESULT]) == (200, "passed")
            assert response.text == "POD LOGS: pod-1\none\ntwo\n\n"
    (made,) = api.created
    assert made["metadata"]["namespace"] == "test"
    assert made["spec"]["activeDeadlineSeconds"] == 600
    assert api.deleted == [made["metadata"]["name"]]
    assert api.jobs == {}


def test_a_job_that_fails(api: Api, start: Start, until: Until) -> None:
    helmtester = start("-impersonate=tests")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, helmtester, timeout="90s")
        until("the job is there", lambda: len(api.jobs) == 1)
        api.finish(FAILED)
        response = asked.result()
    (name,) = api.deleted
    assert (response.status_code, response.headers[RESULT]) == (500, "failed")
    assert response.text == (
        "command helmtester-jobs/smoke.json failed: test pod-1: Failed, exit code 3\none\ntwo\n"
        f"POD LOGS: pod-1\none\ntwo\n\n: job {name} failed: BackoffLimitExceeded"
    )
    assert api.created[0]["spec"]["activeDeadlineSeconds"] == 90
    assert api.users == {"system:serviceaccount:test:tests"}


def test_a_job_left_behind_is_found_again(api: Api, start: Start, until: Until) -> None:
    helmtester = start("-result-cache-ttl=0s")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, helmtester)
        until("the job is there", lambda: len(api.jobs) == 1)
        helmtester.kill()
        with pytest.raises(Exception, match=r"[Cc]onnection"):
            asked.result()
        other = start()
        asked = pool.submit(ask, other)
        until("it runs", lambda: other.metric("flagger_helmtester_running") == 1)
        api.finish(COMPLETE)
        assert asked.result().status_code == 200
    assert (len(api.created), len(api.deleted)) == (1, 1)


def test_somebody_elses_job_is_left_alone(api: Api, start: Start, until: Until) -> None:
    helmtester = start()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, helmtester)
        until("the job is there", lambda: len(api.jobs) == 1)
        ((name, theirs),) = api.jobs.items()
        api.finish(FAILED)
        asked.result()
    api.jobs[name] = {**theirs, "metadata": {"name": name}}
    response = ask(helmtester)
    assert response.status_code == 500
    assert response.text.endswith(f'jobs.batch "{name}" already exists')
    assert name in api.jobs


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("", "template not allowed:  is not configmap/key"),
        ("helmtester-jobs", "template not allowed: helmtester-jobs is not configmap/key"),
        ("settings/smoke.json", "template not allowed: config map settings"),
    ],
)
def test_templates_that_are_refused(api: Api, start: Start, template: str, message: str) -> None:
    response = ask(start(), template)
    assert (response.status_code, response.text) == (400, message)
    assert api.created == []


def test_templates_that_cannot_be_used(api: Api, start: Start) -> None:
    helmtester = start()
    for template, message in [
        ("helmtester-jobs/none", "template not found: config map helmtester-jobs has no none"),
        ("helmtester-other/x", "template not found: "),
        ("helmtester-jobs/wrong", "template not allowed: not YAML"),
    ]:
        response = ask(helmtester, template)
        assert (response.status_code, response.headers[RESULT]) == (400, "refused")
        assert f"failed: : {message}" in response.text
    assert api.created == []


def test_missing_rights_are_named(api: Api, start: Start) -> None:
    api.denied = JOBS
    response = ask(start())
    assert (response.status_code, response.headers[RESULT]) == (500, "forbidden")
    assert response.headers["X-Flagger-Missing-Right"] == "post jobs"


def test_an_api_server_that_talks_nonsense_is_unavailable(
    httpserver: pytest_httpserver.HTTPServer, start: Start
) -> None:
    httpserver.expect_request(re.compile(r".*")).respond_with_data("<html>", 200)
    response = ask(start())
    assert (response.status_code, response.headers[RESULT]) == (503, "unavailable")
    assert "the answer is no JSON" in response.text


def test_exit_codes_of_helms_pods_are_told(api: Api, start: Start, fake: Any) -> None:
    later = "2999-01-01T00:00:00Z"
    run = {"started_at": later, "phase": "Failed"}
    hooks = [{"name": name, "events": ["test"], "last_run": run} for name in ("smoke", "gone")]
    fake.plan(code=1, status={"version": 1, "hooks": hooks})
    response = start(f"-helm-path={fake.path}").post("test podinfo")
    tests = "test smoke: Failed, exit code 3\ntest gone: Failed\n"
    assert response.text == f"command test podinfo failed: {tests}: exit status 1"
    assert api.users == {None}


def test_jobs_are_off_by_default(helmtester: Any) -> None:
    response = ask(helmtester)
    assert (response.status_code, response.text) == (400, "unknown task type job")
