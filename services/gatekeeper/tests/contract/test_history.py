"""Approvals are given once and changes are remembered, on memory, a file and an API server."""

import concurrent.futures
import datetime
import threading
import uuid
from collections.abc import Callable, Sequence

import pytest

from flagger_gatekeeper import audit, changes, checks, gates
from flagger_gatekeeper.store import base

Connect = Callable[[], base.GateStore]

NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
KEY = gates.GateKey("test", "podinfo")
ONCE = changes.Wish(gates.State.OPEN, gates.Mode.ONCE)


def by(actor: str = "") -> audit.By:
    return audit.By(uuid.uuid4().hex, actor, "10.0.0.1")


def opening(at: datetime.datetime = NOW, actor: str = "") -> changes.Transition[gates.GateRecord]:
    return changes.setting(changes.Wish(gates.State.OPEN, reason="why"), by(actor), at)


@pytest.mark.parametrize(
    "checksums", [[""] * 50, [f"c{number}" for number in range(50)]], ids=["bare", "distinct"]
)
def test_of_fifty_checks_at_once_one_passes(connect: Connect, checksums: Sequence[str]) -> None:
    stores = [connect() for _ in range(5)]
    stores[0].update(KEY, changes.setting(ONCE, by(), NOW))
    together = threading.Barrier(10)

    def check(number: int) -> bool:
        if number < 10:
            together.wait(60)
        question = checks.Question(by(), "Progressing", checksums[number])
        transition = checks.checking(question, NOW, MINUTE)
        return stores[number % 5].update(KEY, transition).approved

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(check, range(50))) == 1
    record = stores[0].read(KEY)
    assert record is not None
    assert (record.state, record.pass_count) == (gates.State.CLOSED, 1)
    actions = [one.entry.action for one in stores[0].history(base.Scope(), None)]
    assert actions == ["open", "pass"]


def test_the_same_question_is_one_approval_however_often_it_is_asked(connect: Connect) -> None:
    store = connect()
    store.update(KEY, changes.setting(ONCE, by(), NOW))

    def check(_: int) -> bool:
        question = checks.Question(by(), "Progressing", "7c9d467496")
        return store.update(KEY, checks.checking(question, NOW, MINUTE)).approved

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        assert all(pool.map(check, range(20)))
    actions = [one.entry.action for one in store.history(base.Scope(), None)]
    assert actions == ["open", "pass"]


def test_a_history_outlives_its_gate(connect: Connect) -> None:
    store = connect()
    store.update(KEY, opening(actor="anna"))
    store.update(KEY, changes.forgetting(by("bob"), NOW + MINUTE, "no more"))
    assert store.read(KEY) is None
    logged = connect().history(base.Scope(), None)
    assert [one.key for one in logged] == [KEY, KEY]
    entries = [one.entry for one in logged]
    assert [(e.at, e.action, e.by.actor, e.before, e.after, e.reason) for e in entries] == [
        (NOW, "open", "anna", "", "open", "why"),
        (NOW + MINUTE, "delete", "bob", "open", "", "no more"),
    ]


def test_a_gate_that_was_forgotten_begins_anew(store: base.GateStore) -> None:
    store.update(KEY, opening())
    store.update(KEY, changes.forgetting(by(), NOW))
    store.update(KEY, changes.forgetting(by(), NOW))
    record = store.update(KEY, opening(NOW + MINUTE))
    assert (record.version, record.created_at) == (1, NOW + MINUTE)
    assert store.read(KEY) == record


def keys() -> list[gates.GateKey]:
    names = [("a", "x"), ("a", "y"), ("b", "x")]
    return [gates.GateKey(*name, gate) for name in names for gate in ("default", "start")]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (base.Scope(), keys()),
        (base.Scope("a"), keys()[:4]),
        (base.Scope("a", "y"), keys()[2:4]),
        (base.Scope(None, "x"), keys()[:2] + keys()[4:]),
        (base.Scope("c"), []),
        (base.Scope("c", "x"), []),
    ],
)
def test_gates_and_their_history_are_found_by_scope(
    store: base.GateStore, scope: base.Scope, expected: list[gates.GateKey]
) -> None:
    records = {}
    for number, key in enumerate(reversed(keys())):
        records[key] = store.update(key, opening(NOW + number * MINUTE))
    assert store.find(scope) == [base.Listed(key, records[key]) for key in expected]
    logged = store.history(scope, None)
    assert [one.key for one in logged] == expected[::-1]
    half = store.history(scope, NOW + 3 * MINUTE)
    assert [one.key for one in half] == [k for k in expected[::-1] if k in keys()[:3]]


def test_an_old_history_is_dropped_and_gates_stay(store: base.GateStore) -> None:
    other = gates.GateKey("test", "other")
    record = store.update(KEY, opening())
    store.update(KEY, changes.forgetting(by(), NOW + MINUTE))
    kept = store.update(other, opening())
    end = NOW + base.RETENTION
    store.prune(end)
    assert len(store.history(base.Scope(), None)) == 3
    store.prune(end + MINUTE)
    assert [one.entry.action for one in store.history(base.Scope(), None)] == ["delete"]
    store.prune(end + 2 * MINUTE)
    assert store.history(base.Scope(), None) == []
    assert store.find(base.Scope()) == [base.Listed(other, kept)]
    assert record != store.read(KEY)
    assert store.update(KEY, opening(end)).version == 1


def test_the_newest_part_of_the_history_of_one_gate(connect: Connect) -> None:
    store = connect()
    start = gates.GateKey("test", "podinfo", "start")
    for minute in range(4):
        store.update(KEY, opening(NOW + minute * MINUTE, f"anna-{minute}"))
        store.update(start, opening(NOW + minute * MINUTE, f"bob-{minute}"))
    store.update(gates.GateKey("test", "other", "start"), opening())

    def actors(scope: base.Scope, newest: int | None) -> list[str]:
        return [one.entry.by.actor for one in store.history(scope, None, newest)]

    assert actors(base.Scope.of(start), None) == ["bob-0", "bob-1", "bob-2", "bob-3"]
    assert actors(base.Scope.of(start), 2) == ["bob-2", "bob-3"]
    assert actors(base.Scope.of(KEY), 9) == ["anna-0", "anna-1", "anna-2", "anna-3"]
    assert actors(base.Scope("test", "podinfo"), 3) == ["bob-2", "anna-3", "bob-3"]
    assert [one.key for one in store.find(base.Scope.of(start))] == [start]
