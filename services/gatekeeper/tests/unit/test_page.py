"""The web page as a browser without JavaScript sees it."""

import hashlib
import html
import json
import pathlib
import re
from typing import Any

import flask.testing
import pytest
from werkzeug.test import TestResponse

import flagger_gatekeeper
from flagger_gatekeeper import settings
from flagger_gatekeeper.store import base, memory

from .away import AwayStore

PAGE = "/ui/gates/test/podinfo/promotion"
WAITING = {"name": "podinfo", "namespace": "test", "phase": "WaitingPromotion", "checksum": "7c9d"}
OWN = {"Sec-Fetch-Site": "same-origin"}
ANNA = {"X-Forwarded-User": "anna", **OWN}


def client_of(store: base.GateStore | None = None, **more: Any) -> flask.testing.FlaskClient:
    options = settings.Settings(**{"allow_anonymous_mutations": True, **more})
    app = flagger_gatekeeper.create_app(options, store or memory.MemoryStore())
    return app.test_client()


@pytest.fixture
def client() -> flask.testing.FlaskClient:
    return client_of(trusted_proxy_cidr="127.0.0.1")


def text(answer: TestResponse) -> str:
    """What people read, in one line."""
    body = re.sub(r"<(head|script)\b.*?</\1>", "", answer.text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def seen(answer: TestResponse) -> str:
    found = re.search(r'name="seen" value="([^"]*)"', answer.text)
    assert found is not None
    return found[1]


def decide(client: flask.testing.FlaskClient, action: str, **fields: str) -> TestResponse:
    """Fill in the form of the gate and send it."""
    form = {"seen": seen(client.get(PAGE, headers=ANNA)), "action": action, **fields}
    return client.post(PAGE, data=form, headers=ANNA)


def passes(client: flask.testing.FlaskClient) -> bool:
    return client.post("/gate/check/promotion", json=WAITING).status_code == 200


def test_the_root_leads_to_the_page(client: flask.testing.FlaskClient) -> None:
    assert client.get("/").location == "/ui/"
    assert client.get("/other").status_code == 404


def test_what_waits_comes_first(client: flask.testing.FlaskClient) -> None:
    empty = text(client.get("/ui/", headers=ANNA))
    assert "Nothing waits for you." in empty
    client.post("/gate/open/start", json=WAITING)
    assert not passes(client)
    shown = text(client.get("/ui/", headers=ANNA))
    first, rest = shown.split("All gates")
    assert "podinfo promotion test, waiting for less than a minute at confirm-promotion" in first
    assert "start" not in first
    assert "podinfo start test open" in rest


def test_a_gate_is_approved_and_rejected(client: flask.testing.FlaskClient) -> None:
    passes(client)
    answer = decide(client, "open", mode="sticky", reason="looks good")
    assert (answer.status_code, answer.location) == (303, PAGE)
    shown = text(client.get(PAGE, headers=ANNA))
    assert "test · open" in shown
    assert "open anna looks good" in shown, "history"
    assert passes(client)
    decide(client, "close", reason="not today")
    assert not passes(client)
    assert "close anna not today open anna looks good" in re.sub(
        r"\d\d \w+ \d{4}, [\d:]+ UTC ", "", text(client.get(PAGE, headers=ANNA))
    )


@pytest.mark.parametrize(
    ("fields", "mode"),
    [
        ({"mode": "once"}, "once"),
        ({"mode": "until", "ttl": "2h"}, "until"),
        ({"mode": "count", "count": "3"}, "count"),
        ({"mode": "once", "count": "3"}, "once"),
        ({}, "sticky"),
    ],
)
def test_modes(client: flask.testing.FlaskClient, fields: dict[str, str], mode: str) -> None:
    assert decide(client, "open", **fields).status_code == 303
    found = client.get("/api/v1/gates/test/podinfo/promotion", headers=ANNA).json
    assert found is not None
    assert found["mode"] == mode


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"mode": "until"}, "Nothing was changed: mode until needs a ttl."),
        ({"mode": "until", "ttl": "soon"}, "Nothing was changed: ttl:"),
        ({"mode": "count", "count": "many"}, "the number of checks is a whole number"),
        ({"mode": "sometimes"}, "this is no way to open a gate"),
    ],
)
def test_mistakes_are_told_in_the_form(
    client: flask.testing.FlaskClient, fields: dict[str, str], problem: str
) -> None:
    answer = decide(client, "open", **fields)
    assert answer.status_code == 422
    assert problem in text(answer)
    assert not passes(client)


def test_only_for_the_revision_that_waits(client: flask.testing.FlaskClient) -> None:
    passes(client)
    assert 'name="checksum" value="7c9d"' in client.get(PAGE, headers=ANNA).text
    decide(client, "open", mode="sticky", checksum="7c9d")
    assert passes(client)
    other = {**WAITING, "checksum": "other"}
    assert client.post("/gate/check/promotion", json=other).status_code == 403


def test_nobody_is_overruled_by_an_old_page(client: flask.testing.FlaskClient) -> None:
    old = seen(client.get(PAGE, headers=ANNA))
    decide(client, "close", reason="stop")
    answer = client.post(PAGE, data={"seen": old, "action": "open"}, headers=ANNA)
    assert answer.status_code == 409
    assert "somebody else was faster" in text(answer)
    assert not passes(client)
    assert client.post(PAGE, data={"action": "open"}, headers=ANNA).status_code == 409


def test_the_emergency_exit_says_what_open_means(client: flask.testing.FlaskClient) -> None:
    page = client.get("/ui/gates/test/podinfo/rollback", headers=ANNA)
    assert "open means that the release is rolled back." in text(page)
    assert "Roll back" in text(page)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://localhost"}, 303),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://gates.example", "X-Forwarded-Host": "gates.example"}, 303),
        ({}, 403),
    ],
)
def test_other_sites_change_nothing(headers: dict[str, str], status: int) -> None:
    client = client_of()
    answer = client.post(PAGE, data={"seen": "new", "action": "open"}, headers=headers)
    assert answer.status_code == status
    assert passes(client) is (status == 303)


def test_what_payloads_say_is_text(client: flask.testing.FlaskClient) -> None:
    evil = "<script>alert(1)</script>"
    decide(client, "open", reason=evil)
    client.post("/gate/check/promotion", json={**WAITING, "phase": evil, "checksum": evil})
    client.post("/gate/open", json={"name": evil, "namespace": evil})
    for path in ("/ui/", PAGE):
        body = client.get(path, headers=ANNA).text
        assert "<script>alert" not in body


def test_looking_changes_nothing_and_is_not_refused(client: flask.testing.FlaskClient) -> None:
    assert client.head("/ui/", headers={"X-Forwarded-User": "anna"}).status_code == 200


def test_nothing_of_the_page_is_kept_or_framed(client: flask.testing.FlaskClient) -> None:
    for path in ("/ui/", PAGE, "/ui/login", "/ui/static/page.css"):
        with client.get(path, headers=ANNA) as answer:
            headers = answer.headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/ui/", headers=ANNA).headers["Cache-Control"] == "no-store"


# Who it is


@pytest.fixture
def tokens(tmp_path: pathlib.Path) -> flask.testing.FlaskClient:
    """Anna may do everything in `test`, Bob may look, Carl may open what he cannot see."""
    known = [
        {"name": name, "sha256": hashlib.sha256(f"{name}'s".encode()).hexdigest()}
        for name in ("anna", "bob", "carl")
    ]
    (tmp_path / "tokens").write_text(json.dumps({"tokens": known}))
    grants = [
        {"users": ["anna"], "namespaces": ["test"], "verbs": ["*"]},
        {"users": ["bob"], "namespaces": ["test"], "verbs": ["read"]},
        {"users": ["carl"], "namespaces": ["test"], "verbs": ["open"]},
    ]
    (tmp_path / "policy").write_text(json.dumps({"grants": grants}))
    return client_of(
        allow_anonymous_mutations=False,
        auth_mode="static",
        token_file=str(tmp_path / "tokens"),
        policy_file=str(tmp_path / "policy"),
    )


def log_in(client: flask.testing.FlaskClient, token: str) -> TestResponse:
    return client.post("/ui/login", data={"token": token}, headers=OWN)


def test_people_log_in_with_their_tokens(tokens: flask.testing.FlaskClient) -> None:
    assert tokens.get("/ui/").status_code == 401
    assert 'type="password"' in tokens.get("/ui/").text
    refused = log_in(tokens, "nonsense")
    assert refused.status_code == 401
    assert "Nobody knows this token." in text(refused)
    assert "Set-Cookie" not in refused.headers
    answer = log_in(tokens, "anna's")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/ui"} <= set(cookie.split("; "))
    page = tokens.get(PAGE)
    assert "anna" in text(page)
    form = {"seen": seen(page), "action": "open"}
    assert tokens.post(PAGE, data=form, headers=OWN).status_code == 303
    assert passes(tokens)
    tokens.post("/ui/logout", headers=OWN)
    assert tokens.get("/ui/").status_code == 401


def test_the_cookie_opens_the_page_and_nothing_else(tokens: flask.testing.FlaskClient) -> None:
    log_in(tokens, "anna's")
    tokens.set_cookie("gatekeeper-token", "anna's", path="/")
    assert tokens.get("/api/v1/gates").status_code == 401
    assert tokens.post("/gate/open/promotion", json=WAITING).status_code == 403


def test_behind_an_encrypted_front_the_cookie_stays_there(
    tokens: flask.testing.FlaskClient,
) -> None:
    headers = {**OWN, "X-Forwarded-Proto": "https"}
    answer = tokens.post("/ui/login", data={"token": "anna's"}, headers=headers)
    assert "Secure" in answer.headers["Set-Cookie"].split("; ")


def test_who_may_only_look_sees_no_buttons(tokens: flask.testing.FlaskClient) -> None:
    tokens.post("/gate/check/promotion", json=WAITING)
    log_in(tokens, "bob's")
    first, others = text(tokens.get("/ui/")).split("Waiting for others")
    assert "Nothing waits for you." in first
    assert "podinfo promotion" in others
    assert '<form method="post" class' not in tokens.get(PAGE).text
    form = {"seen": "new", "action": "open"}
    answer = tokens.post(PAGE, data=form, headers=OWN)
    assert answer.status_code == 403
    assert "Bob may not open here." in text(answer)
    assert tokens.get("/ui/gates/other/podinfo/promotion").status_code == 403


def test_other_namespaces_are_not_shown(tokens: flask.testing.FlaskClient) -> None:
    tokens.post("/gate/check/promotion", json={**WAITING, "namespace": "secret-place"})
    log_in(tokens, "anna's")
    assert "secret-place" not in text(tokens.get("/ui/"))


def test_the_page_is_for_those_who_may_look(tokens: flask.testing.FlaskClient) -> None:
    log_in(tokens, "carl's")
    assert tokens.get(PAGE).status_code == 403
    form = {"seen": "new", "action": "open"}
    assert tokens.post(PAGE, data=form, headers=OWN).status_code == 403
    assert not passes(tokens)


def test_where_nobody_is_recognised_everybody_looks_and_nobody_decides() -> None:
    client = client_of(allow_anonymous_mutations=False)
    client.post("/gate/check/promotion", json=WAITING)
    assert "Waiting for others podinfo promotion" in text(client.get("/ui/"))
    assert 'name="action"' not in client.get(PAGE).text


def test_approvals_are_counted_on_the_page(client: flask.testing.FlaskClient) -> None:
    rules = json.dumps([{"gates": ["promotion"], "approvals": 2}])
    client = client_of(trusted_proxy_cidr="127.0.0.1", rules=rules)
    decide(client, "open", mode="once")
    shown = text(client.get(PAGE, headers=ANNA))
    assert "closed 1 of 2 approvals" in shown
    assert "anna approved it less than a minute ago (once)" in shown


# When it does not work


def test_a_store_that_is_away_is_told() -> None:
    client = client_of(AwayStore())
    for answer in (
        client.get("/ui/"),
        client.get(PAGE),
        client.post(PAGE, data={"action": "open", "seen": "new"}, headers=OWN),
    ):
        assert answer.status_code == 503
        assert "The store of the gates does not answer." in text(answer)


def test_a_name_that_no_gate_has(client: flask.testing.FlaskClient) -> None:
    assert client.get("/ui/gates/test/podinfo/UPPER", headers=ANNA).status_code == 404


def test_the_page_can_be_left_out() -> None:
    client = client_of(ui=False)
    assert {client.get(path).status_code for path in ("/", "/ui/", PAGE)} == {404}
