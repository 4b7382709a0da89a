"""The commands that users' canaries contain, with the real tools (loadtester.md section 4)."""

import pathlib
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Service, Target

Eventually = Callable[[Callable[[], object]], None]


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@needs("hey")
@pytest.mark.parametrize("more", ["", " -m POST -d '{test: 2}'", " -H 'Cookie: type=insider'"])
def test_hey(service: "Service", target: "Target", eventually: Eventually, more: str) -> None:
    command = f"hey -n 40 -c 2{more} {target.url}/"
    assert service.post({"cmd": command, "logCmdOutput": "true"}).status_code == 202
    eventually(lambda: f"command finished {command}" in service.messages())
    assert target.hits == 40
    assert "[200]\\t40 responses" in service.log.read_text()


@needs("wrk")
def test_wrk(service: "Service", target: "Target") -> None:
    metadata = {"type": "bash", "cmd": f"wrk -t1 -c2 -d1s {target.url}/", "returnCmdOutput": "true"}
    reply = service.post(metadata)
    assert reply.status_code == 200, reply.text
    assert "requests in" in reply.text
    assert target.hits > 0


@needs("bats")
@pytest.mark.parametrize(("expected", "status"), [("token", 200), ("nonsense", 500)])
@needs("curl")
def test_bats(
    service: "Service",
    target: "Target",
    tmp_path: pathlib.Path,
    expected: str,
    status: int,
) -> None:
    suite = tmp_path / "acceptance.bats"
    suite.write_text(f'@test "token" {{\n  curl -s {target.url}/token | grep {expected}\n}}\n')
    reply = service.post({"type": "bash", "cmd": f"bats {suite}", "returnCmdOutput": "true"})
    assert reply.status_code == status
    assert ("not ok 1 token" if status == 500 else "ok 1 token") in reply.text
    assert target.hits == 1


@needs("curl")
def test_curl_with_a_pipe(service: "Service", target: "Target") -> None:
    for word, status in (("token", 200), ("nonsense", 500)):
        command = f"curl -sd 'test' {target.url}/token | grep {word}"
        assert service.post({"type": "bash", "cmd": command}).status_code == status


def test_locust(service: "Service", target: "Target", tmp_path: pathlib.Path) -> None:
    (tmp_path / "load.py").write_text(
        "from locust import HttpUser, task\n\n\n"
        "class Visitor(HttpUser):\n    @task\n    def visit(self):\n        self.client.get('/')\n"
    )
    options = "--headless --users 2 --spawn-rate 2 --run-time 2s --only-summary"
    command = f"locust -f {tmp_path}/load.py --host {target.url} {options}"
    reply = service.post({"type": "bash", "cmd": command, "returnCmdOutput": "true"})
    assert reply.status_code == 200, reply.text
    assert target.hits > 0
