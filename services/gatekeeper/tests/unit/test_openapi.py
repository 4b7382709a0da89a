"""The description says what the API does: every route is in it, and answers have its shape."""

import re
from typing import Any

import flask
import flask.testing
import jsonschema
import pytest

import flagger_gatekeeper
from flagger_gatekeeper import openapi, settings
from flagger_gatekeeper.store import memory

GATE = "/api/v1/gates/test/podinfo/start"
ONE = "/api/v1/gates/{namespace}/{canary}/{gate}"


@pytest.fixture
def app() -> flask.Flask:
    return flagger_gatekeeper.create_app(
        settings.Settings(allow_anonymous_mutations=True), memory.MemoryStore()
    )


def test_every_route_is_described_and_nothing_else(app: flask.Flask) -> None:
    routed = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/")
    }
    described = {
        (path, method.upper())
        for path, operations in openapi.description()["paths"].items()
        for method in operations
        if method != "parameters"
    }
    assert described == routed


def test_the_schemas_are_schemas_and_all_are_used() -> None:
    document = openapi.description()
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    used = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert used == set(schemas)


def test_every_operation_tells_of_refusals() -> None:
    for path, operations in openapi.description()["paths"].items():
        for method, operation in operations.items():
            if method != "parameters" and not path.endswith("openapi.json"):
                assert {"401", "403", "429", "503"} <= operation["responses"].keys()


def schema_of(path: str, method: str, status: int) -> dict[str, Any]:
    document = openapi.description()
    answer = document["paths"][path][method]["responses"][str(status)]
    schema: dict[str, Any] = answer["content"]["application/json"]["schema"]
    return {**schema, "components": document["components"]}


@pytest.mark.parametrize(
    ("path", "url", "method", "body", "status"),
    [
        (ONE, GATE, "get", None, 200),
        (ONE, f"{GATE}x", "get", None, 404),
        (ONE, GATE, "put", {"state": "open", "count": 2, "ttl": "1h", "reason": "r"}, 200),
        (ONE, GATE, "put", {"state": "ajar"}, 422),
        (f"{ONE}/open", f"{GATE}/open", "post", {"mode": "once", "checksum": "next"}, 200),
        (f"{ONE}/close", f"{GATE}/close", "post", {"autoReset": True}, 200),
        (f"{ONE}/close", f"{GATE}/close", "post", {"mode": "once"}, 422),
        ("/api/v1/gates", "/api/v1/gates?limit=1", "get", None, 200),
        ("/api/v1/gates", "/api/v1/gates?limit=x", "get", None, 400),
        ("/api/v1/audit", "/api/v1/audit", "get", None, 200),
        ("/api/v1/events", "/api/v1/events", "post", {"name": "a", "phase": "Failed"}, 202),
        ("/api/v1/events", "/api/v1/events", "post", [], 400),
    ],
)
def test_answers_have_the_described_shape(
    app: flask.Flask, path: str, url: str, method: str, body: Any, status: int
) -> None:
    client = app.test_client()
    client.post(f"{GATE}/open", json={"mode": "once", "ttl": "1h"})
    asking = {"name": "podinfo", "namespace": "test", "phase": "Waiting", "checksum": "abc"}
    client.post("/gate/check/start", json=asking)
    client.post("/gate/check/other", json=asking)
    answer = client.open(url, method=method.upper(), json=body)
    assert answer.status_code == status
    schema = schema_of(path, method, status)
    jsonschema.Draft202012Validator(schema).validate(answer.json)
