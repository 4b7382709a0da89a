"""Revision hashes: what makes a target's pod template a new revision (canary-api.md 6.1-6.3).

Upstream hashes a dump of Go structs, which changes with every release of its libraries. Ours is
taken over canonical JSON of the object, so it survives upgrades of everything.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

PREFIX: Final = "v2:"
"""Marks our hashes, so that upstream's are never mistaken for a changed template."""
_DIGITS: Final = str.maketrans("456789bcdf", "0123456789")
_UPSTREAM: Final = re.compile("[4-9bcdf]{1,10}")
_SELECTORS: Final = frozenset({"labelSelector", "namespaceSelector"})
"""Here an empty object selects everything while an absent one selects nothing."""


def digest(value: object) -> str:
    """`v2:` and 16 hex digits (64 bits of SHA-256) of the canonical form."""
    return PREFIX + hashlib.sha256(canonical(value).encode()).hexdigest()[:16]


def canonical(value: object) -> str:
    """JSON with sorted keys and without the fields that say nothing.

    Null and empty containers are dropped, because clients and servers disagree on writing them
    (`creationTimestamp: null`, `resources: {}`); empty strings stay, they are label values.
    """
    return json.dumps(pruned(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def pruned(value: Any) -> Any:
    """A copy without null and empty fields; list elements keep their places."""
    if isinstance(value, Mapping):
        fields = {key: pruned(item) for key, item in value.items()}
        return {key: item for key, item in fields.items() if _says_something(key, item)}
    if isinstance(value, list | tuple):
        return [pruned(item) for item in value]
    return value


def is_upstream_hash(text: str) -> bool:
    """Was this hash written by upstream? Then it cannot be compared, only replaced."""
    if not _UPSTREAM.fullmatch(text):
        return False
    return int(text.translate(_DIGITS)) < 2**32


def _says_something(key: str, value: object) -> bool:
    if value is None:
        return False
    return key in _SELECTORS or not (isinstance(value, dict | list) and not value)
