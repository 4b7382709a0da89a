"""The messages of SignalFlow's web socket (metrics.md 9.11); pure."""

import gzip
import json
import struct
from typing import Any, Final

Message = dict[str, Any]
"""Text messages as they are; of data messages the points, under `POINTS`."""
Point = tuple[bytes, float]
"""Time series and value."""

POINTS: Final = "points"
_HEADER: Final = struct.Struct(">BBBx16s")
"""Version, type, flags, and the name of the channel."""
_COMPRESSED: Final = 1
_DATA: Final = 5
_TIMES: Final = {1: 8}
"""Bytes before the count, by version: a time, in later ones the delay too."""
_LATER_TIMES: Final = 16
_COUNT: Final = struct.Struct(">I")
_POINT: Final = struct.Struct(">B8s8s")
_FORMATS: Final = {1: ">q", 2: ">d", 3: ">q"}
"""How a value is packed, by kind: long, double, int; others have no value."""
_ENDS: Final = ("END_OF_CHANNEL", "CHANNEL_ABORT", "ABORT_CHANNEL")


def decode(raw: str | bytes) -> Message:
    """A message.

    Raises:
        ValueError: it is none.
    """
    if isinstance(raw, str):
        message = json.loads(raw)
        if not isinstance(message, dict):
            raise ValueError("a message is not a JSON object")
        return message
    try:
        return _binary(raw)
    except (struct.error, OSError, EOFError) as error:
        raise ValueError(f"a binary message is broken: {error}") from error


def failure(message: Message) -> str:
    """What an error frame says, else nothing."""
    if message.get("type") != "error" and "error" not in message:
        return ""
    code, kind = message.get("error", ""), message.get("errorType", "")
    return f"{code} ({kind}): {message.get('message', '')}"


def ended(message: Message) -> bool:
    """Nothing more will come."""
    return message.get("type") == "control-message" and message.get("event") in _ENDS


def _binary(raw: bytes) -> Message:
    version, kind, flags, _ = _HEADER.unpack_from(raw)
    body = raw[_HEADER.size :]
    if flags & _COMPRESSED:
        body = gzip.decompress(body)
    if kind != _DATA:
        return {}
    at = _TIMES.get(version, _LATER_TIMES)
    (count,) = _COUNT.unpack_from(body, at)
    at += _COUNT.size
    points: list[Point] = []
    for number in range(count):
        form, series, packed = _POINT.unpack_from(body, at + number * _POINT.size)
        if form in _FORMATS:
            points.append((series, float(struct.unpack(_FORMATS[form], packed)[0])))
    return {"type": "data", POINTS: points}
