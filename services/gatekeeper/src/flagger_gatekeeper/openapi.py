"""The description of the management API, as OpenAPI 3.1: data."""

from typing import Any, Final

from flagger_common import version

from . import audit, documents, gates

Document = dict[str, Any]

_TEXT: Final[Document] = {"type": "string"}
_NUMBER: Final[Document] = {"type": "integer", "minimum": 0}
_TIME: Final[Document] = {"type": "string", "format": "date-time"}
_TRUTH: Final[Document] = {"type": "boolean"}
_MODE: Final[Document] = {"enum": [mode.value for mode in gates.Mode]}
_TTL: Final[Document] = {"type": "string", "examples": ["1h30m"], "description": "a Go duration"}


def description() -> Document:
    """Return the OpenAPI document."""
    one = "/api/v1/gates/{namespace}/{canary}/{gate}"
    named = [_in_path(name) for name in ("namespace", "canary", "gate")]
    setting = {**_gate_answer(), **_errors(412, 422, 429)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Gatekeeper", "version": version.__version__},
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}, {}],
        "paths": {
            "/api/v1/openapi.json": {
                "get": _operation("This description", {"200": _json("it", {"type": "object"})})
            },
            "/api/v1/gates": {
                "get": _operation(
                    "List gates",
                    {"200": _json("a page", _ref("GateList")), **_errors(400, 429)},
                    [*map(_in_query, ("namespace", "canary", "state", "pending")), *_PAGE],
                )
            },
            one: {
                "parameters": named,
                "get": _operation("Read a gate", {**_gate_answer(), **_errors(404, 422, 429)}),
                "put": _operation("Set a gate", setting, _CONDITIONS, "Setting"),
                "delete": _operation(
                    "Forget a gate, which closes it",
                    {"204": {"description": "gone"}, **_errors(412, 422, 429)},
                    [_in_query("reason"), *_CONDITIONS],
                ),
            },
            f"{one}/open": {
                "parameters": named,
                "post": _operation("Open a gate", setting, _CONDITIONS, "Opening"),
            },
            f"{one}/close": {
                "parameters": named,
                "post": _operation("Close a gate", setting, _CONDITIONS, "Closing"),
            },
            "/api/v1/audit": {
                "get": _operation(
                    "Read the newest part of the history, oldest first",
                    {"200": _json("entries", _ref("EntryList")), **_errors(400, 429)},
                    [*map(_in_query, ("namespace", "canary", "since", "limit"))],
                )
            },
            "/api/v1/events": {
                "post": _operation(
                    "Take a payload of an event or post-rollout hook",
                    {"202": _json("gates that were closed", _ref("Reset")), **_errors(400, 429)},
                    body="Payload",
                )
            },
            "/api/v1/watch": {
                "get": _operation(
                    "Follow gates: server-sent events `gate`, `gone` and `unavailable`",
                    {
                        "200": {"description": "a stream", "content": {"text/event-stream": {}}},
                        **_errors(429),
                    },
                    [*map(_in_query, ("namespace", "canary"))],
                )
            },
        },
    }


def _object(properties: Document, *required: str) -> Document:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _list(name: str, **more: Document) -> Document:
    items = {"type": "array", "items": _ref(name)}
    return _object({"items": items, **more}, "items", *more)


def _ref(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}


def _in_path(name: str) -> Document:
    return {"name": name, "in": "path", "required": True, "schema": _TEXT}


def _in_query(name: str) -> Document:
    return {"name": name, "in": "query", "schema": _TEXT}


def _json(text: str, schema: Document) -> Document:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _gate_answer() -> Document:
    etag = {"ETag": {"schema": _TEXT, "description": "for If-Match"}}
    return {"200": {**_json("the gate", _ref("Gate")), "headers": etag}}


def _errors(*statuses: int) -> Document:
    always = (401, 403, 503)
    return {str(status): _json("an error", _ref("Error")) for status in (*statuses, *always)}


def _operation(
    summary: str, responses: Document, parameters: list[Document] | None = None, body: str = ""
) -> Document:
    found: Document = {"summary": summary, "responses": responses}
    if parameters:
        found["parameters"] = parameters
    if body:
        schema = {"application/json": {"schema": _ref(body)}}
        found["requestBody"] = {"content": schema}
        found["responses"] = {**_errors(400, 413), **responses}
    return found


_PAGE: Final = [_in_query("limit"), _in_query("continue")]
_CONDITIONS: Final = [
    {"name": name, "in": "header", "schema": _TEXT} for name in ("If-Match", "If-None-Match")
]
_CLOSING: Final[Document] = {"reason": _TEXT, "autoReset": _TRUTH}
_OPENING: Final[Document] = {
    **_CLOSING,
    "mode": _MODE,
    "ttl": _TTL,
    "count": {"type": "integer", "minimum": 1},
    "checksum": {**_TEXT, "description": f"of a revision, or {gates.NEXT}"},
}
_NAMES: Final[Document] = {"namespace": _TEXT, "canary": _TEXT, "gate": _TEXT}
_SCHEMAS: Final[Document] = {
    "Error": _object({"error": _TEXT, "code": _TEXT}, "error", "code"),
    "Closing": _object(_CLOSING),
    "Opening": _object(_OPENING),
    "Setting": _object({"state": {"enum": ["open", "closed"]}, **_OPENING}, "state"),
    "Payload": {
        "type": "object",
        "properties": {
            **dict.fromkeys(("name", "namespace", "phase", "checksum"), _TEXT),
            "metadata": {"type": "object", "additionalProperties": _TEXT},
        },
    },
    "Reset": _object({"reset": {"type": "array", "items": _TEXT}}, "reset"),
    "Pending": _object(
        {
            "phase": _TEXT,
            "hook": _TEXT,
            "checksum": _TEXT,
            "firstSeen": _TIME,
            "lastSeen": _TIME,
            "count": _NUMBER,
            "interval": {"type": "number", "minimum": 0, "description": "seconds, 0: unknown"},
        },
        "phase",
        "hook",
        "checksum",
        "firstSeen",
        "lastSeen",
        "count",
        "interval",
    ),
    "Approval": _object({"actor": _TEXT, "at": _TIME, "terms": _TEXT}, "actor", "at", "terms"),
    "Gate": _object(
        {
            **_NAMES,
            "state": {"enum": ["open", "closed", documents.UNREADABLE]},
            "mode": _MODE,
            "remaining": _NUMBER,
            "expiresAt": _TIME,
            "checksum": _TEXT,
            "reason": _TEXT,
            "actor": _TEXT,
            "autoReset": _TRUTH,
            "passCount": _NUMBER,
            "createdAt": _TIME,
            "updatedAt": _TIME,
            "version": _NUMBER,
            "pending": _ref("Pending"),
            "required": {**_NUMBER, "description": "how many people have to open it"},
            "approvals": {"type": "array", "items": _ref("Approval")},
            "passesAt": {**_TIME, "description": "an open gate lets nobody pass before"},
        },
        *_NAMES,
        "state",
    ),
    "GateList": _list("Gate", **{"continue": _TEXT}),
    "Entry": _object(
        {
            **_NAMES,
            "at": _TIME,
            "action": {"enum": [action.value for action in audit.Action]},
            "expiresAt": _TIME,
            **dict.fromkeys(
                (
                    "actor",
                    "source",
                    "request",
                    "before",
                    "after",
                    "mode",
                    "reason",
                    "phase",
                    "checksum",
                ),
                _TEXT,
            ),
        },
        *_NAMES,
        "at",
        "action",
    ),
    "EntryList": _list("Entry"),
}
