"""Objects as the watch cache keeps them: JSON without managedFields, decoded when asked for."""

from typing import Final

import msgspec

from flagger_controller.cluster.client import Object, api_error
from flagger_controller.cluster.wire import decode_status

Key = tuple[str, str]
"""Namespace and name."""
BOOKMARK: Final = "BOOKMARK"
DELETED: Final = "DELETED"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One object."""

    version: int
    generation: int
    """Grows when the spec changes; 0 for kinds that do not count."""
    uid: str
    deleting: bool
    raw: bytes

    def decoded(self) -> Object:
        """A fresh copy of the object."""
        body: Object = _decode(self.raw)
        return body


class _Meta(msgspec.Struct, rename="camel"):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = "0"
    generation: int = 0
    deletion_timestamp: str | None = None
    managed_fields: msgspec.Raw = msgspec.Raw()


class _Body(msgspec.Struct):
    metadata: _Meta


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


_Fields = dict[str, msgspec.Raw]

_decode_event = msgspec.json.Decoder(_Event).decode
_decode_body = msgspec.json.Decoder(_Body).decode
_decode_fields = msgspec.json.Decoder(_Fields).decode
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Object).decode


def slim(raw: bytes | msgspec.Raw) -> tuple[Key, Entry]:
    """Take apart an object; the entry does not share memory with the page it came in."""
    meta = _decode_body(raw).metadata
    if bytes(meta.managed_fields):
        fields = _decode_fields(raw)
        metadata = _decode_fields(fields["metadata"])
        del metadata["managedFields"]
        fields["metadata"] = msgspec.Raw(_encode(metadata))
        kept = _encode(fields)
    else:
        kept = bytes(raw)
    entry = Entry(
        version=int(meta.resource_version),
        generation=meta.generation,
        uid=meta.uid,
        deleting=meta.deletion_timestamp is not None,
        raw=kept,
    )
    return (meta.namespace, meta.name), entry


def parsed(line: bytes) -> tuple[str, Key, Entry]:
    """Type and object of a watch event; an event of type ERROR is raised as `ApiError`."""
    event = _decode_event(line)
    if event.type == "ERROR":
        status = decode_status(event.object)
        raise api_error(status.code, status.reason, status.message)
    return event.type, *slim(event.object)
