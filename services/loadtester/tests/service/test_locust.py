"""Tests by real Locust processes against a server that counts (docs/load-testing.md)."""

import contextlib
import pathlib
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import requests

from flagger_common.payload import CanaryWebhookPayload
from flagger_loadtester.orders import Order
from flagger_loadtester.outcome import Outcome
from flagger_loadtester.runner import Limits, Runner
from flagger_loadtester.tasks import locust

if TYPE_CHECKING:
    from .conftest import Service, Target

Eventually = Callable[[Callable[[], object]], None]
Running = Callable[[pathlib.Path], bool]

VISITOR = """
from locust import HttpUser, constant_pacing, tag, task


class Visitor(HttpUser):
    wait_time = constant_pacing(1)

    @task
    @tag("wanted")
    def visit(self):
        self.client.get("/token")
"""
BROKEN = f"""{VISITOR}
    @task
    @tag("unwanted")
    def fail(self):
        raise KeyError("unwanted")
"""
CHILD = """
import os
import subprocess
from locust import HttpUser, task


class Parent(HttpUser):
    @task
    def spawn(self):
        child = subprocess.Popen(["sleep", "1000"])
        with open("{pid}.part", "w") as file:
            file.write(str(child.pid))
        os.rename("{pid}.part", "{pid}")
        child.wait()
"""


@pytest.fixture
def runner() -> Iterator[Runner]:
    made = Runner(Limits())
    yield made
    made.close()


@pytest.fixture
def temporary(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Where tasks make their temporary directories."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def run(runner: Runner, options: locust.Options, metadata: dict[str, str]) -> Outcome:
    kind = locust.make(options)["locust-test"]
    document = {"users": "2", "runTime": "1s"} | metadata
    payload = CanaryWebhookPayload(name="podinfo", namespace="test", metadata=document)
    outcome = runner.run(Order(kind, kind.prepare(payload), payload)).outcome
    assert outcome is not None
    return outcome


def test_the_server_counts_what_is_reported(service: "Service", target: "Target") -> None:
    load = {"users": "2", "runTime": "1s", "path": "/,/token", "returnCmdOutput": "true"}
    reply = service.post({"type": "locust-test", "host": target.url} | load)
    assert reply.status_code == 200, reply.text
    assert target.hits >= 4
    assert reply.text.startswith(f"{target.hits} requests, 0 failed, ")
    assert "latency: p50 " in reply.text


def test_in_the_background(service: "Service", target: "Target", eventually: Eventually) -> None:
    metadata = {"type": "locust", "host": target.url, "users": "1", "runTime": "1s"}
    assert service.post(metadata).status_code == 202
    finished = f"command finished locust {target.url}, 1 users, 1s"
    eventually(lambda: finished in service.messages())
    assert target.hits > 0


def test_the_reply_says_why(service: "Service") -> None:
    host = "http://127.0.0.1:1"
    metadata = {"type": "locust-test", "host": host, "users": "1", "runTime": "1s"}
    reply = service.post(metadata)
    assert reply.status_code == 500
    first, *rest = reply.text.splitlines()
    assert first.startswith(f"locust {host}, 1 users, 1s failed: ")
    assert first.endswith(" requests failed, 100.0%; the limit is 0.0%")
    assert any(line.startswith("error: GET /: ConnectionRefusedError") for line in rest)
    assert service.post(metadata | {"runTime": "soon"}).status_code == 400


@pytest.mark.parametrize("inline", [True, False])
def test_a_locustfile_of_ones_own(
    runner: Runner, target: "Target", tmp_path: pathlib.Path, temporary: pathlib.Path, inline: bool
) -> None:
    (tmp_path / "load.py").write_text(BROKEN)
    own = {"locustfile": BROKEN} if inline else {"file": f"{tmp_path}/load.py"}
    options = locust.Options(inline=inline, directories=(tmp_path,))
    outcome = run(runner, options, {"host": target.url, "tags": "wanted"} | own)
    assert outcome.reason == ""
    assert outcome.result is not None
    assert outcome.result.requests == target.hits > 0
    assert outcome.result.failures == 0
    assert 0 < outcome.result.percentiles["50"] <= outcome.result.percentiles["100"]
    assert not list(temporary.iterdir())


def test_exceptions_of_the_locustfile_are_failures(runner: Runner, target: "Target") -> None:
    own = {"locustfile": BROKEN, "excludeTags": "wanted"}
    outcome = run(runner, locust.Options(inline=True), {"host": target.url} | own)
    assert outcome.reason.startswith("the locustfile raised 'unwanted' at raise KeyError(")
    assert target.hits == 0


def test_a_broken_locustfile(runner: Runner, target: "Target") -> None:
    options = locust.Options(inline=True)
    outcome = run(runner, options, {"host": target.url, "locustfile": "a syntax error"})
    assert outcome.reason == "exit status 1"
    assert "SyntaxError" in outcome.output
    assert outcome.result is None


def test_the_end_of_the_server_ends_all_processes(
    runner: Runner,
    target: "Target",
    tmp_path: pathlib.Path,
    temporary: pathlib.Path,
    eventually: Eventually,
    running: Running,
) -> None:
    pid = tmp_path / "pid"
    own = {"locustfile": CHILD.format(pid=pid), "users": "1", "runTime": "1h"}
    outcomes: list[Outcome] = []

    def work() -> None:
        outcomes.append(run(runner, locust.Options(inline=True), {"host": target.url} | own))

    thread = threading.Thread(target=work)
    thread.start()
    eventually(pid.exists)
    assert running(pid)
    runner.close()
    thread.join(60)
    eventually(lambda: not running(pid))
    (outcome,) = outcomes
    assert outcome.reason == "signal: killed"
    assert not list(temporary.iterdir())


def test_a_test_that_outlives_its_limit_is_ended(target: "Target") -> None:
    """The locustfile hangs before Locust looks at the clock."""
    own = {"locustfile": "import time\ntime.sleep(1000)\n"}
    runner = Runner(Limits(timeout=1))
    outcome = run(runner, locust.Options(inline=True), {"host": target.url} | own)
    assert outcome.reason == "signal: killed"
    assert outcome.result is None


@pytest.fixture
def master(
    tmp_path: pathlib.Path, free_port: Callable[[], int], eventually: Eventually
) -> Iterator[str]:
    """A Locust master with one worker; the URL of its web API."""
    web, bind = free_port(), free_port()
    (tmp_path / "load.py").write_text(VISITOR)
    common = [sys.executable, "-m", "locust", "--locustfile", f"{tmp_path}/load.py"]
    place = ["--web-host", "127.0.0.1", "--web-port", str(web)]
    links = ["--master-bind-host", "127.0.0.1", "--master-bind-port", str(bind)]
    url = f"http://127.0.0.1:{web}"

    def connected() -> bool:
        try:
            return bool(requests.get(f"{url}/worker-count", timeout=60).json()["worker_count"] == 1)
        except requests.ConnectionError:
            return False

    with contextlib.ExitStack() as stack:
        log = stack.enter_context((tmp_path / "log").open("wb"))
        for arguments in (
            ["--master", "--stop-timeout", "5", *place, *links],
            ["--worker", "--master-host", "127.0.0.1", "--master-port", str(bind)],
        ):
            process = subprocess.Popen([*common, *arguments], stdin=subprocess.DEVNULL, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.kill)
        eventually(connected)
        yield url


def test_a_master_and_its_worker(runner: Runner, target: "Target", master: str) -> None:
    options = locust.Options(master=master)
    metadata = {"host": target.url, "expectWorkers": "1"}
    outcome = run(runner, options, metadata)
    assert outcome.reason == ""
    assert outcome.result is not None
    assert outcome.result.requests == target.hits > 0
    assert outcome.output.startswith(f"{target.hits} requests, 0 failed, ")
    few = run(runner, options, metadata | {"expectWorkers": "2"})
    assert few.reason == f"Locust master {master}: 1 of 2 workers are connected"


def test_a_master_is_stopped_with_the_load_tester(
    runner: Runner, target: "Target", master: str, eventually: Eventually
) -> None:
    def state() -> str:
        return str(requests.get(f"{master}/stats/requests", timeout=60).json()["state"])

    outcomes: list[Outcome] = []

    def work() -> None:
        metadata = {"host": target.url, "runTime": "10m"}
        outcomes.append(run(runner, locust.Options(master=master), metadata))

    thread = threading.Thread(target=work)
    thread.start()
    eventually(lambda: target.hits > 0 and state() == "running")
    busy = run(runner, locust.Options(master=master), {"host": target.url})
    assert "runs another test" in busy.reason
    runner.close()
    thread.join(60)
    assert outcomes[0].reason.startswith("stopped: ")
    eventually(lambda: state() == "stopped")
