"""Who is let in: the settings, over HTTP."""

import hashlib
import json
import pathlib
from typing import Any

import flask.testing
import pytest
from werkzeug.test import TestResponse

import flagger_gatekeeper
from flagger_gatekeeper import settings
from flagger_gatekeeper.store import base, memory

BODY = {"name": "podinfo", "namespace": "test"}
GATE = "/api/v1/gates/test/podinfo/default"
CHANGES = [
    ("POST", "/gate/open"),
    ("GET", "/gate/open"),
    ("POST", "/gate/close/start"),
    ("POST", "/rollback/open"),
    ("POST", "/rollback/close"),
    ("PUT", GATE),
    ("DELETE", GATE),
    ("POST", f"{GATE}/open"),
    ("POST", f"{GATE}/close"),
]
READS = [
    ("GET", GATE),
    ("GET", "/api/v1/gates"),
    ("GET", "/api/v1/audit"),
    ("GET", "/api/v1/watch"),
]


def client_of(store: base.GateStore, **more: Any) -> flask.testing.FlaskClient:
    return flagger_gatekeeper.create_app(settings.Settings(**more), store).test_client()


def send(
    client: flask.testing.FlaskClient, method: str, path: str, token: str = "", **more: Any
) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    state = {"state": "open"} if method == "PUT" else BODY
    body = {} if path.endswith(("/open", "/close")) and path.startswith("/api") else state
    return client.open(path, method=method, json=body, headers=headers, **more)


@pytest.fixture
def store() -> memory.MemoryStore:
    return memory.MemoryStore()


@pytest.fixture
def files(tmp_path: pathlib.Path) -> dict[str, str]:
    """Two people: anna may do everything in `test`, bob may read everywhere."""
    people = ("anna", "bob")
    tokens = [{"name": one, "sha256": hashlib.sha256(one.encode()).hexdigest()} for one in people]
    (tmp_path / "tokens").write_text(json.dumps({"tokens": tokens}))
    grants = [
        {"users": ["anna"], "namespaces": ["test"], "verbs": ["*"]},
        {"users": ["bob"], "namespaces": ["*"], "verbs": ["read"]},
    ]
    (tmp_path / "policy").write_text(json.dumps({"grants": grants}))
    (tmp_path / "check").write_text("s3cret\n")
    return {
        "auth_mode": "static",
        "token_file": str(tmp_path / "tokens"),
        "policy_file": str(tmp_path / "policy"),
    }


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_changes_need_an_identity(store: memory.MemoryStore, method: str, path: str) -> None:
    client = client_of(store)
    answer = send(client, method, path)
    if path.startswith("/api"):
        assert answer.json is not None
        assert (answer.status_code, answer.json["code"]) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    else:
        assert (answer.status_code, answer.text) == (403, "Forbidden")
    assert store.find(base.Scope()) == []
    assert store.history(base.Scope(), None) == []
    assert 'reason="unauthorized"' in client.get("/metrics").text


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_everybody_may_change_gates_if_that_is_wanted(
    store: memory.MemoryStore, method: str, path: str
) -> None:
    client = client_of(store, allow_anonymous_mutations=True)
    assert send(client, method, path).status_code in (200, 202, 204)


@pytest.mark.parametrize(("method", "path"), [*CHANGES, *READS])
@pytest.mark.parametrize("token", ["", "nonsense"])
def test_strangers(
    store: memory.MemoryStore, files: dict[str, str], method: str, path: str, token: str
) -> None:
    answer = send(client_of(store, **files), method, path, token)
    assert answer.status_code == (401 if path.startswith("/api") else 403)
    assert store.history(base.Scope(), None) == []


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_people_may_do_what_they_were_granted(
    store: memory.MemoryStore, files: dict[str, str], method: str, path: str
) -> None:
    client = client_of(store, **files)
    assert send(client, method, path, "bob").status_code == 403
    assert store.history(base.Scope(), None) == []
    assert send(client, method, path, "anna").status_code in (200, 202, 204)
    (logged,) = store.history(base.Scope(), None)
    assert logged.entry.by.actor == "anna"


def test_people_see_what_they_may_read(store: memory.MemoryStore, files: dict[str, str]) -> None:
    everything = client_of(store, allow_anonymous_mutations=True)
    for namespace in ("test", "prod"):
        send(everything, "POST", f"/api/v1/gates/{namespace}/podinfo/default/open")
    client = client_of(store, **files)
    for path in ("/api/v1/gates", "/api/v1/audit"):
        for person, seen in [("anna", {"test"}), ("bob", {"test", "prod"})]:
            answer = send(client, "GET", path, person).json
            assert answer is not None
            assert {one["namespace"] for one in answer["items"]} == seen
    other = "/api/v1/gates/prod/podinfo/default"
    assert send(client, "GET", other, "anna").status_code == 403
    assert send(client, "GET", other, "bob").status_code == 200


def test_checks_are_open_to_controllers(store: memory.MemoryStore, files: dict[str, str]) -> None:
    client = client_of(store, **files)
    send(client, "POST", "/gate/open", "anna")
    assert send(client, "POST", "/gate/check").status_code == 200
    assert send(client, "POST", "/gate/check", "nonsense").status_code == 200
    assert send(client, "POST", "/rollback/check").status_code == 403


def test_checks_may_need_a_secret(
    store: memory.MemoryStore, files: dict[str, str], tmp_path: pathlib.Path
) -> None:
    client = client_of(store, **files, check_token_file=str(tmp_path / "check"))
    send(client, "POST", "/gate/open", "anna")
    event = {**BODY, "phase": "Succeeded"}
    for token, payload, passes in [
        ("", "", False),
        ("", "s3cre", False),
        ("s3cret ", "", True),
        ("s3crets", "", False),
        ("", "s3cret", True),
        ("bob", "", False),
        ("anna", "", True),
    ]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        body = {**BODY, "metadata": {"token": payload}} if payload else BODY
        answer = client.post("/gate/check", json=body, headers=headers)
        assert answer.status_code == (200 if passes else 403)
        told = client.post("/api/v1/events", json={**event, **body}, headers=headers)
        assert (told.status_code == 202) is passes


def test_a_proxy_tells_who_it_is(store: memory.MemoryStore) -> None:
    client = client_of(store, trusted_proxy_cidr="10.0.0.0/8")
    headers = {"X-Forwarded-User": "anna", "X-Forwarded-Groups": "a, b"}
    for remote, status in [("11.0.0.1", 401), ("10.0.0.1", 200)]:
        answer = client.post(
            f"{GATE}/open", headers=headers, environ_overrides={"REMOTE_ADDR": remote}
        )
        assert answer.status_code == status
    (logged,) = store.history(base.Scope(), None)
    assert (logged.entry.by.actor, logged.entry.by.source) == ("anna", "10.0.0.1")


def test_who_comes_too_often_has_to_wait(store: memory.MemoryStore) -> None:
    client = client_of(store, allow_anonymous_mutations=True, rate_limit=1)
    statuses = [send(client, "POST", "/gate/open").status_code for _ in range(50)]
    assert statuses[:2] == [202, 202]
    assert 429 in statuses
    assert (
        send(
            client, "GET", "/api/v1/gates", environ_overrides={"REMOTE_ADDR": "1.2.3.4"}
        ).status_code
        == 200
    )
    assert {send(client, "POST", "/gate/check").status_code for _ in range(50)} == {200}
    unlimited = client_of(store, allow_anonymous_mutations=True, rate_limit=0)
    assert {send(unlimited, "POST", "/gate/open").status_code for _ in range(300)} == {202}


def test_a_strict_expression_is_about_the_whole_name(store: memory.MemoryStore) -> None:
    latest = {"name": "podinfo", "namespace": "prod-latest"}
    for path, loose, strict in [
        ("/gate/check", 403, 403),
        ("/gate/approve", 200, 403),
        ("/gate/halt", 403, 403),
    ]:
        for more, expected in [({"allow_anonymous_mutations": True}, loose), ({}, strict)]:
            client = client_of(store, namespace_regexp="test", **more)
            assert client.post(path, json=latest).status_code == expected
            approved = client.post("/gate/approve", json=BODY)
            assert (approved.status_code, approved.text) == (200, "OK")


@pytest.mark.parametrize(
    "more",
    [
        {"auth_mode": "static"},
        {"auth_mode": "static", "token_file": "/missing"},
        {"access_review": True},
        {"policy_file": "/missing"},
        {"check_token_file": "/dev/null"},
        {"trusted_proxy_cidr": "everywhere"},
    ],
)
def test_settings_that_cannot_work_end_the_start(
    store: memory.MemoryStore, more: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        client_of(store, **more)
