"""The contract of spec helmtester A over HTTP: a real server and a small program as Helm."""

import concurrent.futures
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
import requests

Start = Callable[..., Any]
Until = Callable[[str, Callable[[], bool]], None]

PLAIN = "text/plain; charset=utf-8"
ARGV = ["test", "podinfo", "--namespace", "test", "--timeout"]


@pytest.fixture
def fresh(helmtesters: Start, fake: Any) -> Any:
    """A process of the test's own: its counters start at zero and it may be ended."""
    return helmtesters(f"-helm-path={fake.path}")


def answer(response: requests.Response) -> tuple[int, str, str | None]:
    return response.status_code, response.text, response.headers.get("Content-Type")


@pytest.mark.parametrize(
    ("cmd", "kind", "timeout"),
    [
        ("test podinfo -n test", "helmv3", "5m0s"),
        ("test run podinfo -n test", "helmv3", "5m0s"),
        ("test podinfo --timeout 3m -n test", "helmv3", "3m0s"),
        ("test podinfo --cleanup", "helm", "5m0s"),
        ("test podinfo -n test", "helmv2", "5m0s"),
    ],
)
def test_every_documented_hook_runs(
    helmtester: Any, fake: Any, cmd: str, kind: str, timeout: str
) -> None:
    fake.plan(output="passed\n")
    assert answer(helmtester.post(cmd, kind=kind)) == (200, "", None)
    assert [call["argv"] for call in fake.calls()] == [[*ARGV, timeout]]


def test_any_path_and_any_method_take_tasks(helmtester: Any, fake: Any) -> None:
    for path in ("/", "/test", "/gate", "/gate/check/", "/a/b/c"):
        assert helmtester.post(path=path).status_code == 200
    body = b'{"NAMESPACE":"test","metadata":{"cmd":"test podinfo"}}'
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"):
        assert requests.request(method, helmtester.url(), data=body, timeout=60).status_code == 200
    assert len(fake.calls()) == 11


def test_output_is_returned_on_request(helmtester: Any, fake: Any) -> None:
    fake.plan(output="NAME: podinfo\n", errors="warning\n")
    wanted = helmtester.post(metadata={"returnCmdOutput": "true"})
    assert answer(wanted) == (200, "NAME: podinfo\nwarning\n", PLAIN)
    assert answer(helmtester.post(metadata={"returnCmdOutput": "yes"})) == (200, "", None)


@pytest.mark.parametrize(
    ("plan", "body"),
    [
        ({"code": 1}, "command test podinfo failed: : exit status 1"),
        (
            {"code": 3, "output": "hi\n", "errors": "Error: 1 error\n"},
            "command test podinfo failed: hi\nError: 1 error\n: exit status 3",
        ),
        ({"signal": signal.SIGKILL}, "command test podinfo failed: : signal: killed"),
    ],
)
def test_failures_have_upstreams_words(
    helmtester: Any, fake: Any, plan: dict[str, Any], body: str
) -> None:
    fake.plan(**plan)
    assert answer(helmtester.post("test podinfo")) == (500, body, PLAIN)


def test_the_command_is_quoted_as_received(helmtester: Any, fake: Any) -> None:
    fake.plan(code=1)
    cmd = "helm  test  run 'podinfo' --cleanup"
    note = "note: --cleanup has no meaning in Helm 3 and was dropped\n"
    note += "note: test run podinfo was read as test podinfo\n"
    assert helmtester.post(cmd).text == f"command {cmd} failed: {note}: exit status 1"


def test_a_test_over_its_time_is_killed(helmtesters: Start, fake: Any) -> None:
    helmtester = helmtesters(f"-helm-path={fake.path}", "-timeout=3s")
    fake.plan(wait=True, output="waiting\n")
    response = helmtester.post("test podinfo")
    assert answer(response) == (
        500, "command test podinfo failed: waiting\n: signal: killed", PLAIN
    )  # fmt: skip
    assert [call["argv"] for call in fake.calls()] == [[*ARGV, "3s"]]


def test_a_missing_program_fails_tests_and_readiness(helmtesters: Start) -> None:
    helmtester = helmtesters("-helm-path=no-such-helm")
    reason = 'exec: "no-such-helm": executable file not found in $PATH'
    assert answer(helmtester.post()) == (503, f"command test podinfo failed: : {reason}", PLAIN)
    assert answer(requests.get(helmtester.url("/readyz"), timeout=60)) == (503, reason, PLAIN)
    assert answer(requests.get(helmtester.url("/healthz"), timeout=60)) == (200, "OK", PLAIN)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, "", None)),
        (b"[]", (400, "", None)),
        (b'{"namespace":"test"}', (400, "metadata not found in payload", PLAIN)),
        (b'{"namespace":"test","metadata":{}}', (400, "metadata not found in payload", PLAIN)),
        (b"null", (400, "metadata not found in payload", PLAIN)),
    ],
)
def test_bodies_without_a_task(
    helmtester: Any, fake: Any, body: bytes, expected: tuple[int, str, str | None]
) -> None:
    assert answer(requests.post(helmtester.url(), data=body, timeout=60)) == expected
    assert fake.calls() == []


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"type": "cmd", "cmd": "test podinfo"}, "unknown task type cmd"),
        ({"type": "bash", "cmd": "test podinfo"}, "unknown task type bash"),
        ({"type": "kubectl", "cmd": "get pods"}, "unknown task type kubectl"),
        ({"type": "concord"}, "unknown task type concord"),
        ({"type": "ngrinder"}, "unknown task type ngrinder"),
        ({"type": "", "cmd": "test podinfo"}, "unknown task type "),
        ({"cmd": "hey -z 1m http://podinfo"}, "unknown task type cmd"),
        ({"type": "helmv3"}, "command not allowed: "),
        ({"type": "helmv3", "cmd": "uninstall podinfo"}, "command not allowed: uninstall"),
        (
            {"type": "helmv3", "cmd": "test podinfo -n prod"},
            "namespace not allowed: prod is not the canary's test",
        ),
    ],
)
def test_nothing_but_helm_test_runs(
    helmtester: Any, fake: Any, metadata: dict[str, str], message: str
) -> None:
    payload = {"name": "podinfo", "namespace": "test", "metadata": metadata}
    response = requests.post(helmtester.url(), json=payload, timeout=60)
    assert answer(response) == (400, message, PLAIN)
    assert fake.calls() == []


def test_a_missing_type_is_enough_for_a_helm_test(helmtester: Any, fake: Any) -> None:
    payload = {"namespace": "test", "metadata": {"cmd": "test podinfo"}}
    assert requests.post(helmtester.url(), json=payload, timeout=60).status_code == 200
    assert len(fake.calls()) == 1


def test_gates_are_not_here(helmtester: Any, fake: Any) -> None:
    for gate in ("gate", "rollback"):
        for action in ("check", "open", "close"):
            response = helmtester.post(path=f"/{gate}/{action}")
            assert answer(response) == (404, "Not Found", PLAIN)
    for path in ("/gate/approve", "/gate/halt"):
        assert helmtester.post(path=path).status_code == 404
    assert fake.calls() == []


def test_other_namespaces_are_refused(helmtesters: Start, fake: Any) -> None:
    helmtester = helmtesters(f"-helm-path={fake.path}", "-namespace-regexp", "^test$")
    assert answer(helmtester.post(namespace="prod")) == (403, "Forbidden", PLAIN)
    assert helmtester.post().status_code == 200
    assert len(fake.calls()) == 1


def test_settings_come_from_the_environment_too(helmtesters: Start, fake: Any) -> None:
    helmtester = helmtesters(HELMTESTER_HELM_PATH=fake.path, HELMTESTER_TIMEOUT="1m")
    assert helmtester.post().status_code == 200
    assert fake.calls()[0]["argv"] == [*ARGV, "1m0s"]
    assert not any(name.startswith("HELMTESTER_") for name in fake.calls()[0]["env"])


def test_the_same_hook_joins_the_running_test(fresh: Any, fake: Any, until: Until) -> None:
    fake.plan(wait=True, output="passed\n")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        ask = {"metadata": {"returnCmdOutput": "true"}}
        first = pool.submit(fresh.post, **ask)
        until("helm runs", lambda: len(fake.calls()) == 1)
        # A client that gives up changes nothing, and the controller asks again.
        with pytest.raises(requests.ReadTimeout):
            requests.post(
                fresh.url(),
                json={
                    "name": "podinfo",
                    "namespace": "test",
                    "checksum": "a",
                    "metadata": {"type": "helmv3", "cmd": "test podinfo"},
                },
                timeout=0.2,
            )
        second = pool.submit(fresh.post, cmd="helm test podinfo", **ask)
        until("three ask", lambda: fresh.metric("flagger_helmtester_queue_depth") == 2)
        assert fresh.metric("flagger_helmtester_running") == 1
        fake.go()
        assert answer(first.result()) == answer(second.result()) == (200, "passed\n", PLAIN)
    assert len(fake.calls()) == 1
    until("joined", lambda: fresh.metric("flagger_helmtester_joined_total") == 2)
    assert fresh.metric('flagger_helmtester_tests_total{namespace="test",result="passed"}') == 1
    fresh.post(metadata={"cache": "false"})
    assert len(fake.calls()) == 2


def test_two_canaries_of_one_release_take_turns(fresh: Any, fake: Any, until: Until) -> None:
    fake.plan(wait=True)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        first = pool.submit(fresh.post)
        until("helm runs", lambda: len(fake.calls()) == 1)
        second = pool.submit(fresh.post, name="other")
        third = pool.submit(fresh.post, checksum="b")
        until("three ask", lambda: fresh.metric("flagger_helmtester_queue_depth") == 2)
        assert (fresh.metric("flagger_helmtester_running"), len(fake.calls())) == (1, 1)
        fake.go()
        assert [f.result().status_code for f in (first, second, third)] == [200, 200, 200]
    assert len(fake.calls()) == 3


def test_too_many_requests_are_sent_away_and_probes_still_answer(
    helmtesters: Start, fake: Any, until: Until
) -> None:
    helmtester = helmtesters(
        f"-helm-path={fake.path}", "-max-concurrency=1", "-queue-size=1", "-queue-timeout=60s"
    )
    fake.plan(wait=True)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(helmtester.post, checksum=checksum) for checksum in "ab"]
        until("two ask", lambda: helmtester.metric("flagger_helmtester_queue_depth") == 1)
        refused = helmtester.post(checksum="c")
        assert answer(refused) == (429, "too many tests are running or waiting", PLAIN)
        assert int(refused.headers["Retry-After"]) > 0
        assert requests.get(helmtester.url("/healthz"), timeout=60).status_code == 200
        fake.go()
        assert [future.result().status_code for future in asked] == [200, 200]


def test_running_tests_are_answered_after_sigterm(fresh: Any, fake: Any, until: Until) -> None:
    fake.plan(wait=True)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(fresh.post)
        until("helm runs", lambda: len(fake.calls()) == 1)
        os.kill(fresh.process.pid, signal.SIGTERM)
        until("told to end", lambda: "Handling signal: term" in fresh.log.read_text())
        fake.go()
        assert asked.result().status_code == 200
    assert fresh.process.wait(60) == 0
