"""How requests to the API server and its answers look; no I/O."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import msgspec

from flagger_controller.cluster.client import ApiError, Call, Object, Ref, Resource, api_error

FIELD_MANAGER: Final = {"fieldManager": "flagger"}
JSON: Final = "application/json"
PARTIAL: Final = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"
RETRY_AFTER_MOST: Final = 300.0
"""Seconds; a server that asks for more is asked again earlier."""
_METHODS: Final = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
}
_NO_SUCH_PATH: Final = b"404 page not found"
"""What API servers say of an API group that they do not know; not a Status."""


@dataclass(frozen=True)
class Request:
    """One call."""

    call: Call
    params: Mapping[str, str] = field(default_factory=dict)
    body: Object | None = None
    content: str = JSON
    accept: str = JSON

    @property
    def method(self) -> str:
        """Of HTTP."""
        return _METHODS[self.call.verb]

    @property
    def path(self) -> str:
        """Escaped."""
        place = self.call.place
        if isinstance(place, str):
            return place
        if self.call.verb in ("create", "list", "watch"):
            return collection(place.resource, place.namespace)
        return path_of(place, self.call.subresource)

    @property
    def writes(self) -> bool:
        """Whether the call changes something."""
        return self.method != "GET"

    def body_bytes(self) -> bytes | None:
        """The body as it is sent."""
        return None if self.body is None else _encode(self.body)


class _ListMeta(msgspec.Struct):
    resource_version: str = msgspec.field(name="resourceVersion", default="0")
    token: str = msgspec.field(name="continue", default="")


class List(msgspec.Struct):
    """A list, its items undecoded."""

    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class Status(msgspec.Struct):
    """What an API server says about a failure."""

    kind: str = ""
    code: int = 500
    reason: str = ""
    message: str = ""


_decode_list = msgspec.json.Decoder(List).decode
decode_status = msgspec.json.Decoder(Status).decode
_decode_object = msgspec.json.Decoder(Object).decode
_encode = msgspec.json.Encoder().encode


@contextmanager
def _readable(call: Call) -> Iterator[None]:
    try:
        yield
    except msgspec.MsgspecError as error:
        raise api_error(0, "Unreadable", str(error), call=call) from error


def decode_list(call: Call, body: bytes) -> List:
    """A list without looking into its items."""
    with _readable(call):
        return _decode_list(body)


def decode_object(call: Call, body: bytes) -> Object:
    """An object."""
    with _readable(call):
        decoded: Object = _decode_object(body)
        return decoded


def collection(resource: Resource, namespace: str) -> str:
    """Path of a kind, in a namespace or (empty) in all."""
    root = f"/apis/{resource.group}" if resource.group else "/api"
    where = f"/namespaces/{quote(namespace, safe='')}" if namespace and resource.namespaced else ""
    return f"{root}/{resource.version}{where}/{resource.plural}"


def path_of(ref: Ref, subresource: str = "") -> str:
    """Path of an object."""
    tail = f"/{subresource}" if subresource else ""
    return f"{collection(ref.resource, ref.namespace)}/{quote(ref.name, safe='')}{tail}"


def identified(ref: Ref, body: Object) -> Object:
    """The body with kind and name, which the API server wants in custom resources."""
    names = {"name": ref.name} | ({"namespace": ref.namespace} if ref.namespace else {})
    kind = {"apiVersion": ref.resource.api_version, "kind": ref.resource.kind}
    return {**body, **kind, "metadata": names | body.get("metadata", {})}


def failure(call: Call, code: int, reason: str, body: bytes, retry_after: str) -> ApiError:
    """The error that an answer stands for."""
    after = min(float(retry_after), RETRY_AFTER_MOST) if retry_after.isdecimal() else 0.0
    try:
        status = decode_status(body)
    except msgspec.MsgspecError:  # a proxy's page, or plain text
        status = Status(message=body[:500].decode(errors="replace").strip())
    text = status.message or f"HTTP status {code} {status.reason or reason}".strip()
    if code == 404 and status.kind != "Status" and not body.startswith(_NO_SUCH_PATH):
        # Whoever says this knows nothing of objects: none must be taken for absent.
        return api_error(0, "Unreadable", f"404 {text}", after, call)
    return api_error(code, status.reason or reason, text, after, call)
