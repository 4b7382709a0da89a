"""What every store has to do, on memory, a real file and a real API server."""

import concurrent.futures
import dataclasses
import datetime
import pathlib
import sqlite3
from collections.abc import Callable, Iterator

import pytest
from tools.cluster import controlplane

from flagger_gatekeeper import gates
from flagger_gatekeeper.store import base, configmaps, kubernetes, memory, sqlite

NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
KEY = gates.GateKey("test", "podinfo")
OPENING = gates.moving(gates.State.OPEN, NOW)
CLOSING = gates.moving(gates.State.CLOSED, NOW)


@dataclasses.dataclass(frozen=True)
class Backend:
    """One place where gates are kept."""

    connect: Callable[[], base.GateStore]
    """Opens it as a further process would."""
    damage: Callable[[gates.GateKey, str], None] | None
    """Replaces the stored text of a gate; None where there is no text."""


def memory_backend() -> Backend:
    store = memory.MemoryStore()
    return Backend(lambda: store, None)


def sqlite_backend(path: pathlib.Path) -> Backend:
    def damage(key: gates.GateKey, text: str) -> None:
        connection = sqlite3.connect(path)
        with connection:
            connection.execute(
                "UPDATE gates SET record = ? WHERE namespace = ? AND canary = ? AND gate = ?",
                (text, key.namespace, key.canary, key.gate),
            )
        connection.close()

    return Backend(lambda: sqlite.SqliteStore(path), damage)


def kubernetes_backend(plane: controlplane.ControlPlane, namespace: str) -> Backend:
    kubeconfig = str(plane.kubeconfig_of("gatekeeper"))

    def damage(key: gates.GateKey, text: str) -> None:
        path = f"/api/v1/namespaces/{namespace}/configmaps/{configmaps.name(key)}"
        with plane.client() as admin:
            admin.patch(path, {"data": {f"gate.{key.gate}": text}})

    return Backend(
        lambda: kubernetes.KubernetesStore(kubernetes.login(kubeconfig), namespace), damage
    )


DURABLE = ["sqlite", pytest.param("kubernetes", marks=pytest.mark.api)]


@pytest.fixture(params=["memory", *DURABLE])
def backend(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Backend:
    match request.param:
        case "memory":
            return memory_backend()
        case "sqlite":
            return sqlite_backend(tmp_path / "gates.sqlite")
        case _:
            plane = request.getfixturevalue("plane")
            return kubernetes_backend(plane, request.getfixturevalue("namespace"))


@pytest.fixture
def connect(backend: Backend) -> Iterator[Callable[[], base.GateStore]]:
    stores: list[base.GateStore] = []

    def connect() -> base.GateStore:
        stores.append(backend.connect())
        return stores[-1]

    yield connect
    for store in stores:
        store.close()


@pytest.fixture
def store(connect: Callable[[], base.GateStore]) -> base.GateStore:
    return connect()


def test_an_unknown_gate_has_no_record(store: base.GateStore) -> None:
    assert store.read(KEY) is None


def test_an_acknowledged_change_is_seen_by_everybody_at_once(
    connect: Callable[[], base.GateStore],
) -> None:
    one, other = connect(), connect()
    for number, transition in enumerate([OPENING, CLOSING, CLOSING, OPENING], 1):
        one.update(KEY, transition)
        state = gates.State.OPEN if transition is OPENING else gates.State.CLOSED
        assert other.read(KEY) == gates.GateRecord(state, NOW, NOW, number)
        one, other = other, one


def test_gates_of_one_canary_are_independent(store: base.GateStore) -> None:
    rollback = dataclasses.replace(KEY, gate=gates.ROLLBACK)
    store.update(KEY, OPENING)
    assert store.read(rollback) is None
    store.update(rollback, OPENING)
    store.update(KEY, CLOSING)
    assert gates.passes(store.read(rollback))
    assert not gates.passes(store.read(KEY))


def test_the_start_gate_of_one_canary_is_not_the_rollback_gate_of_another(
    store: base.GateStore,
) -> None:
    store.update(gates.GateKey("test", "rollback.podinfo"), OPENING)
    assert store.read(gates.GateKey("test", "podinfo", gates.ROLLBACK)) is None


def test_names_that_look_alike_are_different(store: base.GateStore) -> None:
    pairs = [("a.b", "c"), ("b.c", "a"), ("a-b", "c"), ("b-c", "a"), ("C", "A-B"), ("c", "a-b")]
    keys = [gates.GateKey(namespace, canary) for namespace, canary in dict.fromkeys(pairs)]
    store.update(keys[0], OPENING)
    assert [gates.passes(store.read(key)) for key in keys] == [True] + [False] * (len(keys) - 1)


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
    store.update(key, OPENING)
    assert gates.passes(store.read(key))
    assert store.read(KEY) is None


def test_a_transition_may_leave_things_as_they_are(store: base.GateStore) -> None:
    store.update(KEY, OPENING)
    store.update(KEY, lambda _: None)
    assert store.read(KEY) == OPENING(None)


def test_a_failing_transition_changes_nothing(store: base.GateStore) -> None:
    def failing(_: gates.GateRecord | None) -> gates.GateRecord | None:
        raise ZeroDivisionError

    store.update(KEY, OPENING)
    with pytest.raises(ZeroDivisionError):
        store.update(KEY, failing)
    assert store.read(KEY) == OPENING(None)
    store.update(KEY, CLOSING)
    assert not gates.passes(store.read(KEY))


def test_racing_writers_lose_nothing(connect: Callable[[], base.GateStore]) -> None:
    stores = [connect() for _ in range(3)]
    keys = [dataclasses.replace(KEY, gate=gate) for gate in (gates.DEFAULT, gates.ROLLBACK)]
    jobs = [(store, key) for store in stores for key in keys for _ in range(4)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda job: job[0].update(job[1], OPENING), jobs))
    for key in keys:
        record = stores[0].read(key)
        assert record is not None
        assert record.version == len(stores) * 4


@pytest.mark.parametrize("backend", DURABLE, indirect=True)
@pytest.mark.parametrize("text", ["", "open", '{"state": "ajar"}'])
def test_a_damaged_record_is_an_error_until_somebody_sets_it(
    backend: Backend, store: base.GateStore, text: str
) -> None:
    assert backend.damage is not None
    for transition in (CLOSING, OPENING):
        store.update(KEY, OPENING)
        backend.damage(KEY, text)
        with pytest.raises(gates.CorruptRecordError):
            store.read(KEY)
        store.update(KEY, transition)
        assert gates.passes(store.read(KEY)) is (transition is OPENING)


def test_a_store_that_works_says_so(store: base.GateStore) -> None:
    store.ping()
