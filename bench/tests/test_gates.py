"""The benchmark measures what it says: a stalled server is charged for all that waits."""

import threading
import time
from collections.abc import Iterator

import pytest
import werkzeug
from bench import gates
from pytest_httpserver import HTTPServer


def test_the_table_compares_with_the_first() -> None:
    peer = gates.Result("peer", [0.001] * 100, cpu=0.1)
    ours = gates.Result("ours", [0.004] * 98 + [0.009] * 2, failures=1, cpu=0.2)
    last = gates.table([peer, ours]).splitlines()[-1]
    assert last == "| ours | 101 | 1 | 4.0 | 4.0 | 9.0 | 9.0 | 9.0 | 2.00 | 2.0 |"


@pytest.fixture
def crowded() -> Iterator[HTTPServer]:
    """A server that takes several requests at a time."""
    with HTTPServer(threaded=True) as server:
        yield server


async def test_requests_leave_when_they_are_due(crowded: HTTPServer) -> None:
    """The server answers nothing until the last request is there."""
    total, everybody = 6, threading.Event()
    arrived: list[float] = []

    def stalled(request: werkzeug.Request) -> werkzeug.Response:
        arrived.append(time.monotonic())
        if len(arrived) == total:
            everybody.set()
        assert everybody.wait(30)
        number = int(request.get_json()["name"].removeprefix("canary-"))
        return werkzeug.Response(status=403 if number % 2 else 200)

    crowded.expect_request("/gate/check").respond_with_handler(stalled)
    result = gates.Result("stalled")
    await gates.generate(crowded.url_for("/gate/check"), 20, total / 20, result)
    assert (len(result.latencies), result.failures) == (total, 0)
    # The first has waited for all that came behind it, and so has each other one.
    assert max(result.latencies) >= arrived[-1] - arrived[0]
    assert max(result.latencies) - min(result.latencies) >= 0.1


@pytest.mark.parametrize("status", [500, 403])
async def test_a_wrong_answer_is_no_measurement(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request("/gate/check").respond_with_data("", status=status)
    result = gates.Result("wrong")
    await gates.generate(httpserver.url_for("/gate/check"), 100, 0.04, result)
    assert result.failures == {500: 4, 403: 2}[status]
    assert len(result.latencies) == 4 - result.failures
