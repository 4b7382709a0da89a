"""How requests to the API server and its answers look; no I/O."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import msgspec

from flagger_controller.cluster.client import (
    ApiConflict,
    ApiError,
    ApiNotFound,
    ApiUnavailable,
    Object,
    Ref,
    Resource,
)

FIELD_MANAGER: Final = {"fieldManager": "flagger"}
JSON: Final = "application/json"
PARTIAL: Final = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"
ERRORS: Final = {404: ApiNotFound, 409: ApiConflict, 408: ApiUnavailable, 429: ApiUnavailable}


@dataclass(frozen=True)
class Request:
    """One call."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Object | None = None
    content: str = JSON
    accept: str = JSON

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


class _Status(msgspec.Struct):
    reason: str = ""
    message: str = ""


_decode_list = msgspec.json.Decoder(List).decode
_decode_status = msgspec.json.Decoder(_Status).decode
_decode_object = msgspec.json.Decoder(Object).decode
_encode = msgspec.json.Encoder().encode


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except msgspec.MsgspecError as error:
        text = f"unreadable answer from the API server: {error}"
        raise ApiUnavailable(0, "Unreadable", text) from error


def decode_list(body: bytes) -> List:
    """A list without looking into its items."""
    with _readable():
        return _decode_list(body)


def decode_object(body: bytes) -> Object:
    """An object."""
    with _readable():
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


def failure(code: int, reason: str, body: bytes, retry_after: str) -> ApiError:
    """The error that an answer stands for."""
    try:
        status = _decode_status(body)
    except msgspec.MsgspecError:  # a proxy's page, or plain text
        status = _Status(message=body[:500].decode(errors="replace").strip())
    kind = ApiUnavailable if code >= 500 else ERRORS.get(code, ApiError)
    reason = status.reason or reason
    text = status.message or f"HTTP status {code} {reason}".strip()
    return kind(code, reason, text, float(retry_after) if retry_after.isdecimal() else 0.0)
