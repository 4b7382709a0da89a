"""The table of spec gatekeeper A.2, and what a broken store does to it."""

import json
from typing import Any, TypeVar

import flask.testing
import pytest
from werkzeug.test import TestResponse

import flagger_gatekeeper
from flagger_gatekeeper import changes, gates, settings
from flagger_gatekeeper.store import base, memory

T = TypeVar("T")

BODY = b'{"name":"podinfo","namespace":"test"}'
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"]
GATES = ["gate", "rollback"]
ACTIONS = ["check", "open", "close"]
PLAIN = "text/plain; charset=utf-8"


class BrokenStore(memory.MemoryStore):
    """Answers nothing."""

    def __init__(self, error: gates.GateError) -> None:
        super().__init__()
        self._error = error

    def read(self, key: gates.GateKey) -> gates.GateRecord | None:
        raise self._error

    def update(
        self, key: gates.GateKey, transition: changes.Transition[T], *, repair: bool = False
    ) -> T:
        raise self._error

    def ping(self) -> None:
        raise self._error


def client_of(
    store: base.GateStore, namespace_regexp: str = "", **more: Any
) -> flask.testing.FlaskClient:
    options = settings.Settings(
        **{"namespace_regexp": namespace_regexp, "allow_anonymous_mutations": True, **more}
    )
    return flagger_gatekeeper.create_app(options, store).test_client()


@pytest.fixture
def client() -> flask.testing.FlaskClient:
    return client_of(memory.MemoryStore())


def send(
    client: flask.testing.FlaskClient, path: str, body: bytes = BODY, method: str = "POST"
) -> TestResponse:
    form = "application/x-www-form-urlencoded"  # what `curl -d` says
    return client.open(path, method=method, data=body, content_type=form)


def answer(response: TestResponse) -> tuple[int, str, str | None]:
    return response.status_code, response.text, response.headers.get("Content-Type")


@pytest.mark.parametrize("method", METHODS)
def test_approve_and_halt_look_at_nothing(client: flask.testing.FlaskClient, method: str) -> None:
    for body in (BODY, b"", b"not json"):
        approved = send(client, "/gate/approve", body, method)
        assert answer(approved) == (200, "OK", PLAIN)
        halted = send(client, "/gate/halt", body, method)
        assert answer(halted) == (403, "Forbidden", PLAIN)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("gate", GATES)
def test_a_gate_is_closed_opened_and_closed(
    client: flask.testing.FlaskClient, gate: str, method: str
) -> None:
    closed, opened, changed = (403, "Forbidden", PLAIN), (200, "Approved", PLAIN), (202, "", None)
    for action, expected in [
        ("check", closed),
        ("open", changed),
        ("check", opened),
        ("check", opened),
        ("open", changed),
        ("check", opened),
        ("close", changed),
        ("check", closed),
        ("close", changed),
        ("check", closed),
    ]:
        response = send(client, f"/{gate}/{action}", method=method)
        assert answer(response) == expected
        assert response.headers["Content-Length"] == str(len(expected[1]))


def test_head_has_the_status_alone(client: flask.testing.FlaskClient) -> None:
    assert send(client, "/gate/open", method="HEAD").status_code == 202
    response = send(client, "/gate/check", method="HEAD")
    assert (response.status_code, response.text) == (200, "")


@pytest.mark.parametrize(("one", "other"), [("gate", "rollback"), ("rollback", "gate")])
def test_start_gate_and_rollback_gate_are_independent(
    client: flask.testing.FlaskClient, one: str, other: str
) -> None:
    send(client, f"/{one}/open")
    assert send(client, f"/{one}/check").status_code == 200
    assert send(client, f"/{other}/check").status_code == 403
    send(client, f"/{one}/close")
    send(client, f"/{other}/open")
    assert send(client, f"/{one}/check").status_code == 403


def test_opening_a_start_gate_rolls_nobody_back(client: flask.testing.FlaskClient) -> None:
    """Upstream joins keys with dots, and rolls `podinfo` back here (spec gatekeeper C.1)."""
    send(client, "/gate/open", b'{"name":"rollback.podinfo","namespace":"test"}')
    assert send(client, "/rollback/check").status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        b'{"Name":"podinfo","NAMESPACE":"test"}',
        b' {"namespace":"test","name":"x","name":"podinfo","phase":null,"other":[1]}\n',
        b'{"name":"podinfo","namespace":"test","metadata":{"a":null}}',
    ],
)
def test_payloads_are_read_as_upstream_reads_them(
    client: flask.testing.FlaskClient, body: bytes
) -> None:
    send(client, "/gate/open", body)
    assert send(client, "/gate/check").status_code == 200


@pytest.mark.parametrize("body", [b"null", b"{}", b'{"name":null}', b'{"nmae":"podinfo"}'])
def test_names_may_be_empty(client: flask.testing.FlaskClient, body: bytes) -> None:
    assert send(client, "/gate/open", body).status_code == 202
    assert send(client, "/gate/check", b"{}").status_code == 200
    assert send(client, "/gate/check").status_code == 403


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'"x"', BODY + b"x", b'{"name":1}', b'{"metadata":{"a":1}}', b"\xef\xbb\xbf{}"],
)
def test_a_body_that_is_no_payload_changes_nothing(
    client: flask.testing.FlaskClient, gate: str, action: str, body: bytes
) -> None:
    assert answer(send(client, f"/{gate}/{action}", body)) == (400, "", None)
    assert send(client, f"/{gate}/check", b"{}").status_code == 403


def test_a_large_body_is_refused(client: flask.testing.FlaskClient) -> None:
    body = json.dumps({"name": "x" * settings.MAX_BODY_BYTES}).encode()
    assert send(client, "/gate/open", body).status_code == 413


@pytest.mark.parametrize("gate", GATES)
def test_other_namespaces_are_refused(gate: str) -> None:
    store = memory.MemoryStore()
    client = client_of(store, "^te")
    prod = b'{"name":"podinfo","namespace":"prod"}'
    for action in ACTIONS:
        assert answer(send(client, f"/{gate}/{action}", prod)) == (403, "Forbidden", PLAIN)
    assert send(client_of(store), f"/{gate}/check", prod).status_code == 403
    send(client, f"/{gate}/open")
    assert send(client, f"/{gate}/check").status_code == 200
    assert send(client, "/gate/approve", prod).status_code == 200
    assert send(client, "/gate/halt", prod).status_code == 403


@pytest.mark.parametrize(
    "path",
    ["/", "/gate", "/gate/", "/gate/check/", "/Gate/Check", "/gate/status", "/rollback/approve",
     "/rollback/halt", "/event"],
)  # fmt: skip
def test_nothing_else_is_here_and_no_task_is_run(
    client: flask.testing.FlaskClient, path: str
) -> None:
    assert answer(send(client, path)) == (404, "Not Found", PLAIN)


@pytest.mark.parametrize("path", ["/gate//check", "/a/../gate/check", "/gate/./check"])
def test_unclean_paths_are_redirected(client: flask.testing.FlaskClient, path: str) -> None:
    response = send(client, path)
    assert (response.status_code, response.headers["Location"]) == (307, "/gate/check")


@pytest.mark.parametrize(
    "error", [base.StoreUnavailableError("down"), gates.CorruptRecordError("damaged")]
)
@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_broken_store_neither_approves_nor_forbids(
    error: gates.GateError, gate: str, action: str
) -> None:
    response = send(client_of(BrokenStore(error)), f"/{gate}/{action}")
    assert answer(response) == (503, "gate store unavailable", PLAIN)


def test_a_broken_store_is_not_ready_but_alive() -> None:
    client = client_of(BrokenStore(base.StoreUnavailableError("down")))
    assert answer(client.get("/readyz")) == (503, "store unavailable: down", PLAIN)
    assert answer(client.get("/healthz")) == (200, "OK", PLAIN)


def test_a_working_store_is_ready(client: flask.testing.FlaskClient) -> None:
    assert client.get("/readyz").status_code == 200


def test_logs_are_upstreams(
    client: flask.testing.FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "flagger_gatekeeper")
    for gate in GATES:
        for action in ["check", "open", "check", "close"]:
            send(client, f"/{gate}/{action}")
    ours = [record for record in caplog.records if record.name.startswith("flagger_gatekeeper")]
    lines = [record.getMessage() for record in ours]
    assert [line for line in lines if not line.startswith("audit:")] == [
        "podinfo.test gate check: approved false",
        "podinfo.test gate opened",
        "podinfo.test gate check: approved true",
        "podinfo.test gate closed",
        "rollback.podinfo.test rollback check: approved false",
        "rollback.podinfo.test rollback opened",
        "rollback.podinfo.test rollback check: approved true",
        "rollback.podinfo.test rollback closed",
    ]
    assert {vars(record)["canary"] for record in ours} == {"podinfo.test"}


def test_checks_and_changes_are_counted(client: flask.testing.FlaskClient) -> None:
    for action in ["check", "open", "check", "close"]:
        send(client, f"/rollback/{action}")
    lines = client.get("/metrics").text.splitlines()
    assert 'flagger_gate_checks_total{gate="rollback",result="forbidden"} 1.0' in lines
    send(client, "/gate/check/invented")
    assert 'gate="named",result="forbidden"} 1.0' in client.get("/metrics").text
    assert 'flagger_gate_checks_total{gate="rollback",result="approved"} 1.0' in lines
    assert 'flagger_gate_mutations_total{action="open",gate="rollback",result="done"} 1.0' in lines


def body(**more: Any) -> bytes:
    return json.dumps({"name": "podinfo", "namespace": "test", **more}).encode()


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("suffix", "metadata"),
    [
        ("/start", {}),
        ("/start", {"gate": "other"}),
        ("/start?gate=other", {"gate": "other"}),
        ("?gate=start", {}),
        ("?gate=start", {"gate": "other"}),
        ("", {"gate": "start"}),
        ("?gate=", {"gate": "start"}),
    ],
)
def test_a_named_gate_is_chosen_by_path_query_or_metadata(
    client: flask.testing.FlaskClient, action: str, suffix: str, metadata: dict[str, str]
) -> None:
    if action != "open":
        send(client, "/gate/open/start")
    send(client, f"/gate/{action}{suffix}", body(metadata=metadata))
    assert send(client, "/gate/check/start").status_code == (403 if action == "close" else 200)
    for other in ("/gate/check", "/gate/check/other", "/rollback/check"):
        assert send(client, other).status_code == 403


def test_the_gates_with_old_paths_have_names_too(client: flask.testing.FlaskClient) -> None:
    send(client, "/gate/open/default")
    assert send(client, "/gate/check").status_code == 200
    send(client, "/gate/open?gate=rollback")
    assert send(client, "/rollback/check").status_code == 200


@pytest.mark.parametrize("name", ["UPPER", "-a", "a-", "a.b", "a" * 64, "%0a", "start%20"])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_name_that_no_gate_can_have_is_refused(
    client: flask.testing.FlaskClient, action: str, name: str
) -> None:
    assert answer(send(client, f"/gate/{action}/{name}")) == (400, "", None)
    assert answer(send(client, f"/gate/{action}?gate={name}")) == (400, "", None)
    assert answer(send(client, f"/gate/{action}", body(metadata={"gate": "A b"}))) == (
        400,
        "",
        None,
    )
    assert send(client, f"/rollback/{action}?gate={name}").status_code in (202, 403)


def test_opening_for_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "flagger_gatekeeper")
    store = memory.MemoryStore()
    client = client_of(store, default_mode="once", once_grace=0.0)
    send(client, "/gate/open")
    asked = body(phase="Progressing", checksum="7c9d467496")
    assert [send(client, "/gate/check", asked).status_code for _ in range(3)] == [200, 403, 403]
    logged = [one.entry for one in store.history(base.Scope(), None)]
    assert [(e.action, e.phase, e.by.source) for e in logged] == [
        ("open", "", "127.0.0.1"),
        ("pass", "Progressing", "127.0.0.1"),
    ]
    written = [vars(record)["audit"] for record in caplog.records if "audit" in vars(record)]
    assert [(line["action"], line["gate"]) for line in written] == [
        ("open", "default"),
        ("pass", "default"),
    ]


def test_the_grace_of_an_approval_is_a_setting() -> None:
    client = client_of(memory.MemoryStore(), default_mode="once", once_grace=3600.0)
    send(client, "/gate/open")
    asked = body(phase="Progressing", checksum="7c9d467496")
    assert [send(client, "/gate/check", asked).status_code for _ in range(2)] == [200, 200]
    other = body(phase="Progressing", checksum="56966965f5")
    assert send(client, "/gate/check", other).status_code == 403


def test_an_absurd_checksum_identifies_nothing() -> None:
    client = client_of(memory.MemoryStore(), default_mode="once", once_grace=3600.0)
    send(client, "/gate/open")
    asked = body(phase="Progressing", checksum="x" * 1000)
    assert [send(client, "/gate/check", asked).status_code for _ in range(2)] == [200, 403]


def test_opened_gates_may_have_an_end() -> None:
    store = memory.MemoryStore()
    send(client_of(store, default_ttl=3600.0), "/gate/open")
    (listed,) = store.find(base.Scope())
    assert listed.record is not None
    assert listed.record.expires_at is not None
    assert (listed.record.expires_at - listed.record.updated_at).total_seconds() == 3600


class OneWayStore(memory.MemoryStore):
    """Can be read; takes changes while it is told to."""

    writable = True

    def update(
        self, key: gates.GateKey, transition: changes.Transition[T], *, repair: bool = False
    ) -> T:
        if not self.writable:
            raise base.StoreUnavailableError("read-only")
        return super().update(key, transition, repair=repair)


def test_an_approval_that_cannot_be_taken_is_not_given() -> None:
    store = OneWayStore()
    client = client_of(store, default_mode="once")
    send(client, "/gate/open")
    store.writable = False
    assert answer(send(client, "/gate/check")) == (503, "gate store unavailable", PLAIN)
    assert 'result="unavailable"} 1.0' in client.get("/metrics").text
    store.writable = True
    assert send(client, "/gate/check").status_code == 200
