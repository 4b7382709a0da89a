"""The table of spec gatekeeper A.2, and what a broken store does to it."""

import json

import flask.testing
import pytest
from werkzeug.test import TestResponse

import flagger_gatekeeper
from flagger_gatekeeper import gates, settings
from flagger_gatekeeper.store import base, memory

BODY = b'{"name":"podinfo","namespace":"test"}'
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"]
GATES = ["gate", "rollback"]
ACTIONS = ["check", "open", "close"]
PLAIN = "text/plain; charset=utf-8"


class BrokenStore:
    """Answers nothing."""

    def __init__(self, error: gates.GateError) -> None:
        self._error = error

    def read(self, key: gates.GateKey) -> gates.GateRecord | None:
        raise self._error

    def update(self, key: gates.GateKey, transition: gates.Transition) -> None:
        raise self._error

    def ping(self) -> None:
        raise self._error

    def close(self) -> None:
        pass


def client_of(store: base.GateStore, namespace_regexp: str = "") -> flask.testing.FlaskClient:
    options = settings.Settings(store="memory", namespace_regexp=namespace_regexp)
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
    assert [record.getMessage() for record in ours] == [
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
    assert 'flagger_gate_checks_total{gate="rollback",result="approved"} 1.0' in lines
    assert 'flagger_gate_mutations_total{action="open",gate="rollback",result="done"} 1.0' in lines
