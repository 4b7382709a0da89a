"""An issuer on the loopback interface, with real keys and signatures."""

import base64
import datetime
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from pytest_httpserver import HTTPServer

import flagger_gatekeeper
from flagger_gatekeeper import entrance, identity, oidc, settings
from flagger_gatekeeper.store import base as stores
from flagger_gatekeeper.store import memory

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
DESCRIPTION = "/.well-known/openid-configuration"


class Issuer:
    """Describes itself, publishes its keys and signs tokens."""

    def __init__(self, server: HTTPServer) -> None:
        self.server = server
        self.url = server.url_for("/realm").rstrip("/")
        self.keys = [
            {**RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True), "kid": "rsa", "use": "sig"},
            {**ECAlgorithm.to_jwk(CURVE.public_key(), as_dict=True), "kid": "curve", "use": "sig"},
        ]
        described = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        server.expect_request(f"/realm{DESCRIPTION}").respond_with_json(described)
        server.expect_request("/realm/keys").respond_with_json({"keys": self.keys})

    def token(self, kid: str = "rsa", key: Any = RSA, alg: str = "RS256", **claims: Any) -> str:
        usual = {
            "iss": self.url,
            "aud": "gates",
            "sub": "anna",
            "groups": ["release"],
            "exp": int(time.time()) + 300,
        }
        said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(said, key, algorithm=alg, headers={"kid": kid})

    @property
    def asked(self) -> list[str]:
        return [request.path for request, _ in self.server.log]


@pytest.fixture
def issuer(httpserver: HTTPServer) -> Issuer:
    return Issuer(httpserver)


@pytest.fixture
def tokens(issuer: Issuer) -> oidc.OpenIdTokens:
    return oidc.OpenIdTokens(issuer.url, "gates")


def who(tokens: oidc.OpenIdTokens, token: str) -> identity.Identity | None:
    return tokens.identify(identity.Credentials(bearer=token))


def test_a_signed_token_names_somebody(tokens: oidc.OpenIdTokens, issuer: Issuer) -> None:
    assert who(tokens, issuer.token()) == identity.Identity("anna", ("release",))
    bob = issuer.token("curve", CURVE, "ES256", sub="bob", groups=None, aud=["x", "gates"])
    assert who(tokens, bob) == identity.Identity("bob")
    assert issuer.asked.count("/realm/keys") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"key": STRANGE},
        {"kid": "unknown"},
        {"aud": "others"},
        {"aud": None},
        {"iss": "https://elsewhere.example"},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
        {"sub": ""},
        {"nbf": 2**33},
    ],
)
def test_other_tokens_name_nobody(
    tokens: oidc.OpenIdTokens, issuer: Issuer, changes: dict[str, Any]
) -> None:
    assert who(tokens, issuer.token(**changes)) is None


def test_whoever_can_check_a_token_cannot_make_one(
    tokens: oidc.OpenIdTokens, issuer: Issuer
) -> None:
    """Neither without a signature, nor with a public key as the secret."""
    _, claims, _ = issuer.token().split(".")
    assert who(tokens, f"{encoded({'alg': 'none', 'kid': 'rsa'})}.{claims}.") is None
    public = RSA.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = encoded({"alg": "HS256", "kid": "rsa"})
    digest = hmac.digest(public, f"{header}.{claims}".encode(), "sha256")
    signature = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert who(tokens, f"{header}.{claims}.{signature}") is None


def encoded(header: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")


@pytest.mark.parametrize("token", ["", "word", "a.b.c", "a.b.c.d", "." * 20_000, "\u00e4.b.c"])
def test_what_is_no_token_is_somebody_elses(
    tokens: oidc.OpenIdTokens, issuer: Issuer, token: str
) -> None:
    assert who(tokens, token) is None


def test_tokens_of_another_kind_cause_no_traffic(tokens: oidc.OpenIdTokens, issuer: Issuer) -> None:
    for token in ("word", "a.b", "." * 20_000):
        assert who(tokens, token) is None
    assert issuer.asked == []


def test_invented_keys_cause_no_traffic(tokens: oidc.OpenIdTokens, issuer: Issuer) -> None:
    who(tokens, issuer.token())
    for number in range(20):
        assert who(tokens, issuer.token(kid=f"invented-{number}")) is None
    assert issuer.asked.count("/realm/keys") == 1


def test_an_address_has_to_be_verified(issuer: Issuer) -> None:
    tokens = oidc.OpenIdTokens(issuer.url, "gates", username="email", groups="roles")
    mine = {"email": "anna@example.org", "roles": "release"}
    found = identity.Identity("anna@example.org", ("release",))
    assert who(tokens, issuer.token(**mine)) == found
    assert who(tokens, issuer.token(**mine, email_verified=True)) == found
    assert who(tokens, issuer.token(**mine, email_verified=False)) is None
    assert who(tokens, issuer.token()) is None


@pytest.mark.parametrize("path", [DESCRIPTION, "/keys"])
def test_an_issuer_that_is_away_lets_nobody_in(httpserver: HTTPServer, path: str) -> None:
    httpserver.expect_oneshot_request(f"/realm{path}").respond_with_data("", status=503)
    issuer = Issuer(httpserver)
    tokens = oidc.OpenIdTokens(issuer.url, "gates")
    with pytest.raises(stores.StoreUnavailableError):
        who(tokens, issuer.token())
    assert who(tokens, issuer.token()) is not None, "it is back"


def test_an_issuer_that_calls_itself_otherwise_is_not_believed(httpserver: HTTPServer) -> None:
    described = {"issuer": "https://elsewhere.example", "jwks_uri": httpserver.url_for("/keys")}
    httpserver.expect_request(DESCRIPTION).respond_with_json(described)
    tokens = oidc.OpenIdTokens(httpserver.url_for("").rstrip("/"), "gates")
    with pytest.raises(stores.StoreUnavailableError, match="no description of the issuer"):
        who(tokens, jwt.encode({}, RSA, algorithm="RS256", headers={"kid": "rsa"}))


def test_people_open_gates_with_it(issuer: Issuer) -> None:
    options = settings.Settings(
        auth_mode="oidc", oidc_issuer=issuer.url, oidc_audience="gates", store="memory"
    )
    client = flagger_gatekeeper.create_app(options, memory.MemoryStore()).test_client()
    gate = "/api/v1/gates/test/podinfo/start/open"
    assert client.post(gate).status_code == 401
    headers = {"Authorization": f"Bearer {issuer.token()}"}
    opened = client.post(gate, headers=headers).json
    assert opened is not None
    assert (opened["state"], opened["actor"]) == ("open", "anna")
    past = int(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC).timestamp())
    headers = {"Authorization": f"Bearer {issuer.token(exp=past)}"}
    assert client.post(gate, headers=headers).status_code == 401


@pytest.mark.parametrize(
    "options",
    [
        {"oidc_issuer": "https://issuer.example"},
        {"oidc_audience": "gates"},
        {"oidc_issuer": "issuer.example", "oidc_audience": "gates"},
    ],
)
def test_half_of_the_settings_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="auth-mode oidc needs"):
        entrance.authenticators(settings.Settings(auth_mode="oidc", **options), None)
