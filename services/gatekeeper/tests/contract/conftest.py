"""The three stores behind one interface."""

import dataclasses
import pathlib
import sqlite3
from collections.abc import Callable, Iterator

import pytest
from tools.cluster import controlplane

from flagger_gatekeeper import gates
from flagger_gatekeeper.store import base, configmaps, kubernetes, memory, sqlite


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
