"""Tests run only if the Canary lists them (spec helmtester B.6), with a small API server."""

import pathlib
import re
from collections.abc import Callable
from typing import Any

import pytest
import pytest_httpserver
from tools.cluster import canaries, ports

Start = Callable[..., Any]

RESULT = "X-Flagger-Test-Result"
REFUSED = "flagger_helmtester_refused_total"
DECLARED = {"type": "helmv3", "cmd": "test podinfo"}


@pytest.fixture
def api(httpserver: pytest_httpserver.HTTPServer) -> canaries.Canaries:
    made = canaries.Canaries()
    made.declare("test", "podinfo", {"type": "cmd", "cmd": "hey"}, DECLARED)
    httpserver.expect_request(re.compile(r"/apis/.*")).respond_with_handler(made.answer)
    return made


@pytest.fixture
def start(
    helmtesters: Start, fake: Any, httpserver: pytest_httpserver.HTTPServer, tmp_path: pathlib.Path
) -> Start:
    token = tmp_path / "pod-token"
    token.write_text(canaries.TOKEN)
    flags = ("-verify-canary", f"-helm-path={fake.path}", f"-kube-token-file={token}")

    def start(*more: str, url: str = "") -> Any:
        return helmtesters(*flags, f"-kube-api={url or httpserver.url_for('')}", *more)

    return start


def test_a_spoofed_payload_is_refused_and_the_true_one_runs(
    api: canaries.Canaries, start: Start, fake: Any
) -> None:
    helmtester = start("-impersonate=tests")
    assert helmtester.post().status_code == 200
    assert len(fake.calls()) == 1
    # Neither runs it, nor learns the result that is kept, nor what else would be allowed.
    for cmd, kind, metadata in (
        ("test podinfo --logs", "helmv3", {}),
        ("test podinfo", "helmv3", {"returnCmdOutput": "true"}),
        ("test other", "helmv3", {}),
        ("uninstall podinfo", "other", {}),
    ):
        response = helmtester.post(cmd, kind=kind, metadata=metadata)
        assert (response.status_code, response.headers[RESULT]) == (403, "refused")
        assert response.text.startswith("task not allowed: no webhook of the Canary podinfo.test")
    response = helmtester.post(name="other", headers={"Accept": "application/json"})
    assert response.status_code == 403
    told = "task not allowed: there is no Canary other in namespace test; "
    assert response.json()["output"].startswith(told)
    assert len(fake.calls()) == 1
    assert helmtester.metric(f'{REFUSED}{{reason="undeclared"}}') == 5
    assert f"refused: {told}" in helmtester.log.read_text()
    assert set(api.users) == {None}


def test_nothing_runs_while_nobody_can_tell(
    api: canaries.Canaries, start: Start, fake: Any
) -> None:
    api.denied = True
    denied = start()
    away = start(url=f"http://127.0.0.1:{ports.free('127.0.0.1')}")
    for helmtester, why in ((denied, "to get canaries.flagger.app in namespace test"), (away, "")):
        response = helmtester.post()
        assert (response.status_code, response.headers[RESULT]) == (503, "unavailable")
        assert why in response.text
        assert "so nothing runs" in response.text
        assert helmtester.metric(f'{REFUSED}{{reason="unverified"}}') == 1
    assert fake.calls() == []
    assert fake.queries() == []


def test_what_is_handed_on_is_verified_too(
    api: canaries.Canaries, start: Start, httpserver: pytest_httpserver.HTTPServer
) -> None:
    httpserver.expect_request("/tasks", method="POST").respond_with_data("started", 202)
    helmtester = start(f"-legacy-types={httpserver.url_for('/tasks')}")
    assert helmtester.post("rm -rf /", kind="cmd").status_code == 403
    assert helmtester.post("hey", kind="cmd").status_code == 202
    handed = [request for request, _ in httpserver.log if request.path == "/tasks"]
    assert [request.get_json()["metadata"]["cmd"] for request in handed] == ["hey"]
    assert len(api.users) == 2


def test_a_token_in_the_metadata_is_no_part_of_the_task(
    api: canaries.Canaries, start: Start, fake: Any, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "callers").write_text("secret")
    api.declare("test", "podinfo", DECLARED | {"token": "secret"})
    helmtester = start(f"-auth-token-file={tmp_path}/callers")
    assert helmtester.post(metadata={"token": "wrong"}).status_code == 401
    assert helmtester.post(metadata={"token": "secret"}).status_code == 200
    assert helmtester.post("test other", metadata={"token": "secret"}).status_code == 403
    assert len(fake.calls()) == 1
