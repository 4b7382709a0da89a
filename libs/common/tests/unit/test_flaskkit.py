"""The base application and its decorator, through Flask's test client (no socket)."""

import json
import logging

import flask
import pytest

from flagger_common import authz, flaskkit
from flagger_common.payload import CanaryWebhookPayload

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"]


def make(**options: object) -> flask.Flask:
    rule = authz.NamespaceRule.parse(str(options.get("namespaces", "")))
    reason = options.get("unready")
    app = flaskkit.base_app(
        __name__,
        "probe",
        namespaces=rule,
        max_body=1000,
        ready=lambda: str(reason) if reason else None,
    )

    def view(payload: CanaryWebhookPayload) -> flask.Response:
        if payload.name == "crash":
            raise RuntimeError("secret")
        return flaskkit.text(200, payload.canary)

    flaskkit.add_any(app, "/gate/check", flaskkit.with_payload(view), "check")
    flaskkit.add_any(app, "/api/crash", flaskkit.with_payload(view), "crash")
    return app


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/gate/check"])
def test_every_method_is_served(method: str, path: str) -> None:
    reply = make().test_client().open(path, method=method, data=b'{"name":"a"}')
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_readiness_tells_the_reason() -> None:
    client = make(unready="store is unreachable").test_client()
    assert client.get("/readyz").status_code == 503
    assert client.get("/readyz").text == "store is unreachable"
    assert client.get("/healthz").text == "OK"


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/xml", None])
def test_the_content_type_does_not_matter(kind: str | None) -> None:
    body = b'{"name":"podinfo","namespace":"test"}'
    assert make().test_client().post("/gate/check", data=body, content_type=kind).text == (
        "podinfo.test"
    )


def test_a_bad_payload_gets_400_without_body() -> None:
    reply = make().test_client().post("/gate/check", data=b"{} x")
    assert (reply.status_code, reply.data) == (400, b"")
    assert "Content-Type" not in reply.headers
    assert reply.headers["Content-Length"] == "0"


def test_a_refused_namespace_gets_403() -> None:
    client = make(namespaces="^test$").test_client()
    assert client.post("/gate/check", data=b'{"namespace":"test"}').status_code == 200
    reply = client.post("/gate/check", data=b'{"namespace":"prod"}')
    assert (reply.status_code, reply.text) == (403, "Forbidden")
    assert client.get("/healthz").status_code == 200


def test_a_large_body_gets_413() -> None:
    reply = make().test_client().post("/gate/check", data=b" " * 1001)
    assert reply.status_code == 413


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("//gate/check", "/gate/check"),
        ("/gate//check", "/gate/check"),
        ("/a/../gate/check?x=1", "/gate/check?x=1"),
        ("/a/./b/", "/a/b/"),
        ("/..", "/"),
        ("/a%20b//c", "/a%20b/c"),
        ("///evil.example/x", "/evil.example/x"),
    ],
)
def test_other_spellings_of_a_path_are_redirected(path: str, clean: str) -> None:
    raw, _, query = path.partition("?")
    environ = {"PATH_INFO": raw.replace("%20", " "), "QUERY_STRING": query}
    reply = make().test_client().post("/", data=b"{}", environ_overrides=environ)
    assert (reply.status_code, reply.headers["Location"]) == (307, clean)


def test_a_crash_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    client = make().test_client()
    reply = client.post("/gate/check", data=b'{"name":"crash"}')
    assert (reply.status_code, reply.text) == (500, "Internal Server Error")
    assert "RuntimeError: secret" in caplog.text
    reply = client.post("/api/crash", data=b'{"name":"crash"}')
    assert json.loads(reply.data) == {
        "error": "Internal Server Error",
        "code": "internal_server_error",
    }


def test_unknown_paths_are_404_in_the_form_of_their_api() -> None:
    client = make().test_client()
    assert client.get("/nope").text == "Not Found"
    assert client.get("/api/nope").json == {"error": "Not Found", "code": "not_found"}


def test_requests_are_counted_in_the_apps_own_registry() -> None:
    client, other = make().test_client(), make().test_client()
    client.post("/gate/check", data=b"{}")
    client.open("/gate/check", method="BREW", data=b"{}")
    text = client.get("/metrics").text
    for method in ("POST", "other"):
        sample = f'_seconds_count{{code="200",endpoint="check",method="{method}"}} 1.0'
        assert sample in text
    assert "check" not in other.get("/metrics").text


def test_accesses_are_logged_with_their_canary(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client = make().test_client()
    client.get("/healthz")
    client.post("/gate/check", data=b'{"name":"a","namespace":"b"}')
    (line,) = [entry for entry in caplog.records if entry.name == "flagger_common.flaskkit"]
    assert line.getMessage() == "POST /gate/check"
    assert line.__dict__["canary"] == "a.b"
    assert line.__dict__["status"] == 200
