"""The management API over HTTP, on a store in memory."""

import json
from typing import Any

import flask.testing
import pytest
from werkzeug.test import TestResponse

import flagger_gatekeeper
from flagger_gatekeeper import openapi, settings
from flagger_gatekeeper.store import base, memory

from .away import AwayStore

GATE = "/api/v1/gates/test/podinfo/start"
PASSING = {"name": "podinfo", "namespace": "test", "phase": "Waiting", "checksum": "7c9d467496"}


def client_of(store: base.GateStore, **more: Any) -> flask.testing.FlaskClient:
    options = settings.Settings(**{"allow_anonymous_mutations": True, **more})
    return flagger_gatekeeper.create_app(options, store).test_client()


@pytest.fixture
def client() -> flask.testing.FlaskClient:
    return client_of(memory.MemoryStore())


def check(client: flask.testing.FlaskClient, path: str = "/gate/check/start", **more: Any) -> int:
    return client.post(path, json={**PASSING, **more}).status_code


def problem(answer: TestResponse) -> tuple[int, str]:
    assert answer.json is not None
    assert answer.json.keys() == {"error", "code"}
    return answer.status_code, answer.json["code"]


def test_a_gate_is_opened_read_closed_and_forgotten(client: flask.testing.FlaskClient) -> None:
    assert problem(client.get(GATE)) == (404, "not_found")
    opened = client.post(f"{GATE}/open", json={"reason": "release 7"})
    assert opened.status_code == 200
    assert opened.json is not None
    assert opened.json["state"] == "open"
    assert opened.json["reason"] == "release 7"
    assert opened.json["version"] == 1
    read = client.get(GATE)
    assert (read.json, read.headers["ETag"]) == (opened.json, opened.headers["ETag"])
    assert check(client) == 200
    closed = client.post(f"{GATE}/close")
    assert closed.json is not None
    assert (closed.json["state"], closed.json["version"]) == ("closed", 2)
    assert closed.headers["ETag"] != read.headers["ETag"]
    assert check(client) == 403
    assert client.delete(f"{GATE}?reason=over").status_code == 204
    assert problem(client.get(GATE)) == (404, "not_found")
    trail = client.get("/api/v1/audit").json
    assert trail is not None
    assert [(e["action"], e.get("reason")) for e in trail["items"]] == [
        ("open", "release 7"),
        ("close", None),
        ("delete", "over"),
    ]


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_modes_are_set(client: flask.testing.FlaskClient, method: str) -> None:
    table: list[tuple[dict[str, Any], str, list[int]]] = [
        ({"mode": "once"}, "once", [200, 200]),
        ({"count": 2}, "count", [200, 200, 403]),
        ({"ttl": "1h"}, "until", [200, 200]),
        ({"mode": "sticky", "checksum": "56966965f5"}, "sticky", [403]),
        ({"mode": "sticky", "checksum": "next"}, "sticky", [200]),
        ({}, "sticky", [200, 200, 200]),
    ]
    for asked, mode, passes in table:
        if method == "PUT":
            answer = client.put(GATE, json={"state": "open", **asked})
        else:
            answer = client.post(f"{GATE}/open", json=asked)
        assert answer.json is not None
        assert (answer.status_code, answer.json["mode"]) == (200, mode)
        assert [check(client) for _ in passes] == passes


def test_putting_a_gate_closed(client: flask.testing.FlaskClient) -> None:
    client.post(f"{GATE}/open")
    answer = client.put(GATE, json={"state": "closed", "reason": "stop", "autoReset": True})
    assert answer.json is not None
    assert (answer.json["state"], answer.json["autoReset"]) == ("closed", True)
    assert check(client) == 403


def test_conditions_are_kept(client: flask.testing.FlaskClient) -> None:
    def put(**headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.put(GATE, json={"state": "open"}, headers=named)

    assert problem(put(If_Match="*")) == (412, "precondition_failed")
    assert problem(put(If_Match='"1-0"')) == (412, "precondition_failed")
    check(client)  # asked in vain: still a gate that nobody has set
    first = put(If_None_Match="*")
    assert first.status_code == 200
    assert problem(put(If_None_Match="*")) == (412, "precondition_failed")
    second = put(If_Match=first.headers["ETag"])
    assert second.status_code == 200
    assert problem(put(If_Match=first.headers["ETag"])) == (412, "precondition_failed")
    old = {"If-Match": first.headers["ETag"]}
    assert problem(client.delete(GATE, headers=old)) == (412, "precondition_failed")
    assert problem(client.post(f"{GATE}/close", headers=old)) == (412, "precondition_failed")
    assert check(client) == 200
    assert client.delete(GATE, headers={"If-Match": "*"}).status_code == 204
    again = put(If_None_Match="*")
    assert again.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/open", "{", (400, "malformed_body")),
        ("/open", "[]", (422, "invalid_body")),
        ("/open", '{"mode": "twice"}', (422, "invalid_body")),
        ("/open", '{"mode": []}', (422, "invalid_body")),
        ("/open", '{"mode": "until"}', (422, "invalid_body")),
        ("/open", '{"count": 0}', (422, "invalid_body")),
        ("/open", '{"count": true}', (422, "invalid_body")),
        ("/open", '{"count": 1.5}', (422, "invalid_body")),
        ("/open", '{"ttl": "soon"}', (422, "invalid_body")),
        ("/open", '{"ttl": 60}', (422, "invalid_body")),
        ("/open", '{"ttl": "-1h"}', (422, "invalid_body")),
        ("/open", '{"ttl": "99999999999999h"}', (422, "invalid_body")),
        ("/open", '{"reason": 7}', (422, "invalid_body")),
        ("/open", '{"resaon": "typo"}', (422, "invalid_body")),
        ("/open", '{"autoReset": "yes"}', (422, "invalid_body")),
        ("/close", '{"mode": "once"}', (422, "invalid_body")),
        ("", "{}", (422, "invalid_body")),
        ("", '{"state": "ajar"}', (422, "invalid_body")),
        ("", '{"state": "closed", "ttl": "1h"}', (422, "invalid_body")),
        ("", '{"state": "open", "reason": "' + "x" * 70_000, (413, "request_entity_too_large")),
    ],
)  # fmt: skip
def test_bodies_that_are_refused(
    client: flask.testing.FlaskClient, path: str, body: str, expected: tuple[int, str]
) -> None:
    answer = client.open(f"{GATE}{path}", method="POST" if path else "PUT", data=body)
    assert problem(answer) == expected
    assert check(client) == 403


def test_paths_and_methods_that_are_refused(client: flask.testing.FlaskClient) -> None:
    assert problem(client.get("/api/v1/gates/test/podinfo/UPPER")) == (422, "invalid_name")
    assert problem(client.post("/api/v1/gates/test/podinfo/a.b/open")) == (422, "invalid_name")
    assert problem(client.get("/api/v1/nothing")) == (404, "not_found")
    assert problem(client.get(f"{GATE}/open")) == (405, "method_not_allowed")


def listed(client: flask.testing.FlaskClient, query: str = "") -> list[str]:
    answer = client.get(f"/api/v1/gates{query}")
    assert answer.json is not None, answer.text
    return [f"{one['namespace']}/{one['canary']}/{one['gate']}" for one in answer.json["items"]]


def test_lists_are_filtered(client: flask.testing.FlaskClient) -> None:
    client.post("/api/v1/gates/a/x/start/open")
    client.post("/api/v1/gates/a/y/default/close")
    client.post("/gate/check", json={"name": "x", "namespace": "b", "phase": "Waiting"})
    everything = ["a/x/start", "a/y/default", "b/x/default"]
    assert listed(client) == everything
    for query, expected in {
        "?namespace=a": everything[:2],
        "?canary=x": [everything[0], everything[2]],
        "?namespace=a&canary=y": everything[1:2],
        "?state=open": everything[:1],
        "?state=closed": everything[1:],
        "?pending=true": everything[2:],
        "?pending=false&state=closed": everything[1:2],
        "?state=unreadable": [],
    }.items():
        assert listed(client, query) == expected
    waiting = client.get("/api/v1/gates?pending=true").json
    assert waiting is not None
    assert waiting["items"][0]["pending"]["hook"] == "confirm-rollout"


def test_lists_come_page_by_page(client: flask.testing.FlaskClient) -> None:
    names = [f"c{number:02}" for number in range(7)]
    for name in names:
        client.post(f"/api/v1/gates/test/{name}/default/open")
    found: list[str] = []
    query = "?limit=3"
    for length in (3, 3, 1):
        part = listed(client, query)
        assert len(part) == length
        found += part
        answer = client.get(f"/api/v1/gates{query}").json
        assert answer is not None
        query = f"?limit=3&continue={answer['continue']}"
    assert found == [f"test/{name}/default" for name in names]
    assert query == "?limit=3&continue="


@pytest.mark.parametrize(
    "query",
    ["gates?limit=0", "gates?limit=501", "gates?limit=x", "gates?limit=-1", "gates?state=ajar",
     "gates?pending=maybe", "gates?continue=x", "gates?continue=W10=", "gates?continue=WzFd",
     "audit?since=yesterday", "audit?limit=1001"],
)  # fmt: skip
def test_parameters_that_are_refused(client: flask.testing.FlaskClient, query: str) -> None:
    if query == "gates?continue=W10=":
        assert client.get(f"/api/v1/{query}").status_code == 400
    assert problem(client.get(f"/api/v1/{query}")) == (400, "invalid_parameter")


def test_the_history_is_filtered(client: flask.testing.FlaskClient) -> None:
    for number in range(5):
        client.post(f"/api/v1/gates/test/c{number % 2}/default/open")

    def found(query: str) -> int:
        answer = client.get(f"/api/v1/audit{query}").json
        assert answer is not None
        return len(answer["items"])

    assert found("") == 5
    assert found("?canary=c1") == 2
    assert found("?namespace=other") == 0
    assert found("?limit=2") == 2
    assert found("?since=2020-01-01T00:00:00Z") == 5
    assert found("?since=2020-01-01T00:00:00+01:00") == 5
    assert found("?since=2999-01-01T00:00:00Z") == 0


def test_other_namespaces_are_neither_served_nor_seen() -> None:
    store = memory.MemoryStore()
    client_of(store).post("/api/v1/gates/prod/podinfo/start/open")
    client_of(store).post(f"{GATE}/open")
    client = client_of(store, namespace_regexp="^test$")
    assert listed(client) == ["test/podinfo/start"]
    trail = client.get("/api/v1/audit").json
    assert trail is not None
    assert [one["namespace"] for one in trail["items"]] == ["test"]
    for answer in (
        client.get("/api/v1/gates/prod/podinfo/start"),
        client.post("/api/v1/gates/prod/podinfo/start/close"),
        client.delete("/api/v1/gates/prod/podinfo/start"),
        client.post("/api/v1/events", json={**PASSING, "namespace": "prod"}),
    ):
        assert problem(answer) == (403, "forbidden")


def test_nothing_is_acknowledged_without_a_store() -> None:
    client = client_of(AwayStore())
    for answer in (
        client.get(GATE),
        client.get("/api/v1/gates"),
        client.post(f"{GATE}/open"),
        client.put(GATE, json={"state": "closed"}),
        client.delete(GATE),
        client.post("/api/v1/events", json={**PASSING, "phase": "Failed"}),
    ):
        assert problem(answer) == (503, "store_unavailable")


@pytest.mark.parametrize("every", [True, False])
def test_gates_are_closed_when_a_release_ends(every: bool) -> None:
    client = client_of(memory.MemoryStore(), auto_reset=every)
    for name, flag in [("default", False), ("rollback", False), ("mine", True), ("other", False)]:
        client.post(f"/api/v1/gates/test/podinfo/{name}/open", json={"autoReset": flag})
    client.post("/api/v1/gates/test/elsewhere/default/open", json={"autoReset": True})
    begun = client.post("/api/v1/events", json={**PASSING, "phase": "Progressing"})
    assert (begun.status_code, begun.json) == (202, {"reset": []})
    ended = client.post("/api/v1/events", json={**PASSING, "phase": "Succeeded"})
    expected = ["default", "mine", "rollback"] if every else ["mine"]
    assert (ended.status_code, ended.json) == (202, {"reset": expected})
    assert check(client, "/gate/check") == (403 if every else 200)
    assert check(client, "/gate/check/mine") == 403
    assert check(client, "/gate/check/other") == 200
    assert check(client, "/gate/check", name="elsewhere") == 200
    again = client.post("/api/v1/events", json={**PASSING, "phase": "Succeeded"})
    assert again.json == {"reset": []}
    assert problem(client.post("/api/v1/events", data=b"[]")) == (400, "malformed_body")


def test_the_description_is_served(client: flask.testing.FlaskClient) -> None:
    assert client.get("/api/v1/openapi.json").json == openapi.description()


def test_a_gate_says_when_it_lets_somebody_pass() -> None:
    """29 February: seldom enough for a test at any time but then."""
    rule = {"gates": ["start"], "windows": [{"cron": "0 0 29 2 *", "duration": "1m"}]}
    client = client_of(memory.MemoryStore(), rules=json.dumps([rule]))
    opened = client.post(f"{GATE}/open").json
    assert opened is not None
    assert opened["state"] == "open"
    assert opened["passesAt"].endswith("-02-29T00:00:00+00:00")
    assert check(client) == 403
    assert check(client, "/gate/check/other") == 403
    client.post("/gate/open/other", json=PASSING)
    assert check(client, "/gate/check/other") == 200
    other = client.get(GATE.replace("start", "other")).json
    assert other is not None
    assert "passesAt" not in other
