"""A gate that several people have to open, from the transition to the wire."""

import dataclasses
import datetime
import json
from typing import Any

import flask.testing
import pytest
from werkzeug.test import TestResponse

import flagger_gatekeeper
from flagger_gatekeeper import audit, changes, gates, settings, wishes
from flagger_gatekeeper.store import memory

NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
TWO = changes.Quorum(2, HOUR)
GATE = "/api/v1/gates/test/podinfo/promotion"
RULES = json.dumps([{"gates": ["promotion"], "approvals": 2}])


def wish(**asked: Any) -> changes.Wish:
    return wishes.opened(wishes.Opening(**asked), wishes.Defaults(), NOW)


def say(
    record: gates.GateRecord | None,
    actor: str,
    at: datetime.datetime = NOW,
    quorum: changes.Quorum = TWO,
    **asked: Any,
) -> changes.Change:
    """Somebody opens the gate."""
    by = audit.By(f"{actor} {at}", actor)
    change = changes.opening(wish(**asked), by, at, quorum)(record).change
    assert change is not None
    return change


def told(change: changes.Change) -> tuple[str, str, int]:
    """What happened, the state, and how many approvals are there."""
    assert change.record is not None
    (entry,) = change.entries
    return entry.action.value, change.record.state.value, len(change.record.approvals)


def test_the_last_of_them_opens_it() -> None:
    first = say(None, "anna", reason="looks good")
    assert told(first) == ("approve", "closed", 1)
    assert (first.entries[0].reason, first.entries[0].before) == ("looks good", "")
    second = say(first.record, "bob", mode=None)
    assert told(second) == ("open", "open", 0)
    assert second.record is not None
    assert (second.record.actor, second.record.version) == ("bob", 2)


def test_a_person_counts_once() -> None:
    once = say(None, "anna")
    again = say(once.record, "anna", NOW + HOUR / 2)
    assert told(again) == ("approve", "closed", 1)
    assert told(say(again.record, "bob", NOW + HOUR))[:2] == ("open", "open")


def test_an_approval_does_not_wait_for_ever() -> None:
    first = say(None, "anna")
    late = say(first.record, "bob", NOW + HOUR)
    assert told(late) == ("approve", "closed", 1)
    assert told(say(late.record, "anna", NOW + HOUR))[0] == "open"


@pytest.mark.parametrize(
    "other",
    [{"mode": gates.Mode.ONCE}, {"count": 3}, {"ttl": HOUR}, {"checksum": "7c9d467496"}],
)
def test_approvals_of_different_things_do_not_add_up(other: dict[str, Any]) -> None:
    """Nobody who agreed to one passage has agreed to an open door."""
    first = say(None, "anna", **other)
    second = say(first.record, "bob")
    assert told(second) == ("approve", "closed", 1)
    assert told(say(second.record, "anna"))[0] == "open"


def test_an_open_gate_stays_as_it_is_until_others_agree() -> None:
    old = gates.GateRecord(gates.State.OPEN, NOW, NOW, 3, gates.Mode.ONCE)
    change = say(old, "anna", mode=gates.Mode.STICKY)
    assert told(change) == ("approve", "open", 1)
    assert change.record is not None
    assert change.record.mode is gates.Mode.ONCE


def test_closing_takes_back_what_was_said() -> None:
    first = say(None, "anna")
    closing = changes.setting(wishes.closed("no"), audit.By("2", "carl"), NOW)
    closed = closing(first.record).change
    assert closed is not None
    assert told(closed) == ("close", "closed", 0)
    assert told(say(closed.record, "bob")) == ("approve", "closed", 1)


def test_an_answer_that_got_lost_counts_once() -> None:
    by = audit.By("1", "anna")
    opening = changes.opening(wish(), by, NOW, TWO)
    change = opening(None).change
    assert change is not None
    assert change.record is not None
    assert opening(change.record) == changes.Outcome(change.record)


def test_a_precondition_holds_for_approvals_too() -> None:
    opening = changes.opening(wish(), audit.By("1", "anna"), NOW, TWO, lambda _: False)
    with pytest.raises(changes.PreconditionError):
        opening(None)


def test_one_is_enough_without_a_rule() -> None:
    assert told(say(None, "", quorum=changes.Quorum()))[:2] == ("open", "open")


# Over HTTP


@pytest.fixture
def client() -> flask.testing.FlaskClient:
    options = settings.Settings(
        trusted_proxy_cidr="127.0.0.1/32", allow_anonymous_mutations=True, rules=RULES
    )
    return flagger_gatekeeper.create_app(options, memory.MemoryStore()).test_client()


def opened(client: flask.testing.FlaskClient, actor: str, **body: Any) -> TestResponse:
    headers = {"X-Forwarded-User": actor} if actor else {}
    return client.post(f"{GATE}/open", json=body, headers=headers)


def passes(client: flask.testing.FlaskClient) -> bool:
    payload = {"name": "podinfo", "namespace": "test", "phase": "Progressing", "checksum": "1"}
    return client.post("/gate/check/promotion", json=payload).status_code == 200


def document(answer: TestResponse) -> dict[str, Any]:
    found: dict[str, Any] | None = answer.json
    assert answer.status_code == 200
    assert found is not None
    return found


def test_two_people_open_a_gate(client: flask.testing.FlaskClient) -> None:
    first = document(opened(client, "anna", mode="once"))
    assert (first["state"], first["required"]) == ("closed", 2)
    assert [(one["actor"], one["terms"]) for one in first["approvals"]] == [("anna", "once")]
    assert not passes(client)
    assert document(opened(client, "anna", mode="once"))["state"] == "closed"
    second = document(opened(client, "bob", mode="once"))
    assert (second["state"], second["approvals"]) == ("open", [])
    assert passes(client)
    anna = {"X-Forwarded-User": "anna"}
    trail = document(client.get("/api/v1/audit", headers=anna))["items"]
    said = [(one["action"], one.get("actor")) for one in trail]
    assert said[:3] == [("approve", "anna"), ("approve", "anna"), ("open", "bob")]


def test_nobody_without_a_name_approves(client: flask.testing.FlaskClient) -> None:
    answer = opened(client, "")
    assert answer.status_code == 401
    assert answer.json == {
        "code": "unauthorized",
        "error": "2 people have to open this gate, each with an identity",
    }
    payload = {"name": "podinfo", "namespace": "test"}
    assert client.post("/gate/open/promotion", json=payload).status_code == 403
    assert not passes(client)


def test_the_compatible_path_says_how_many_are_missing(client: flask.testing.FlaskClient) -> None:
    payload = {"name": "podinfo", "namespace": "test"}
    answers = [
        client.post("/gate/open/promotion", json=payload, headers={"X-Forwarded-User": actor})
        for actor in ("anna", "bob")
    ]
    assert [(each.status_code, each.text) for each in answers] == [
        (202, "1 of 2 approvals"),
        (202, ""),
    ]
    assert passes(client)


def test_other_gates_need_one(client: flask.testing.FlaskClient) -> None:
    body = document(client.post("/api/v1/gates/test/podinfo/start/open"))
    assert body["state"] == "open"
    assert not body.keys() & {"required", "approvals"}


def test_rules_that_cannot_be_read_end_the_process_at_once() -> None:
    options = dataclasses.replace(settings.Settings(), rules='[{"approvals": 0}]')
    with pytest.raises(ValueError, match="required is from 1 to 20"):
        flagger_gatekeeper.create_app(options, memory.MemoryStore())
