"""Tasks run only if the Canary lists them (loadtester.md 8.2.5), with a small API server."""

import json
import pathlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import pytest_httpserver
import requests
from tools.cluster import canaries, ports

if TYPE_CHECKING:
    from .conftest import Service

Serve = Callable[..., "Service"]
Eventually = Callable[[Callable[[], object]], None]

MODES = ["-compat=false", "-compat"]
REJECTED = "flagger_loadtester_tasks_rejected_total"


@pytest.fixture
def api(httpserver: pytest_httpserver.HTTPServer) -> canaries.Canaries:
    made = canaries.Canaries()
    httpserver.expect_request(re.compile(r".*")).respond_with_handler(made.answer)
    return made


@pytest.fixture
def start(serve: Serve, httpserver: pytest_httpserver.HTTPServer, tmp_path: pathlib.Path) -> Serve:
    """Start servers whose tasks may leave marks, see `marks`."""
    program = tmp_path / "mark"
    program.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/marks\n')
    program.chmod(0o755)
    (tmp_path / "policy.yaml").write_text('namespaces: {"*": {arguments: {mark: [".*"]}}}')
    (tmp_path / "pod-token").write_text(canaries.TOKEN)
    flags = (
        "-verify-canary",
        f"-kube-token-file={tmp_path}/pod-token",
        "-allowed-commands=mark",
        f"-policy-file={tmp_path}/policy.yaml",
    )

    def start(*more: str, mode: str = MODES[0], url: str = "") -> "Service":
        where = f"-kube-api={url or httpserver.url_for('')}"
        return serve(*flags, where, *more, path=f"{tmp_path}:", mode=mode)

    return start


@pytest.fixture
def marks(tmp_path: pathlib.Path) -> Callable[[], list[str]]:
    """Return what tasks have left."""
    file = tmp_path / "marks"
    return lambda: file.read_text().split() if file.exists() else []


def mark(word: str, kind: str = "bash", **more: str) -> dict[str, str]:
    return {"type": kind, "cmd": f"mark {word}", **more}


@pytest.mark.parametrize("mode", MODES)
def test_a_spoofed_payload_is_refused_and_the_true_one_runs(
    api: canaries.Canaries,
    start: Serve,
    marks: Callable[[], list[str]],
    mode: str,
    eventually: Eventually,
) -> None:
    api.declare("test", "podinfo", mark("true"), mark("background", "cmd"))
    service = start(mode=mode)
    for spoofed in (mark("spoofed"), mark("spoofed", "cmd"), mark("true", timeout="1m")):
        reply = service.post(spoofed)
        assert reply.status_code == 403
        assert reply.text.startswith("task not allowed: no webhook of the Canary podinfo.test has")
    assert service.post(mark("true")).status_code == 200
    assert service.post(mark("background", "cmd")).status_code == 202
    eventually(lambda: len(marks()) == 2)
    assert marks() == ["true", "background"]
    assert f'{REJECTED}{{reason="undeclared"}} 3.0' in service.get("/metrics").text
    logged = [json.loads(line) for line in service.log.read_text().split("\n") if line]
    audited = [line for line in logged if line.get("decision") == "refused"]
    assert [line["status"] for line in audited] == [403, 403, 403]
    assert {line["reason"].partition(":")[0] for line in audited} == {"task not allowed"}


def test_a_canary_that_does_not_exist(
    api: canaries.Canaries, start: Serve, marks: Callable[[], list[str]]
) -> None:
    reply = start().post(mark("x"))
    assert reply.status_code == 403
    assert reply.text.startswith("task not allowed: there is no Canary podinfo in namespace test;")
    assert marks() == []
    assert len(api.users) == 1


def test_nothing_runs_while_nobody_can_tell(
    api: canaries.Canaries, start: Serve, marks: Callable[[], list[str]]
) -> None:
    api.declare("test", "podinfo", mark("x"), mark("x", "cmd"))
    api.denied = True
    denied = start()
    away = start(url=f"http://127.0.0.1:{ports.free('127.0.0.1')}")
    for service, reason in ((denied, "to get canaries.flagger.app in namespace test"), (away, "")):
        for kind in ("bash", "cmd"):
            reply = service.post(mark("x", kind))
            assert reply.status_code == 503
            assert reason in reply.text
            assert "so nothing runs" in reply.text
        assert f'{REJECTED}{{reason="unverified"}} 2.0' in service.get("/metrics").text
        for path in ("/healthz", "/readyz", "/gate/approve"):
            assert service.get(path).status_code == 200
    assert marks() == []


def test_events_are_news_as_ever(api: canaries.Canaries, start: Serve) -> None:
    told = {"eventMessage": "New revision detected", "eventType": "Normal", "timestamp": "1"}
    assert start().post(told | mark("x")).status_code == 202
    assert api.users == []


def test_a_token_in_the_metadata_is_no_part_of_the_task(
    api: canaries.Canaries, start: Serve, marks: Callable[[], list[str]], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "callers").write_text("secret")
    api.declare("test", "podinfo", mark("x", token="secret"), mark("y"))
    service = start(f"-auth-token-file={tmp_path}/callers")
    assert service.post(mark("x")).status_code == 401
    assert service.post(mark("x", token="secret")).status_code == 200
    header = {"Authorization": "Bearer secret"}
    payload = {"name": "podinfo", "namespace": "test", "metadata": mark("y")}
    assert requests.post(service.url, json=payload, headers=header, timeout=60).status_code == 200
    assert service.post(mark("z", token="secret")).status_code == 403
    assert marks() == ["x", "y"]
