"""compose.yaml does what its head says: gates, load, and Prometheus that sees both."""

import json
import pathlib
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from tools.prometheus import Prometheus
from tools.tests import composition

CANARY = {"name": "podinfo", "namespace": "test"}
SECONDS = 60.0


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SECONDS
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return met


@pytest.fixture(
    scope="module",
    params=[
        "processes",
        pytest.param("containers", marks=[pytest.mark.cluster, pytest.mark.timeout(1800)]),
    ],
)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[composition.Running]:
    folder: pathlib.Path = tmp_path_factory.mktemp("compose")
    if request.param == "processes":
        with composition.as_processes(folder) as found:
            yield found
        return
    if reason := composition.obstacle():
        pytest.skip(reason)
    with composition.as_containers(folder) as found:
        yield found


def curl(command: list[str]) -> int:
    """Run a curl command; the status of the reply."""
    argv = [command[0], "-s", "-o", "/dev/null", "-w", "%{http_code}", *command[1:]]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    return int(done.stdout)


def test_a_gate_is_opened_as_documented(running: composition.Running) -> None:
    url = f"http://{running.outside['gatekeeper']}/gate/check"
    check = ["curl", "-d", json.dumps(CANARY), url]
    assert curl(check) == 403
    assert curl(running.documented("/gate/open")) == 202
    assert curl(check) == 200


def test_load_reaches_the_demo_application_as_documented(running: composition.Running) -> None:
    """And Prometheus sees what it does."""
    prometheus = Prometheus(f"http://{running.outside['prometheus']}")
    assert curl(running.documented("hey")) == 202

    def seen(expression: str) -> bool:
        return bool(prometheus.query(expression))

    assert until(lambda: seen('http_requests_total{job="podinfo", path="/", status="200"} > 0'))
    assert until(
        lambda: seen('max_over_time(flagger_loadtester_tasks_running{type="cmd"}[1m]) > 0')
    )


def test_prometheus_reads_every_service(running: composition.Running) -> None:
    prometheus = Prometheus(f"http://{running.outside['prometheus']}")

    def read() -> int:
        return len(prometheus.query("up == 1"))

    assert until(lambda: read() == 3), prometheus.query("up")
