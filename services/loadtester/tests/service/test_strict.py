"""Strict mode as a real process with the real tools."""

import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from tools.cluster import gobuild

if TYPE_CHECKING:
    from .conftest import Service, Target

Serve = Callable[..., "Service"]
Eventually = Callable[[Callable[[], object]], None]
Running = Callable[[pathlib.Path], bool]


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@pytest.fixture
def strict(serve: Serve, tmp_path: pathlib.Path) -> "Service":
    """A strict server whose tests are in `tmp_path` and whose targets are on the loopback."""
    policy = tmp_path / "policy.yaml"
    policy.write_text('namespaces: {"*": {hosts: ["127.0.0.1"], maximum: {requests: 50}}}')
    return serve(f"-policy-file={policy}", f"-files={tmp_path}/tests", mode="-compat=false")


@needs("hey")
@pytest.mark.parametrize("more", ["", " -m POST -d '{test: 2}'", " -H 'Cookie: type=insider'"])
def test_hey(strict: "Service", target: "Target", eventually: Eventually, more: str) -> None:
    command = f"hey -n 40 -c 2{more} {target.url}/"
    assert strict.post({"cmd": command}).status_code == 202
    eventually(lambda: f"command finished {command}" in strict.messages())
    assert target.hits == 40
    reply = strict.post({"cmd": f"hey -n 51 -c 2 {target.url}/"})
    assert (reply.status_code, reply.text) == (403, "requests not allowed: 51 is above 50")


@needs("hey")
def test_a_target_leads_no_load_elsewhere(
    strict: "Service", target: "Target", eventually: Eventually
) -> None:
    command = f"hey -n 4 -c 2 {target.url}/away"
    assert strict.post({"cmd": command}).status_code == 202
    eventually(lambda: f"command finished {command}" in strict.messages())
    assert target.hits == 4
    load = {"type": "locust-test", "host": target.url, "paths": "/away", "returnCmdOutput": "true"}
    reply = strict.post(load | {"users": "2", "runTime": "1s"})
    assert reply.text.startswith(f"{target.hits - 4} requests, 0 failed, ")


def test_locust(strict: "Service", target: "Target") -> None:
    load = {"type": "locust-test", "host": target.url, "users": "2", "runTime": "1s"}
    reply = strict.post(load | {"returnCmdOutput": "true"})
    assert reply.status_code == 200, reply.text
    assert target.hits > 0
    assert reply.text.startswith(f"{target.hits} requests, 0 failed, ")
    reply = strict.post(load | {"host": "http://podinfo.prod"})
    assert (reply.status_code, reply.text.partition(" is ")[0]) == (
        403,
        "host not allowed: podinfo.prod",
    )


@needs("wrk")
def test_wrk(strict: "Service", target: "Target") -> None:
    metadata = {"type": "bash", "cmd": f"wrk -t1 -c2 -d1s {target.url}/", "returnCmdOutput": "1"}
    reply = strict.post(metadata)
    assert reply.status_code == 200, reply.text
    assert "requests in" in reply.text


@needs("curl")
def test_curl_with_a_pipe(strict: "Service", target: "Target") -> None:
    for word, status in (("token", 200), ("nonsense", 500)):
        command = f"curl -sd 'test' {target.url}/token | grep {word}"
        assert strict.post({"type": "bash", "cmd": command}).status_code == status


@pytest.fixture
def healthy() -> Iterator[str]:
    """Serve gRPC's health service; yields the address."""
    argv = [str(gobuild.binary("grpc_health")), "serve", "127.0.0.1:0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


@pytest.mark.timeout(600)  # the programs may have to be built
def test_ghz_and_the_probe(serve: Serve, healthy: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "policy").write_text('namespaces: {"*": {hosts: ["127.0.0.1"]}}')
    folders = {gobuild.binary(name).parent for name in ("ghz", "grpc_health_probe")}
    strict = serve(
        f"-policy-file={tmp_path}/policy",
        mode="-compat=false",
        path="".join(f"{folder}:" for folder in folders),
    )
    call = "ghz --insecure --call=grpc.health.v1.Health/Check -n 20 -c 2"
    for command, words in (
        (f"{call} {healthy}", "[OK]   20 responses"),
        (f"{call} --format=json {healthy}", '"statusCodeDistribution"'),
        (f"grpc_health_probe -addr={healthy}", "status: SERVING"),
    ):
        reply = strict.post({"type": "bash", "cmd": command, "returnCmdOutput": "true"})
        assert (reply.status_code, words in reply.text) == (200, True), reply.text
    _, *calls = (each["result"] for each in strict.get("/api/v1/tasks").json()["items"])
    assert [(each["requests"], each["failures"]) for each in calls] == [(20, 0)] * 2


@needs("bats")
@needs("curl")
def test_bats(strict: "Service", target: "Target", tmp_path: pathlib.Path) -> None:
    suite = tmp_path / "tests" / "acceptance.bats"
    suite.parent.mkdir()
    suite.write_text(f'@test "token" {{\n  curl -s {target.url}/token | grep token\n}}\n')
    metadata = {"type": "bash", "cmd": f"bats {suite}", "returnCmdOutput": "true"}
    reply = strict.post(metadata)
    assert reply.status_code == 200, reply.text
    assert "ok 1 token" in reply.text
    shutil.copy(suite, tmp_path)
    assert strict.post(metadata | {"cmd": f"bats {tmp_path}/acceptance.bats"}).status_code == 403


def test_a_pipeline_ends_at_its_limit_with_all_its_children(
    serve: Serve, tmp_path: pathlib.Path, running: Running, eventually: Eventually
) -> None:
    for name in ("first", "second"):
        script = f"#!/bin/sh\nsleep 1000 & echo $! > {tmp_path}/{name}.child\nwait\n"
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    policy = tmp_path / "policy.yaml"
    policy.write_text("namespaces: {test: {arguments: {first: [], second: []}}}")
    flags = ["-timeout=1s", "-allowed-commands=first,second", f"-policy-file={policy}"]
    strict = serve(*flags, path=f"{tmp_path}:", mode="-compat=false")
    reply = strict.post({"type": "bash", "cmd": "first | second"})
    assert (reply.status_code, reply.text[-16:]) == (500, ": signal: killed")
    children = [tmp_path / f"{name}.child" for name in ("first", "second")]
    eventually(lambda: not any(map(running, children)))


def test_compat_says_so_loudly(serve: Serve) -> None:
    warnings = [text for text in serve().messages() if text.startswith("compat mode: ")]
    assert warnings == ["compat mode: WHOEVER REACHES THE PORT RUNS ANY COMMAND in this container"]


def test_a_bad_policy_ends_the_start(tmp_path: pathlib.Path) -> None:
    (tmp_path / "policy.yaml").write_text("namespaces: {a: {shel: true}}")
    command = [sys.executable, "-m", "flagger_loadtester", f"-policy-file={tmp_path}/policy.yaml"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "namespaces.a.shel: Extra inputs are not permitted" in ended.stderr
