"""What every store has to do, on memory, a real file and a real API server."""

import concurrent.futures
import dataclasses
import datetime
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from flagger_gatekeeper import audit, changes, gates
from flagger_gatekeeper.store import base

NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
KEY = gates.GateKey("test", "podinfo")

GateRecord = gates.GateRecord
Moving = changes.Transition[GateRecord]


def setting(state: gates.State) -> Moving:
    """Return what one more request does."""
    return changes.setting(changes.Wish(state), audit.By(uuid.uuid4().hex), NOW)


def opening() -> Moving:
    return setting(gates.State.OPEN)


def closing() -> Moving:
    return setting(gates.State.CLOSED)


def passes(store: base.GateStore, key: gates.GateKey) -> bool:
    return gates.is_open(store.read(key), NOW)


def test_an_unknown_gate_has_no_record(store: base.GateStore) -> None:
    assert store.read(KEY) is None


def test_an_acknowledged_change_is_seen_by_everybody_at_once(
    connect: Callable[[], base.GateStore],
) -> None:
    one, other = connect(), connect()
    for number, move in enumerate([opening, closing, closing, opening], 1):
        written = one.update(KEY, move())
        assert other.read(KEY) == written
        assert (passes(other, KEY), written.version) == (move is opening, number)
        one, other = other, one


def test_gates_of_one_canary_are_independent(store: base.GateStore) -> None:
    rollback = dataclasses.replace(KEY, gate=gates.ROLLBACK)
    store.update(KEY, opening())
    assert store.read(rollback) is None
    store.update(rollback, opening())
    store.update(KEY, closing())
    assert passes(store, rollback)
    assert not passes(store, KEY)


def test_the_start_gate_of_one_canary_is_not_the_rollback_gate_of_another(
    store: base.GateStore,
) -> None:
    store.update(gates.GateKey("test", "rollback.podinfo"), opening())
    assert store.read(gates.GateKey("test", "podinfo", gates.ROLLBACK)) is None


def test_names_that_look_alike_are_different(store: base.GateStore) -> None:
    pairs = [("a.b", "c"), ("b.c", "a"), ("a-b", "c"), ("b-c", "a"), ("C", "A-B"), ("c", "a-b")]
    keys = [gates.GateKey(namespace, canary) for namespace, canary in dict.fromkeys(pairs)]
    store.update(keys[0], opening())
    assert [passes(store, key) for key in keys] == [True] + [False] * (len(keys) - 1)


@pytest.mark.parametrize(
    ("claimed", "canary"),
    [
        ("", ""),
        ("", "podinfo"),
        ("Test Ing", "../..//podinfo?x=%2e"),
        ("größe", "'; DROP TABLE gates; --"),
        ("\n\t", "\x00\ufffd\U0001f600"),
        ("n" * 300, "c" * 60_000),
    ],
    ids=range(6),
)
def test_a_payload_may_name_anything(store: base.GateStore, claimed: str, canary: str) -> None:
    key = gates.GateKey(claimed, canary)
    assert store.read(key) is None
    store.update(key, opening())
    assert passes(store, key)
    assert store.read(KEY) is None


def test_a_transition_may_leave_things_as_they_are(store: base.GateStore) -> None:
    written = store.update(KEY, opening())
    assert store.update(KEY, lambda record: changes.Outcome(record)) == written
    assert store.read(KEY) == written


def test_a_failing_transition_changes_nothing(store: base.GateStore) -> None:
    def failing(_: gates.GateRecord | None) -> changes.Outcome[None]:
        raise ZeroDivisionError

    written = store.update(KEY, opening())
    with pytest.raises(ZeroDivisionError):
        store.update(KEY, failing)
    assert store.read(KEY) == written
    store.update(KEY, closing())
    assert not passes(store, KEY)


def test_racing_writers_lose_nothing(connect: Callable[[], base.GateStore]) -> None:
    stores = [connect() for _ in range(3)]
    keys = [dataclasses.replace(KEY, gate=gate) for gate in (gates.DEFAULT, gates.ROLLBACK)]
    jobs = [(store, key) for store in stores for key in keys for _ in range(4)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda job: job[0].update(job[1], opening()), jobs))
    for key in keys:
        record = stores[0].read(key)
        assert record is not None
        assert record.version == len(stores) * 4


@pytest.mark.parametrize(
    "backend", ["sqlite", pytest.param("kubernetes", marks=pytest.mark.api)], indirect=True
)
@pytest.mark.parametrize("text", ["", "open", '{"state": "ajar"}'])
def test_a_damaged_record_is_an_error_until_somebody_sets_it(
    backend: Any, store: base.GateStore, text: str
) -> None:
    assert backend.damage is not None
    for move in (closing, opening):
        store.update(KEY, opening())
        backend.damage(KEY, text)
        with pytest.raises(gates.CorruptRecordError):
            store.read(KEY)
        with pytest.raises(gates.CorruptRecordError):
            store.update(KEY, opening())
        assert store.find(base.Scope()) == [base.Listed(KEY, None)]
        store.update(KEY, move(), repair=True)
        assert passes(store, KEY) is (move is opening)


def test_a_store_that_works_says_so(store: base.GateStore) -> None:
    store.ping()
