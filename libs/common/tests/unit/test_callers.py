"""Who may call."""

import hashlib
import hmac
import pathlib

import flask
import flask.testing
import pytest

from flagger_common import callers, flaskkit
from flagger_common.payload import CanaryWebhookPayload

NOW = 1_700_000_000.0
BODY = b'{"name": "podinfo"}'


@pytest.fixture
def token_file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "token"
    path.write_text("old-token\nnew-token\n\n")
    return path


@pytest.fixture
def key_file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "key"
    path.write_text("a key\n")
    return path


def signed(at: str, body: bytes = BODY, key: bytes = b"a key") -> dict[str, str]:
    digest = hmac.new(key, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {callers.TIMESTAMP: at, callers.SIGNATURE: f"sha256={digest}"}


def test_without_secrets_everybody_may_call() -> None:
    assert callers.Callers().refusal({}, BODY) is None


@pytest.mark.parametrize("token", ["old-token", "new-token"])
def test_each_token_of_the_file_is_good(token_file: pathlib.Path, token: str) -> None:
    known = callers.Callers(token_file)
    assert known.refusal({"Authorization": f"Bearer {token}"}, BODY) is None
    assert known.refusal({"Authorization": f"bearer  {token} "}, BODY) is None
    assert known.refusal({}, BODY, token) is None


@pytest.mark.parametrize("token", ["", " ", "old", "old-token2", "old-token\nnew-token", "ü"])
def test_other_tokens_are_not(token_file: pathlib.Path, token: str) -> None:
    known = callers.Callers(token_file)
    assert known.refusal({"Authorization": f"Bearer {token}"}, BODY)
    assert known.refusal({}, BODY, token)


def test_a_header_is_what_counts(token_file: pathlib.Path) -> None:
    refusal = callers.Callers(token_file).refusal
    assert refusal({"Authorization": "Bearer wrong"}, BODY, "old-token") == "unknown token"


def test_a_changed_token_is_in_force_at_once(token_file: pathlib.Path) -> None:
    known = callers.Callers(token_file)
    token_file.write_text("next\n")
    assert known.refusal({}, BODY, "old-token") == "unknown token"
    assert known.refusal({}, BODY, "next") is None


def test_without_its_file_nobody_may_call(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        callers.Callers(tmp_path / "absent").refusal({}, BODY, "token")


@pytest.mark.parametrize("at", ["1700000000", "1699999701", "1700000299"])
def test_a_signed_body_is_good(key_file: pathlib.Path, at: str) -> None:
    known = callers.Callers(key_file=key_file, now=lambda: NOW)
    assert known.refusal(signed(at), BODY) is None


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "no token and no signature"),
        (signed("1700000000", b"{}"), "wrong signature"),
        (signed("1700000000", key=b"another"), "wrong signature"),
        (signed("1700000000") | {callers.TIMESTAMP: "1700000001"}, "wrong signature"),
        (signed("1699999699"), "the signature is too old or from the future"),
        (signed("1700000301"), "the signature is too old or from the future"),
        (signed("soon"), "the signature is too old or from the future"),
        (signed("²"), "the signature is too old or from the future"),
        ({callers.SIGNATURE: "sha256=ü"}, "wrong signature"),
    ],
)
def test_other_signatures_are_not(
    key_file: pathlib.Path, headers: dict[str, str], reason: str
) -> None:
    known = callers.Callers(key_file=key_file, now=lambda: NOW)
    assert known.refusal(headers, BODY) == reason


def test_an_empty_key_signs_nothing(key_file: pathlib.Path) -> None:
    key_file.write_text("\n")
    known = callers.Callers(key_file=key_file, now=lambda: NOW)
    assert known.refusal(signed("1700000000", key=b""), BODY) == "no signature can be checked"


def test_an_empty_file_has_no_token(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "token"
    path.write_text("\n")
    assert callers.Callers(path).refusal({"Authorization": "Bearer "}, BODY) == "no token"


def client(token_file: pathlib.Path, seen: list[CanaryWebhookPayload]) -> flask.testing.FlaskClient:
    def view(payload: CanaryWebhookPayload) -> flask.Response:
        seen.append(payload)
        return flaskkit.text(200, "OK")

    app = flaskkit.base_app(__name__, "test", known=callers.Callers(token_file))
    flaskkit.add_any(app, "/", flaskkit.with_payload(view), "view")
    return app.test_client()


def test_views_see_no_strangers_and_no_token(token_file: pathlib.Path) -> None:
    seen: list[CanaryWebhookPayload] = []
    caller = client(token_file, seen)
    refused = caller.post("/", data=BODY)
    assert (refused.status_code, refused.text) == (401, "Unauthorized")
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert caller.get("/healthz").status_code == 200
    assert not seen
    body = {"metadata": {"token": "old-token", "cmd": "true"}}
    assert caller.post("/", json=body).status_code == 200
    assert caller.post("/", data=BODY, headers={"authorization": "Bearer new-token"}).text == "OK"
    assert [payload.metadata for payload in seen] == [{"cmd": "true"}, {}]
