"""Google Cloud Monitoring and its login (metrics.md 9.7, conformance vector 14)."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from flagger_controller.api.metrictemplate import MetricTemplateProvider
from flagger_controller.errors import ConfigError
from flagger_controller.metrics.base import Context, NoValues, Setup, SourceError
from flagger_controller.metrics.stackdriver import Stackdriver

QUERY = "fetch k8s_container | within 1m"


@pytest.fixture(scope="session")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(pem, form, serialization.NoEncryption()).decode()


class Google:
    """Gives tokens, and answers who has one."""

    def __init__(self, server: HTTPServer, private_key: str) -> None:
        self.account = {
            "type": "service_account",
            "client_email": "flagger@shop.iam.gserviceaccount.com",
            "token_uri": server.url_for("/token"),
            "private_key": private_key,
        }
        self.address = server.url_for("").rstrip("/")
        self.tokens = 0
        self.asked: list[Request] = []
        self.answer: Any = {}
        self.status = 200
        server.expect_request("/token", method="POST").respond_with_handler(self._token)
        server.expect_request(
            "/v3/projects/shop/timeSeries:query", method="POST"
        ).respond_with_handler(self._query)

    @property
    def secret(self) -> dict[str, str]:
        return {"project": "shop", "serviceAccountKey": json.dumps(self.account)}

    def point(self, *values: Any) -> None:
        points = [{"values": [value]} for value in values]
        self.answer = {"timeSeriesData": [{"pointData": points}, {"pointData": [{}]}]}

    def refuse(self, status: int, name: str) -> None:
        self.status = status
        self.answer = {"error": {"code": status, "status": name, "message": "a message"}}

    def _token(self, request: Request) -> Response:
        assert request.form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        self.tokens += 1
        body = {"access_token": "token-1", "expires_in": 3600, "token_type": "Bearer"}
        return Response(json.dumps(body), content_type="application/json")

    def _query(self, request: Request) -> Response:
        self.asked.append(request)
        if request.headers.get("Authorization") != "Bearer token-1":
            return Response(status=401)
        return Response(json.dumps(self.answer), status=self.status)


@pytest.fixture
def google(httpserver: HTTPServer, private_key: str) -> Google:
    return Google(httpserver, private_key)


def made(google: Google, context: Context, secret: dict[str, str] | None = None) -> Stackdriver:
    spec = {"type": "stackdriver", "address": google.address, "secretRef": {"name": "login"}}
    provider = MetricTemplateProvider.model_validate(spec)
    return Stackdriver(Setup(provider, google.secret if secret is None else secret, "1m", context))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ({"doubleValue": 2.5}, 2.5),
        ({"int64Value": "7"}, 7.0),
        ({"boolValue": True}, 1.0),
        ({"doubleValue": 0}, 0.0),
    ],
)
async def test_the_newest_point_of_the_first_series(
    google: Google, context: Context, value: Any, number: float
) -> None:
    google.point(value, {"doubleValue": 99})
    source = made(google, context)
    for _ in range(2):
        assert await source.query(QUERY) == number
    assert [json.loads(request.data) for request in google.asked] == [{"query": QUERY}] * 2
    assert google.tokens == 1


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"timeSeriesData": []},
        {"timeSeriesData": [{}]},
        {"timeSeriesData": [{"pointData": []}]},
        {"timeSeriesData": [{"pointData": [{"values": []}]}]},
        {"timeSeriesData": [{"pointData": [{"values": [{}]}]}]},
        {"timeSeriesData": [{"pointData": [{"values": [{"doubleValue": "NaN"}]}]}]},
    ],
)
async def test_no_values(google: Google, context: Context, answer: Any) -> None:
    google.answer = answer
    with pytest.raises(NoValues, match=r"^no values found"):
        await made(google, context).query(QUERY)


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {"timeSeriesData": [{"pointData": [{"values": [{"distributionValue": {}}]}]}]},
        {"timeSeriesData": [{"pointData": [{"values": [{"doubleValue": "many"}]}]}]},
        {"timeSeriesData": [{"pointData": [{"values": [7]}]}]},
        {"timeSeriesData": [7]},
    ],
)
async def test_nonsense(google: Google, context: Context, answer: Any) -> None:
    google.answer = answer
    with pytest.raises(SourceError):
        await made(google, context).query(QUERY)


async def test_refusals_are_errors(google: Google, context: Context) -> None:
    google.refuse(403, "PERMISSION_DENIED")
    expected = r"^error requesting stackdriver: PERMISSION_DENIED: a message$"
    with pytest.raises(SourceError, match=expected):
        await made(google, context).query(QUERY)
    google.answer, google.status = "page", 502
    with pytest.raises(SourceError, match=r'^error requesting stackdriver: 502 .*: "page"$'):
        await made(google, context).query(QUERY)


async def test_online(google: Google, context: Context) -> None:
    await made(google, context).online()
    google.refuse(400, "INVALID_ARGUMENT")
    await made(google, context).online()
    google.refuse(403, "PERMISSION_DENIED")
    with pytest.raises(SourceError, match=r"^unexpected status code: PermissionDenied$"):
        await made(google, context).online()


async def test_logins_that_fail(
    google: Google, context: Context, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    google.account["private_key"] = "hidden"
    with pytest.raises(SourceError, match=r"^error requesting stackdriver: no login: ") as raised:
        await made(google, context).query(QUERY)
    assert "hidden" not in str(raised.value)
    google.account["token_uri"] = f"http://127.0.0.1:{unused_tcp_port}/"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent")
    for secret in ({"project": "shop"}, google.secret):
        with pytest.raises(SourceError, match=r"^error requesting stackdriver: no login: "):
            await made(google, context, secret).query(QUERY)


async def test_the_login_of_the_environment(
    google: Google, context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    path = tmp_path / "account.json"
    path.write_text(json.dumps({**google.account, "project_id": "shop"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    google.point({"doubleValue": 1})
    spec = {"type": "stackdriver", "address": google.address}
    provider = MetricTemplateProvider.model_validate(spec)
    assert await Stackdriver(Setup(provider, {}, "1m", context)).query(QUERY) == 1
    path.write_text(json.dumps(google.account))
    with pytest.raises(SourceError, match="the project is not known"):
        await Stackdriver(Setup(provider, {}, "1m", context)).query(QUERY)


def test_what_is_mandatory(google: Google, context: Context) -> None:
    expected = r"^stackdriver credentials does not contain a project id$"
    with pytest.raises(ConfigError, match=expected):
        made(google, context, {})
    for key in ("no JSON", "[]"):
        with pytest.raises(ConfigError, match=r"serviceAccountKey of the Secret is no JSON"):
            made(google, context, {"project": "shop", "serviceAccountKey": key})
