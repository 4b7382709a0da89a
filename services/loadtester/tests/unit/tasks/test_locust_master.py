"""Tests on a Locust master: a loopback server with the answers of the web API of Locust 2.47."""

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from flagger_common.confinement import Confinement
from flagger_common.payload import CanaryWebhookPayload
from flagger_common.plan import Plan
from flagger_loadtester.outcome import Outcome
from flagger_loadtester.results.base import LoadResult
from flagger_loadtester.tasks import locust, locust_master

HOST = "http://podinfo-canary.test"
TOTAL = {
    "num_requests": 0,
    "num_failures": 0,
    "total_rps": 0.0,
    "avg_response_time": 0.0,
    "median_response_time": 0,
    "max_response_time": 0,
}
MEASURED = TOTAL | {"num_requests": 30, "num_failures": 3, "total_rps": 3.0}


def answer(state: str, workers: int = 2, total: dict[str, Any] = TOTAL) -> dict[str, Any]:
    return {"state": state, "worker_count": workers, "stats": [total], "errors": []}


@dataclasses.dataclass
class Clock:
    """A context whose time is counted in pauses."""

    limit: float = 100.0
    pauses: list[float] = dataclasses.field(default_factory=list)

    def execute(self, plan: Plan, confinement: Confinement | None = None) -> Outcome:
        raise AssertionError(plan, confinement)

    def pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return self.now() <= self.limit

    def now(self) -> float:
        return sum(self.pauses)


def prepare(url: str, **metadata: str) -> locust_master.Distributed:
    document = {"host": HOST, "users": "6", "spawnRate": "3", "runTime": "10s"} | metadata
    payload = CanaryWebhookPayload(name="podinfo", namespace="test", metadata=document)
    work = locust.make(locust.Options(master=url))["locust-test"].prepare(payload)
    assert isinstance(work, locust_master.Distributed)
    return work


def run(work: locust_master.Distributed, limit: float = 100) -> tuple[Outcome, list[float]]:
    clock = Clock(limit)
    return dataclasses.replace(work, clock=clock.now).run(clock), clock.pauses


def requests(server: HTTPServer, *answers: dict[str, Any]) -> None:
    for each in answers:
        server.expect_ordered_request("/stats/requests", "GET").respond_with_json(each)


def swarm(server: HTTPServer) -> dict[str, str]:
    """Expect the start of a test; returns what was asked for, later."""
    form: dict[str, str] = {}

    def start(request: Request) -> Response:
        form.update(request.form)
        return Response('{"success": true}', mimetype="application/json")

    server.expect_ordered_request("/swarm", "POST").respond_with_handler(start)
    return form


def exceptions(server: HTTPServer) -> None:
    server.expect_ordered_request("/exceptions", "GET").respond_with_json({"exceptions": []})


def test_a_test_is_started_awaited_and_judged(httpserver: HTTPServer) -> None:
    requests(httpserver, answer("ready"))
    form = swarm(httpserver)
    requests(httpserver, answer("running"), answer("stopped"), answer("stopped", total=MEASURED))
    exceptions(httpserver)
    work = prepare(httpserver.url_for("/"), failRatio="0.05")
    outcome, pauses = run(work)
    httpserver.check_assertions()
    assert form == {"user_count": "6", "spawn_rate": "3.0", "host": HOST, "run_time": "10s"}
    assert pauses == [5, 5, 6]
    assert outcome.reason == "3 of 30 requests failed, 10.0%; the limit is 5.0%"
    assert outcome.result == LoadResult(30, 3, 3.0, 0.0, {"50": 0.0, "100": 0.0})
    assert work.failure(outcome) == (
        f"locust {HOST}, 6 users, 10s failed: {outcome.reason}\n"
        "30 requests, 3 failed, 3.0/s\nlatency: p50 0s, p100 0s\n"
    )


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (answer("running"), "runs another test; try again when it has ended"),
        (answer("cleanup"), "runs another test; try again when it has ended"),
        (answer("ready", workers=1), "1 of 2 workers are connected"),
        ({"state": "ready"}, "it is not a Locust master"),
    ],
)
def test_a_master_that_cannot(httpserver: HTTPServer, first: dict[str, Any], reason: str) -> None:
    requests(httpserver, first)
    outcome, _ = run(prepare(httpserver.url_for("/"), expectWorkers="2"))
    httpserver.check_assertions()
    assert outcome.reason.endswith(reason)


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (answer("stopped", total=TOTAL | {"num_requests": 9}), "it did not run the test"),
        (answer("stopped") | {"stats": []}, "no report of Locust: IndexError"),
    ],
)
def test_figures_that_do_not_count(
    httpserver: HTTPServer, last: dict[str, Any], reason: str
) -> None:
    requests(httpserver, answer("stopped", total=TOTAL | {"num_requests": 9}))
    swarm(httpserver)
    requests(httpserver, answer("running"), answer("stopped"), last)
    exceptions(httpserver)
    outcome, _ = run(prepare(httpserver.url_for("/"), expectWorkers="2"))
    httpserver.check_assertions()
    assert reason in outcome.reason


def test_lost_workers_end_a_test(httpserver: HTTPServer) -> None:
    requests(httpserver, answer("ready"))
    swarm(httpserver)
    requests(httpserver, answer("running", workers=1))
    httpserver.expect_ordered_request("/stop", "POST").respond_with_json({"success": True})
    outcome, _ = run(prepare(httpserver.url_for("/"), expectWorkers="2"))
    httpserver.check_assertions()
    assert outcome.reason.endswith("1 of 2 workers are connected")


def test_an_early_end_is_a_failure(httpserver: HTTPServer) -> None:
    requests(httpserver, answer("ready"))
    swarm(httpserver)
    requests(httpserver, answer("stopped"), answer("stopped", total=MEASURED))
    exceptions(httpserver)
    outcome, _ = run(prepare(httpserver.url_for("/"), failRatio="1"))
    httpserver.check_assertions()
    assert outcome.reason.startswith("the test was ended early")
    assert outcome.result is not None


@pytest.mark.parametrize("limit", [7, 12])
def test_a_test_is_stopped_at_the_limit(httpserver: HTTPServer, limit: float) -> None:
    requests(httpserver, answer("ready"))
    swarm(httpserver)
    requests(httpserver, *[answer("running")] * int(limit / 5))
    httpserver.expect_ordered_request("/stop", "POST").respond_with_json({"success": True})
    outcome, _ = run(prepare(httpserver.url_for("/")), limit)
    httpserver.check_assertions()
    assert outcome.reason == "stopped: the test is out of time, or the load tester ends"


def test_a_refusal_is_told(httpserver: HTTPServer) -> None:
    requests(httpserver, answer("ready"))
    refused = {"success": False, "message": "no users"}
    httpserver.expect_ordered_request("/swarm", "POST").respond_with_json(refused)
    outcome, _ = run(prepare(httpserver.url_for("/")))
    assert outcome.reason.endswith(": refused: no users")


def test_a_master_that_is_away() -> None:
    outcome, _ = run(prepare("http://127.0.0.1:1"))
    assert outcome.reason.startswith("Locust master http://127.0.0.1:1: ")
    assert "refused" in outcome.reason


def test_one_test_at_a_time(
    httpserver: HTTPServer, eventually: Callable[[Callable[[], object]], None]
) -> None:
    go = threading.Event()

    def held(_request: Request) -> Response:
        go.wait(60)
        return Response('{"state": "running", "worker_count": 1}', mimetype="application/json")

    httpserver.expect_request("/stats/requests").respond_with_handler(held)
    first = prepare(httpserver.url_for("/"))
    second = dataclasses.replace(first, canary="other.test")
    thread = threading.Thread(target=first.run, args=(Clock(),))
    thread.start()
    eventually(first.master.turn.locked)
    assert "runs another test" in second.run(Clock()).reason
    go.set()
    thread.join(60)
    assert not first.master.turn.locked()
