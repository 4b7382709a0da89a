"""As much of Kubernetes' protobuf encoding as a proxy needs to name what Go clients create."""

from collections.abc import Iterator

MAGIC = b"k8s\x00"
_RAW, _METADATA, _NAME, _EVENT_MESSAGE = 2, 1, 1, 4
"""Field numbers: of the envelope, of any object, of its metadata, of an Event."""
_FIXED = {1: 8, 5: 4}
"""Wire type to size."""
_VARINT, _BYTES = 0, 2


def name_and_message(body: bytes) -> tuple[str, str]:
    """The name of an encoded object, and what it says if it is an Event."""
    found = dict(_fields(dict(_fields(body[len(MAGIC) :]))[_RAW]))
    name = dict(_fields(found[_METADATA])).get(_NAME, b"")
    return name.decode(), found.get(_EVENT_MESSAGE, b"").decode(errors="replace")


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each field; numbers have none that anybody needs here."""
    at = 0
    while at < len(data):
        tag, at = _number(data, at)
        size = _FIXED.get(tag & 7, 0)
        if tag & 7 in (_VARINT, _BYTES):
            size, at = _number(data, at)
        if tag & 7 == _VARINT:
            continue
        yield tag >> 3, data[at : at + size]
        at += size


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if not byte & 0x80:
            return value, at
