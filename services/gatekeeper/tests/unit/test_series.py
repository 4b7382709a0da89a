"""What Prometheus sees of each gate."""

from typing import Any

import flask.testing
import pytest
from prometheus_client.parser import text_string_to_metric_families

import flagger_gatekeeper
from flagger_gatekeeper import gates, series, settings
from flagger_gatekeeper.store import base, memory

PAYLOAD = {"name": "podinfo", "namespace": "test", "phase": "Waiting", "checksum": "1"}
GATE = ("test", "podinfo", "start")


class Store(memory.MemoryStore):
    """Counts lists, and can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.lists = 0
        self.away = False

    def find(self, scope: base.Scope) -> list[base.Listed]:
        self.lists += 1
        if self.away:
            raise base.StoreUnavailableError("down")
        return super().find(scope)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "FRESH_SECONDS", 0.0)


def client_of(store: Store) -> flask.testing.FlaskClient:
    options = settings.Settings(allow_anonymous_mutations=True)
    return flagger_gatekeeper.create_app(options, store).test_client()


def seen(client: flask.testing.FlaskClient, name: str) -> dict[Any, float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        tuple(sample.labels[label] for label in ("namespace", "canary", "gate")): sample.value
        for family in text_string_to_metric_families(answer.text)
        if family.name == name
        for sample in family.samples
    }


def test_open_and_closed_gates() -> None:
    client = client_of(Store())
    assert seen(client, "flagger_gate_state") == {}
    client.post("/gate/open/start", json=PAYLOAD)
    client.post("/rollback/close", json=PAYLOAD)
    expected = {GATE: 1, ("test", "podinfo", gates.ROLLBACK): 0}
    assert seen(client, "flagger_gate_state") == expected
    client.delete("/api/v1/gates/test/podinfo/start")
    assert GATE not in seen(client, "flagger_gate_state")


def test_how_long_somebody_waits() -> None:
    client = client_of(Store())
    client.post("/gate/check/start", json=PAYLOAD)
    first = seen(client, "flagger_gate_pending_seconds")[GATE]
    assert seen(client, "flagger_gate_pending_seconds")[GATE] >= first > 0
    client.post("/gate/open/start", json=PAYLOAD)
    assert seen(client, "flagger_gate_pending_seconds") == {}


def test_a_store_that_is_away_leaves_them_out_and_is_counted() -> None:
    store = Store()
    client = client_of(store)
    client.post("/gate/open/start", json=PAYLOAD)
    store.away = True
    assert seen(client, "flagger_gate_state") == {}
    store.away = False
    assert "flagger_gate_store_errors_total 1.0" in client.get("/metrics").text
    assert seen(client, "flagger_gate_state") == {GATE: 1}


def test_many_scrapes_are_one_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "FRESH_SECONDS", 3600.0)
    store = Store()
    client = client_of(store)
    for _ in range(5):
        seen(client, "flagger_gate_state")
    assert store.lists == 1
