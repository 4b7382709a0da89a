import hashlib
import json
from typing import Any

import pytest

from flagger_gatekeeper import access, identity, policy, reviews

TOKEN = "a-long-random-token"
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()
ANNA = identity.Identity("anna", ("release",))
Verb = access.Verb


def tokens(*entries: dict[str, Any]) -> identity.StaticTokens:
    return identity.StaticTokens.parse(json.dumps({"tokens": list(entries)}))


def bearer(token: str) -> identity.Credentials:
    return identity.Credentials(bearer=token)


def test_static_tokens() -> None:
    known = tokens(
        {"name": "anna", "sha256": DIGEST.upper(), "groups": ["release"]},
        {"name": "empty", "sha256": hashlib.sha256(b"").hexdigest()},
    )
    assert known.identify(bearer(TOKEN)) == ANNA
    for other in ("", DIGEST, TOKEN + "x", "ä"):
        assert known.identify(bearer(other)) is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"tokens": {}}x', '{"tokens": [{"name": "a"}]}',
     '{"tokens": [{"name": "a", "sha256": "abc"}]}', '{"tokens": [7]}',
     '{"tokens": [{"name": "a", "sha256": 7}]}'],
)  # fmt: skip
def test_a_file_without_tokens_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own message, or ours
        identity.StaticTokens.parse(text)


@pytest.mark.parametrize(
    ("remote", "believed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("fd00::1", True),
        ("11.0.0.1", False),
        ("::1", False),
        ("", False),
        ("unix:", False),
    ],
)
def test_only_trusted_proxies_tell_who_it_is(remote: str, believed: bool) -> None:
    proxy = identity.ProxyHeader.parse("10.0.0.0/8, fd00::/8")
    sent = identity.Credentials(remote=remote, user="anna", groups=("release",))
    assert proxy.identify(sent) == (ANNA if believed else None)
    assert proxy.identify(identity.Credentials(remote=remote)) is None


def test_networks_are_checked() -> None:
    with pytest.raises(ValueError, match="does not appear"):
        identity.ProxyHeader.parse("everywhere")
    assert identity.ProxyHeader.parse("").identify(bearer(TOKEN)) is None


def grants(*entries: dict[str, list[str]]) -> policy.Policy:
    return policy.Policy.parse(json.dumps({"grants": list(entries)}))


@pytest.mark.parametrize(
    ("grant", "allowed"),
    [
        ({"users": ["anna"], "namespaces": ["test"], "verbs": ["open"]}, True),
        ({"groups": ["release"], "namespaces": ["*"], "verbs": ["*"]}, True),
        ({"users": ["*"], "namespaces": ["test"], "verbs": ["open", "close"]}, True),
        ({"users": ["bob"], "namespaces": ["*"], "verbs": ["*"]}, False),
        ({"groups": ["*"], "namespaces": ["*"], "verbs": ["*"]}, False),
        ({"users": ["anna"], "namespaces": ["prod"], "verbs": ["*"]}, False),
        ({"users": ["anna"], "namespaces": ["tes"], "verbs": ["*"]}, False),
        ({"users": ["anna"], "namespaces": ["*"], "verbs": ["close", "read"]}, False),
        ({"users": ["anna"], "namespaces": ["*"]}, False),
        ({}, False),
    ],
)
def test_grants(grant: dict[str, list[str]], allowed: bool) -> None:
    assert grants(grant).allows(ANNA, Verb.OPEN, "test") is allowed
    assert grants({}, grant).allows(ANNA, Verb.OPEN, "test") is allowed


@pytest.mark.parametrize(
    "text",
    ["", "{}", '{"grants": 7}', '{"grants": ["a"]}', '{"grants": [{"verbs": ["fly"]}]}',
     '{"grants": [{"user": ["anna"]}]}', '{"grants": [{"users": "anna"}]}'],
)  # fmt: skip
def test_a_policy_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own message, or ours
        policy.Policy.parse(text)


class Api:
    """Answers reviews, and counts them."""

    def __init__(self, **status: Any) -> None:
        self.status = status
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.sent.append((path, body))
        return {**body, "status": self.status}


def test_a_token_is_reviewed_and_believed_for_a_while() -> None:
    user = {"username": "anna", "groups": ["release"], "uid": "1", "extra": {"a": ["b"]}}
    api = Api(authenticated=True, user=user)
    times = iter([0.0, 29.0, 31.0, 31.0])
    known = reviews.TokenReviews(api.post, lambda: next(times))
    expected = identity.Identity("anna", ("release",), "1", {"a": ["b"]})
    assert [known.identify(bearer(TOKEN)) for _ in range(2)] == [expected, expected]
    assert [body["spec"] for _, body in api.sent] == [{"token": TOKEN}]
    api.status = {"authenticated": False}
    assert known.identify(bearer(TOKEN)) is None


@pytest.mark.parametrize(
    "status",
    [{}, {"authenticated": False}, {"authenticated": "true", "user": {"username": "a"}},
     {"authenticated": True}, {"authenticated": True, "user": {"username": ""}}],
)  # fmt: skip
def test_an_unclear_review_recognises_nobody(status: dict[str, Any]) -> None:
    api = Api(**status)
    known = reviews.TokenReviews(api.post)
    assert [known.identify(bearer(TOKEN)) for _ in range(2)] == [None, None]
    assert len(api.sent) == 2
    assert known.identify(bearer("")) is None
    assert known.identify(bearer("x" * 20_000)) is None
    assert len(api.sent) == 2


@pytest.mark.parametrize(
    ("verb", "asked"), [("open", "update"), ("close", "update"), ("read", "get"), ("check", "get")]
)
def test_rights_are_those_of_a_resource(verb: str, asked: str) -> None:
    api = Api(allowed=True)
    assert reviews.AccessReviews(api.post).allows(ANNA, Verb(verb), "test")
    ((path, body),) = api.sent
    assert path == reviews.ACCESS_PATH
    assert (body["spec"]["user"], body["spec"]["groups"]) == ("anna", ["release"])
    assert body["spec"]["resourceAttributes"] == {
        "group": "flagger.app",
        "resource": "canaries",
        "subresource": "gate",
        "namespace": "test",
        "verb": asked,
    }


@pytest.mark.parametrize("status", [{}, {"allowed": False}, {"allowed": "true"}])
def test_an_unclear_right_is_none(status: dict[str, Any]) -> None:
    assert not reviews.AccessReviews(Api(**status).post).allows(ANNA, Verb.OPEN, "test")
