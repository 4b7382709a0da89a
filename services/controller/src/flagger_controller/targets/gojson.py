"""Go's JSON encoding of a string map, byte for byte, because checksums are taken over it.

Not a general encoder: the data of ConfigMaps and Secrets are maps from strings to strings.
"""

import re
from collections.abc import Mapping
from typing import Final

_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"} | {
    "\b": "\\b",
    "\f": "\\f",
}
_SPECIAL: Final = re.compile('[\x00-\x1f"\\\\<>&\u2028\u2029]')


def encode(data: Mapping[str, str] | None) -> bytes:
    r"""The map as Go writes it: keys in byte order, no blanks, HTML characters as `\u003c`.

    An absent map is `null` (canary-api.md 6.4).
    """
    if data is None:
        return b"null"
    entries = sorted((key.encode(), key, value) for key, value in data.items())
    return (
        "{" + ",".join(f"{_text(key)}:{_text(value)}" for _, key, value in entries) + "}"
    ).encode()


def _text(value: str) -> str:
    return '"' + _SPECIAL.sub(_escape, value) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    return _SHORT.get(char) or f"\\u{ord(char):04x}"
