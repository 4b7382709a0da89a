"""What the answers say beside upstream's contract, and who gets one (spec helmtester B)."""

import datetime
import hashlib
import hmac
import json
import pathlib
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
import pytest_httpserver
import requests
from tools.cluster import ports

Start = Callable[..., Any]
Until = Callable[[str, Callable[[], bool]], None]

RESULT = "X-Flagger-Test-Result"
JSON = {"Accept": "application/json"}
DENIED = 'Error: pods is forbidden: User "x" cannot create resource "pods" in API group ""\n'


def status(*tests: tuple[str, str], revision: int = 3) -> dict[str, Any]:
    """Describe a release as Helm does after a run that ends in an hour."""
    later = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)).isoformat()
    hooks = [
        {
            "name": name,
            "events": ["test"],
            "last_run": {"started_at": later, "completed_at": later, "phase": phase},
        }
        for name, phase in tests
    ]
    return {"version": revision, "hooks": hooks}


@pytest.mark.parametrize(
    ("plan", "result", "default", "other"),
    [
        ({}, "passed", 200, 200),
        ({"code": 1, "output": "Error: pod smoke failed\n"}, "failed", 500, 422),
        ({"code": 1, "output": "Error: release: not found\n"}, "release-not-found", 500, 404),
        ({"code": 1, "output": DENIED}, "forbidden", 500, 422),
        ({"code": 1, "output": "Error: timed out waiting for the condition"}, "timeout", 500, 504),
        ({"code": 1, "output": "Error: Kubernetes cluster unreachable: x"}, "unavailable", 503,
         503),
    ],
)  # fmt: skip
def test_results_are_classed(
    helmtester: Any, fake: Any, plan: dict[str, Any], result: str, default: int, other: int
) -> None:
    fake.plan(**plan)
    response = helmtester.post()
    assert (response.status_code, response.headers[RESULT]) == (default, result)
    response = helmtester.post(metadata={"failureStatus": "422"})
    assert (response.status_code, response.headers[RESULT]) == (other, result)
    right = "create pods" if result == "forbidden" else None
    assert response.headers.get("X-Flagger-Missing-Right") == right


def test_refusals_are_classed(helmtester: Any, fake: Any) -> None:
    response = helmtester.post("uninstall podinfo")
    assert (response.status_code, response.headers[RESULT]) == (400, "refused")
    for wrong in ("200", "99", "600", "four", "4²2"):
        response = helmtester.post(metadata={"failureStatus": wrong})
        assert response.status_code == 400
        assert response.text == f"failureStatus not allowed: {wrong} is not 400 to 599"
    assert fake.calls() == []


def test_the_operator_chooses_the_status_of_failures(helmtesters: Start, fake: Any) -> None:
    helmtester = helmtesters(f"-helm-path={fake.path}", "-failure-status=422", "-timeout=2s")
    fake.plan(code=1)
    assert helmtester.post().status_code == 422
    assert helmtester.post(metadata={"failureStatus": "500"}).status_code == 500
    fake.plan(wait=True)
    response = helmtester.post()
    assert (response.status_code, response.headers[RESULT]) == (504, "timeout")


def test_tests_stand_before_the_output(helmtester: Any, fake: Any) -> None:
    logs = "".join(f"line {number}\n" for number in range(20))
    output = f"NAME: podinfo\n\nPOD LOGS: good\nfine\n\nPOD LOGS: bad\n{logs}\nError: x\n"
    fake.plan(code=1, output=output, status=status(("good", "Succeeded"), ("bad", "Failed")))
    last = "".join(f"line {number}\n" for number in range(10, 20))
    body = f"test good: Succeeded\ntest bad: Failed\n{last}{output}"
    assert helmtester.post().text == f"command test podinfo failed: {body}: exit status 1"
    assert fake.queries()[0]["argv"] == [
        "status", "podinfo", "--namespace", "test", "--output", "json"
    ]  # fmt: skip


def test_json_on_request(helmtester: Any, fake: Any) -> None:
    fake.plan(output="passed\n", status=status(("smoke", "Succeeded")))
    response = helmtester.post("helm test podinfo --cleanup", headers=JSON)
    assert response.status_code == 200
    told = response.json()
    (test,) = told.pop("tests")
    assert test.pop("started") == test.pop("completed")
    assert test == {"name": "smoke", "phase": "Succeeded", "exitCode": None, "log": ""}
    assert told.pop("duration") > 0
    assert told == {
        "result": "passed",
        "release": "podinfo",
        "namespace": "test",
        "revision": 3,
        "output": "note: --cleanup has no meaning in Helm 3 and was dropped\npassed\n",
        "reason": "",
        "missing": "",
    }
    fake.plan(code=1, output=DENIED)
    told = helmtester.post(headers=JSON).json()
    assert (told["result"], told["missing"], told["revision"]) == ("forbidden", "create pods", None)
    refused = helmtester.post("get podinfo", headers=JSON)
    assert refused.status_code == 400
    assert refused.json() == {"result": "refused", "output": "command not allowed: get"}


def test_text_is_what_everybody_else_gets(helmtester: Any, fake: Any) -> None:
    fake.plan(output="passed\n")
    for accepted in ("*/*", "text/html", "text/html, */*;q=0.8", "text/plain, application/json"):
        response = helmtester.post(
            metadata={"returnCmdOutput": "true"}, headers={"Accept": accepted}
        )
        assert response.text == "passed\n"


def test_a_passed_test_answers_again_for_a_while(helmtesters: Start, fake: Any) -> None:
    helmtester = helmtesters(f"-helm-path={fake.path}", "-result-cache-ttl=1h")
    fake.plan(output="first\n")
    ask = {"metadata": {"returnCmdOutput": "true"}, "phase": "Progressing"}
    assert helmtester.post(**ask).text == "first\n"
    fake.plan(output="second\n")
    assert helmtester.post(**ask).text == "first\n"
    assert len(fake.calls()) == 1
    assert helmtester.metric("flagger_helmtester_joined_total") == 1
    changed: list[dict[str, Any]] = [
        {"phase": "Promoting"},
        {"checksum": "b"},
        {"name": "other"},
        {"cmd": "test podinfo --logs"},
        {"metadata": {"returnCmdOutput": "true", "cache": "false"}},
    ]
    for change in changed:
        assert helmtester.post(**{**ask, **change}).text == "second\n"
    assert len(fake.calls()) == 6


def test_a_failed_test_is_run_again(helmtesters: Start, fake: Any) -> None:
    helmtester = helmtesters(f"-helm-path={fake.path}", "-result-cache-ttl=1h")
    fake.plan(code=1)
    assert helmtester.post().status_code == 500
    fake.plan()
    assert helmtester.post().status_code == 200
    assert len(fake.calls()) == 2


def test_rewrites_are_logged_once_per_canary(fresh: Any, fake: Any) -> None:
    for name in ("podinfo", "podinfo", "other"):
        again = {"cache": "false"}
        assert fresh.post("test podinfo --cleanup", name=name, metadata=again).status_code == 200
    assert len(fake.calls()) == 3
    lines = [json.loads(line) for line in fresh.log.read_text().splitlines()]
    notes = [line["canary"] for line in lines if "was dropped" in line["msg"]]
    assert notes == ["podinfo.test", "other.test"]


def test_releases_of_listed_namespaces_may_be_tested(helmtesters: Start, fake: Any) -> None:
    helmtester = helmtesters(
        f"-helm-path={fake.path}",
        "-release-namespaces=shared, prod",
        "-namespace-regexp=te.t|shared",
    )
    assert helmtester.post("test podinfo -n shared").status_code == 200
    assert fake.calls()[0]["argv"][3] == "shared"
    # Listed, but outside the expression, which has to match the whole name.
    assert helmtester.post("test podinfo -n prod").status_code == 403
    assert helmtester.post(namespace="latest").status_code == 403
    assert helmtester.post("test podinfo -n other").status_code == 400
    assert len(fake.calls()) == 1


def test_the_default_namespace_can_be_the_pods(helmtesters: Start, fake: Any) -> None:
    helmtester = helmtesters(
        f"-helm-path={fake.path}", "-default-namespace=pod", POD_NAMESPACE="tests"
    )
    assert helmtester.post("test podinfo").status_code == 200
    assert helmtester.post("test podinfo -n test").status_code == 200
    assert [call["argv"][3] for call in fake.calls()] == ["tests", "test"]


def test_helm_acts_as_an_account_of_the_releases_namespace(helmtesters: Start, fake: Any) -> None:
    helmtester = helmtesters(f"-helm-path={fake.path}", "-impersonate=tests")
    assert helmtester.post(namespace="shop").status_code == 200
    identity = ["--kube-as-user", "system:serviceaccount:shop:tests"]
    assert fake.calls()[0]["argv"][-2:] == identity
    assert fake.queries()[0]["argv"][-2:] == identity


def test_callers_need_the_secret(helmtesters: Start, fake: Any, tmp_path: pathlib.Path) -> None:
    token, key = tmp_path / "token", tmp_path / "key"
    token.write_text("secret-token\n")
    key.write_text("key\n")
    helmtester = helmtesters(
        f"-helm-path={fake.path}", f"-auth-token-file={token}", f"-auth-hmac-key-file={key}"
    )
    assert helmtester.post().status_code == 401
    assert helmtester.post(headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert fake.calls() == []
    assert helmtester.post(headers={"Authorization": "Bearer secret-token"}).status_code == 200
    assert helmtester.post(metadata={"token": "secret-token"}).status_code == 200
    body = b'{"namespace":"test","metadata":{"cmd":"test podinfo"}}'
    at = str(int(time.time()))
    digest = hmac.new(b"key", f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"X-Flagger-Timestamp": at, "X-Flagger-Signature": f"sha256={digest}"}
    signed = requests.post(helmtester.url(), data=body, headers=headers, timeout=60)
    assert signed.status_code == 200
    assert requests.get(helmtester.url("/healthz"), timeout=60).status_code == 200
    assert "secret-token" not in helmtester.log.read_text()


def test_a_test_that_nobody_waits_for_goes_on(fresh: Any, fake: Any, until: Until) -> None:
    fake.plan(wait=True)
    gone(fresh, fake, until)
    until("one still runs", lambda: fresh.metric("flagger_helmtester_running") == 1)
    fake.go()
    passed = 'flagger_helmtester_tests_total{namespace="test",result="passed"}'
    until("it has passed", lambda: fresh.metric(passed) == 1)


def test_a_test_that_nobody_waits_for_can_be_ended(
    helmtesters: Start, fake: Any, until: Until
) -> None:
    helmtester = helmtesters(f"-helm-path={fake.path}", "-cancel-on-disconnect")
    fake.plan(wait=True)
    gone(helmtester, fake, until)
    ended = 'flagger_helmtester_tests_total{namespace="test",result="unavailable"}'
    until("it was ended", lambda: helmtester.metric(ended) == 1)


def gone(helmtester: Any, fake: Any, until: Until) -> None:
    """Ask, and leave when the test runs."""
    body = b'{"name":"podinfo","namespace":"test","checksum":"a","metadata":'
    body += b'{"type":"helmv3","cmd":"test podinfo"}}'
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", helmtester.port)) as client:
        client.sendall(head + body)
        until("helm runs", lambda: len(fake.calls()) == 1)


def test_other_tasks_can_be_handed_on(
    helmtesters: Start, fake: Any, httpserver: pytest_httpserver.HTTPServer
) -> None:
    headers = {"Authorization": "Bearer t"}
    expected = httpserver.expect_request("/tasks", method="POST", headers=headers)
    expected.respond_with_data("started", 202)
    helmtester = helmtesters(
        f"-helm-path={fake.path}", f"-legacy-types={httpserver.url_for('/tasks')}"
    )
    for kind in ("cmd", "bash", "kubectl", "concord", "ngrinder"):
        response = helmtester.post("hey", kind=kind, headers=headers)
        assert (response.status_code, response.text) == (202, "started")
        (handed, _) = httpserver.log[-1]
        assert handed.get_json()["metadata"] == {"type": kind, "cmd": "hey"}
    assert helmtester.post("hey", kind="cmd").status_code == 500  # its own answer to no token
    assert helmtester.post(kind="other").status_code == 400
    assert helmtester.post().status_code == 200
    assert len(fake.calls()) == 1


def test_a_load_tester_that_is_away_is_unavailable(helmtesters: Start) -> None:
    nobody = ports.free("127.0.0.1")
    helmtester = helmtesters(f"-legacy-types=http://127.0.0.1:{nobody}/")
    response = helmtester.post("hey", kind="cmd")
    assert (response.status_code, response.text) == (503, "the load tester cannot be reached")


@pytest.fixture
def fresh(helmtesters: Start, fake: Any) -> Any:
    """A process of the test's own: its counters start at zero."""
    return helmtesters(f"-helm-path={fake.path}")
