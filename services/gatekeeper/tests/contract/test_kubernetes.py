"""What only the Kubernetes store has to do: other writers, lost answers, missing rights."""

import datetime
import functools
import json
import pathlib
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import urllib3
from tools.cluster import controlplane

from flagger_gatekeeper import audit, changes, gates
from flagger_gatekeeper.store import base, configmaps, kubernetes

pytestmark = pytest.mark.api

KEY = gates.GateKey("test", "podinfo")
NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
Moving = changes.Transition[gates.GateRecord]

Send = Callable[..., Any]
Fault = Callable[[Send, str], Any]


def opening() -> Moving:
    """Return what one more request to open does."""
    return changes.setting(changes.Wish(gates.State.OPEN), audit.By(uuid.uuid4().hex), NOW)


def closing() -> Moving:
    """Return what one more request to close does."""
    return changes.setting(changes.Wish(gates.State.CLOSED), audit.By(uuid.uuid4().hex), NOW)


def passes(store: kubernetes.KubernetesStore) -> bool:
    return gates.is_open(store.read(KEY), NOW)


class FaultyClient:
    """The real client, with something in the way of its requests."""

    def __init__(self, kubeconfig: pathlib.Path, fault: Fault) -> None:
        self._client: Any = kubernetes.login(str(kubeconfig))
        self._fault = fault
        self.sent: list[str] = []

    def param_serialize(self, *args: Any, **kwargs: Any) -> Any:
        return self._client.param_serialize(*args, **kwargs)

    def call_api(self, method: str, *args: Any, **kwargs: Any) -> Any:
        self.sent.append(method)
        return self._fault(lambda: self._client.call_api(method, *args, **kwargs), method)

    def close(self) -> None:
        self._client.close()


class Answer:
    """An answer that the API server never gave."""

    def __init__(self, status: int, body: bytes = b'{"kind": "Status"}') -> None:
        self.status = status
        self._body = body

    def read(self) -> bytes:
        return self._body


Faulty = Callable[[Fault], tuple[kubernetes.KubernetesStore, FaultyClient]]


@pytest.fixture
def faulty(plane: controlplane.ControlPlane, namespace: str) -> Faulty:
    def build(fault: Fault) -> tuple[kubernetes.KubernetesStore, FaultyClient]:
        client: Any = FaultyClient(plane.kubeconfig_of("gatekeeper"), fault)
        return kubernetes.KubernetesStore(client, namespace, pause=lambda _: None), client

    return build


@pytest.fixture
def store(plane: controlplane.ControlPlane, namespace: str) -> kubernetes.KubernetesStore:
    client = kubernetes.login(str(plane.kubeconfig_of("gatekeeper")))
    return kubernetes.KubernetesStore(client, namespace)


def path_of(namespace: str, key: gates.GateKey = KEY) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps/{configmaps.name(key)}"


def once(what: Callable[[Send], Any], methods: str) -> Fault:
    """Put something in the way of the first request with one of the methods."""
    left = [None]

    def fault(send: Send, method: str) -> Any:
        if method in methods.split() and left:
            left.pop()
            return what(send)
        return send()

    return fault


def not_sent(_: Send) -> Any:
    raise urllib3.exceptions.NewConnectionError(urllib3.connection.HTTPConnection("nowhere"), "")


def answer_lost(send: Send) -> Any:
    send()
    raise urllib3.exceptions.ProtocolError("connection reset")


def conflicting(_: Send) -> Any:
    return Answer(409)


def overloaded(_: Send) -> Any:
    return Answer(429)


def failing(_: Send) -> Any:
    return Answer(500)


def garbled(_: Send) -> Any:
    return Answer(200, b"<html>")


def calls(store: kubernetes.KubernetesStore) -> list[Callable[[], object]]:
    return [
        functools.partial(store.read, KEY),
        functools.partial(store.update, KEY, opening()),
        store.ping,
    ]


FAULTS = [not_sent, answer_lost, conflicting, overloaded, failing, garbled]


@pytest.mark.parametrize("what", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("methods", ["GET", "POST", "PUT"])
def test_a_passing_fault_is_not_noticed(
    faulty: Faulty, store: kubernetes.KubernetesStore, what: Callable[[Send], Any], methods: str
) -> None:
    if methods == "PUT":
        store.update(KEY, closing())
    broken, client = faulty(once(what, methods))
    record = broken.update(KEY, opening())
    assert passes(store)
    assert client.sent.count(methods) >= 2 or (methods != "GET" and what is answer_lost)
    assert [one.entry.action for one in store.history(base.Scope(), None)][-1:] == ["open"]
    assert store.read(KEY) == record
    broken.update(KEY, closing())
    assert not passes(store)


@pytest.mark.parametrize("what", FAULTS, ids=lambda fault: fault.__name__)
def test_a_lasting_fault_ends_the_call_after_some_attempts(
    faulty: Faulty, store: kubernetes.KubernetesStore, what: Callable[[Send], Any]
) -> None:
    broken, client = faulty(lambda send, _: what(send))
    attempts = kubernetes.ATTEMPTS if what is conflicting else kubernetes.FAULTS
    for call in calls(broken):
        client.sent.clear()
        with pytest.raises(base.StoreUnavailableError, match="giving up"):
            call()
        assert client.sent == ["GET"] * attempts
    assert store.read(KEY) is None


def test_endless_conflicts_end_the_call_and_change_nothing(
    faulty: Faulty, store: kubernetes.KubernetesStore
) -> None:
    written = store.update(KEY, closing())
    broken, client = faulty(lambda send, method: Answer(409) if method == "PUT" else send())
    with pytest.raises(base.StoreUnavailableError, match="409"):
        broken.update(KEY, opening())
    assert client.sent.count("PUT") == kubernetes.ATTEMPTS
    assert store.read(KEY) == written


def test_an_open_still_under_way_cannot_undo_an_acknowledged_close(
    faulty: Faulty, store: kubernetes.KubernetesStore
) -> None:
    store.update(KEY, closing())
    late: list[Send] = []

    def delay(send: Send) -> Any:
        late.append(send)
        raise urllib3.exceptions.ReadTimeoutError(
            urllib3.HTTPConnectionPool("nowhere"), "/", "timed out"
        )

    def fault(send: Send, method: str) -> Any:
        return delay(send) if method == "PUT" else send()

    broken, _ = faulty(fault)
    with pytest.raises(base.StoreUnavailableError):
        broken.update(KEY, opening())
    store.update(KEY, closing())
    assert [send().status for send in late] == [409] * kubernetes.FAULTS
    assert not passes(store)


def test_a_config_map_deleted_meanwhile_is_made_anew(
    plane: controlplane.ControlPlane,
    namespace: str,
    faulty: Faulty,
    store: kubernetes.KubernetesStore,
) -> None:
    store.update(KEY, closing())

    def delete_first(send: Send) -> Any:
        with plane.client() as admin:
            admin.delete(path_of(namespace))
        return send()

    broken, client = faulty(once(delete_first, "PUT"))
    written = broken.update(KEY, opening())
    assert client.sent == ["GET", "PUT", "GET", "POST"]
    assert store.read(KEY) == written


def test_missing_rights_are_an_error(plane: controlplane.ControlPlane, namespace: str) -> None:
    client = kubernetes.login(str(plane.kubeconfig_of("stranger")))
    store = kubernetes.KubernetesStore(client, namespace)
    for call in calls(store):
        with pytest.raises(base.StoreUnavailableError, match="403"):
            call()


def test_a_missing_namespace_is_an_error(plane: controlplane.ControlPlane) -> None:
    store = kubernetes.KubernetesStore(kubernetes.login(str(plane.kubeconfig)), "missing")
    with pytest.raises(base.StoreUnavailableError, match="404"):
        store.update(KEY, opening())


@pytest.mark.parametrize("data", [None, {"gate.default": '{"state": "open"}'}])
def test_a_config_map_about_something_else_is_an_error(
    plane: controlplane.ControlPlane,
    namespace: str,
    store: kubernetes.KubernetesStore,
    data: dict[str, str] | None,
) -> None:
    with plane.client() as admin:
        path = path_of(namespace).rpartition("/")[0]
        admin.create(path, {"metadata": {"name": configmaps.name(KEY)}, "data": data})
    with pytest.raises(gates.CorruptRecordError):
        store.read(KEY)
    with pytest.raises(gates.CorruptRecordError):
        store.update(KEY, opening())


def test_people_find_the_gates_and_their_additions_stay(
    plane: controlplane.ControlPlane, namespace: str, store: kubernetes.KubernetesStore
) -> None:
    store.update(KEY, opening())
    with plane.client() as admin:
        admin.patch(
            path_of(namespace),
            {"metadata": {"annotations": {"team": "blue"}}, "data": {"note": "release 7"}},
        )
        store.update(gates.GateKey("test", "podinfo", gates.ROLLBACK), closing())
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        selector = "?labelSelector=app.kubernetes.io/managed-by%3Dflagger-gatekeeper"
        (found,) = admin.get(path + selector)["items"]
    assert found["metadata"]["name"].startswith("gate-test-podinfo-")
    assert found["metadata"]["annotations"] == {"team": "blue"}
    assert found["data"].keys() == {
        "namespace", "canary", "note", "gate.default", "gate.rollback", "history"
    }  # fmt: skip
    assert json.loads(found["data"]["gate.default"])["state"] == "open"


def test_a_check_costs_one_read_and_a_change_one_read_and_one_write(
    plane: controlplane.ControlPlane, namespace: str, store: kubernetes.KubernetesStore
) -> None:
    mark = plane.audit.mark()
    store.update(KEY, opening())
    store.update(KEY, closing())
    store.read(KEY)
    sent = plane.audit.requests(since=mark, user="gatekeeper")
    verbs = [request.verb for request in sent if request.namespace == namespace]
    assert verbs == ["get", "create", "get", "update", "get"]


def test_no_login_is_an_error(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(base.StoreUnavailableError, match="no access"):
        kubernetes.login(str(tmp_path / "missing"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    with pytest.raises(base.StoreUnavailableError, match="token"):
        kubernetes.login()
