"""Events about gates: what they say, and that nobody ever waits for them."""

import datetime
import json
import threading

import prometheus_client
import pytest

from flagger_gatekeeper import audit, events, gates
from flagger_gatekeeper.store import base

KEY = gates.GateKey("test", "podinfo", "promotion")
NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
CANARY = {
    "apiVersion": "flagger.app/v1beta1",
    "kind": "Canary",
    "metadata": {"name": "podinfo", "namespace": "test", "uid": "7"},
}


def entry(action: audit.Action = audit.Action.OPEN, actor: str = "anna") -> audit.Entry:
    return audit.Entry(NOW, action, audit.By("1", actor), reason="looks good")


class Server:
    """An API server that knows one Canary."""

    def __init__(self, created: int = 201) -> None:
        self.created = created
        self.written: list[events.Object] = []
        self.asked: list[str] = []
        self.reached = threading.Event()
        self.opened = threading.Event()
        self.opened.set()

    def send(
        self, method: str, path: str, seconds: float, body: events.Object | None
    ) -> tuple[int, bytes]:
        del seconds
        self.asked.append(path.rpartition("/canaries/")[2])
        self.reached.set()
        assert self.opened.wait(30)
        if "away" in path:
            raise base.StoreUnavailableError("away")
        if method == "GET":
            known = path == "/apis/flagger.app/v1beta1/namespaces/test/canaries/podinfo"
            return (200, json.dumps(CANARY).encode()) if known else (404, b"{}")
        assert (method, path) == ("POST", "/api/v1/namespaces/test/events")
        assert body is not None
        self.written.append(body)
        return self.created, b"{}"


class Told:
    """A recorder and what it counts."""

    def __init__(self, server: Server, most_waiting: int = events.MOST_WAITING) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        self.recorder = events.Recorder(server.send, self.registry, most_waiting)
        self.recorder.start()

    def results(self) -> dict[str, float]:
        names = ("written", "absent", "failed", "dropped")
        values = {
            name: self.registry.get_sample_value("flagger_gate_events_total", {"result": name})
            for name in names
        }
        return {name: value for name, value in values.items() if value}


def test_an_event_says_what_who_and_why() -> None:
    server = Server()
    told = Told(server)
    told.recorder.tell(KEY, entry())
    told.recorder.stop()
    (written,) = server.written
    assert (written["type"], written["reason"]) == ("Normal", "GateOpened")
    assert written["message"] == "Gate promotion opened by anna: looks good"
    assert written["involvedObject"]["uid"] == "7"
    assert written["lastTimestamp"] == "2026-11-26T12:00:00Z"
    assert told.results() == {"written": 1}


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (audit.Action.APPROVE, "GateApproved"),
        (audit.Action.CLOSE, "GateClosed"),
        (audit.Action.DELETE, "GateClosed"),
        (audit.Action.RESET, "GateClosed"),
        (audit.Action.PASS, None),
        (audit.Action.EXPIRE, None),
    ],
)
def test_changes_are_told_and_checks_are_not(action: audit.Action, reason: str | None) -> None:
    server = Server()
    told = Told(server)
    told.recorder.tell(KEY, entry(action, actor=""))
    told.recorder.stop()
    assert [one["reason"] for one in server.written] == ([reason] if reason else [])
    assert all(" by " not in one["message"] for one in server.written)


def test_what_cannot_be_written_is_counted_and_the_next_one_is_written() -> None:
    server = Server()
    told = Told(server)
    for name in ("away", "unknown", "", "../secrets"):
        told.recorder.tell(gates.GateKey("test", name), entry())
    told.recorder.tell(KEY, entry())
    told.recorder.stop()
    assert told.results() == {"failed": 1, "absent": 3, "written": 1}
    assert server.asked[:2] == ["away", "unknown"], "odd names make no odd paths"
    assert server.asked[2] == "podinfo"
    refused = Told(Server(created=403))
    refused.recorder.tell(KEY, entry())
    refused.recorder.stop()
    assert refused.results() == {"failed": 1}


def test_an_api_server_that_hangs_holds_nobody() -> None:
    server = Server()
    server.opened.clear()
    told = Told(server, most_waiting=2)
    try:
        told.recorder.tell(KEY, entry())
        assert server.reached.wait(30)
        for _ in range(5):  # two of them find a place
            told.recorder.tell(KEY, entry())
        assert told.results() == {"dropped": 3}
    finally:
        server.opened.set()
    told.recorder.stop()
    assert told.results() == {"dropped": 3, "written": 3}
