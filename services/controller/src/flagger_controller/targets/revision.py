"""Revision hashes: what makes a target's pod template a new revision (canary-api.md 6.1-6.3).

Upstream hashes a dump of Go structs, which changes with every release of its libraries. Ours is
taken over canonical JSON of the object, so it survives upgrades of everything.
"""

import functools
import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

PREFIX: Final = "v2:"
"""Marks our hashes, so that upstream's are never mistaken for a changed template."""
_encode: Final = msgspec.json.Encoder().encode
_encode_sorted: Final = msgspec.json.Encoder(order="sorted").encode
_DIGITS: Final = str.maketrans("456789bcdf", "0123456789")
_UPSTREAM: Final = re.compile("[4-9bcdf]{1,10}")
_SELECTORS: Final = frozenset({"labelSelector", "namespaceSelector"})
"""Here an empty object selects everything while an absent one selects nothing."""


def digest(value: object) -> str:
    """`v2:` and 16 hex digits (64 bits of SHA-256) of the canonical form."""
    return _digest(_encode(value))


@functools.lru_cache(maxsize=256)
def _digest(document: bytes) -> str:
    """A look asks for the same template several times, and the next look asks again."""
    text = canonical(msgspec.json.decode(document))
    return PREFIX + hashlib.sha256(text.encode()).hexdigest()[:16]


def canonical(value: object) -> str:
    """JSON with sorted keys and without the fields that say nothing.

    Null and empty containers are dropped, because clients and servers disagree on writing them
    (`creationTimestamp: null`, `resources: {}`); empty strings stay, they are label values.
    """
    return _encode_sorted(pruned(value)).decode()


def pruned(value: Any) -> Any:
    """A copy without null and empty fields; list elements keep their places."""
    if isinstance(value, Mapping):
        fields: dict[str, Any] = {}
        for key, item in value.items():
            if isinstance(item, Mapping | list | tuple):
                kept = pruned(item)
                if kept or key in _SELECTORS:
                    fields[key] = kept
            elif item is not None:
                fields[key] = item
        return fields
    if isinstance(value, list | tuple):
        return [pruned(item) for item in value]
    return value


def is_upstream_hash(text: str) -> bool:
    """Was this hash written by upstream? Then it cannot be compared, only replaced."""
    if not _UPSTREAM.fullmatch(text):
        return False
    return int(text.translate(_DIGITS)) < 2**32
