"""What real programs measured, against what the server counted (loadtester.md section 8.4)."""

import pathlib
import shutil
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Service, Target

LOCUSTFILE = """from locust import HttpUser, constant, task


class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/")
"""


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def measured(service: "Service", command: str) -> dict[str, Any]:
    reply = service.post({"type": "bash", "cmd": command})
    assert reply.status_code == 200, reply.text
    task = service.get(f"/api/v1/tasks/{reply.headers['X-Flagger-Task']}").json()
    assert task["result"], task["output"]
    result: dict[str, Any] = task["result"]
    return result


def series(service: "Service", name: str, program: str) -> float:
    for line in service.get("/metrics").text.splitlines():
        if line.startswith(f"flagger_loadtester_result_{name}{{") and f'type="{program}"' in line:
            return float(line.rpartition(" ")[2])
    raise AssertionError(f"no series {name} of {program}")


@needs("hey")
def test_hey(service: "Service", target: "Target") -> None:
    result = measured(service, f"hey -n 40 -c 2 {target.url}/")
    assert (result["requests"], result["failures"]) == (target.hits, 0) == (40, 0)
    assert 0 < result["percentiles"]["50"] <= result["percentiles"]["100"]
    assert result["rate"] > 0
    assert series(service, "requests", "hey") == 40


@needs("hey")
def test_hey_without_an_answer(service: "Service") -> None:
    result = measured(service, "hey -n 4 -c 2 http://127.0.0.1:1/")
    assert (result["requests"], result["failures"]) == (4, 4)
    assert result["mean"] is None


@needs("wrk")
@pytest.mark.parametrize("more", ["", " --latency"])
def test_wrk(service: "Service", target: "Target", more: str) -> None:
    result = measured(service, f"wrk -t1 -c2 -d1s{more} {target.url}/")
    # wrk stops without waiting: one answer for each of two connections may be on its way.
    assert result["requests"] <= target.hits <= result["requests"] + 2
    assert result["failures"] == 0
    assert ("50" in result["percentiles"]) == bool(more)


@pytest.mark.parametrize("more", ["--only-summary", "--json 2>/dev/null"])
def test_locust(service: "Service", target: "Target", tmp_path: pathlib.Path, more: str) -> None:
    (tmp_path / "load.py").write_text(LOCUSTFILE)
    options = "--headless --users 2 --spawn-rate 2 --run-time 2s --stop-timeout 30"
    result = measured(service, f"locust -f {tmp_path}/load.py --host {target.url} {options} {more}")
    assert result["requests"] == target.hits > 0
    assert result["failures"] == 0
    assert series(service, "requests", "locust") == target.hits
