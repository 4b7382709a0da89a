"""Where we differ from the recordings on purpose: each with the sharp edge that it fixes.

Every function turns what upstream did into what we do. docs/compatibility.md has the same list
for people.
"""

import json
import re
from typing import Any

from .normal import Words

Object = dict[str, Any]


def statuses(name: str, recorded: list[str]) -> list[str]:
    return recorded


def events(name: str, recorded: list[str]) -> list[str]:
    return recorded


def hooks(name: str, recorded: list[str]) -> list[str]:
    return recorded


def alerts(name: str, recorded: dict[str, list[str]]) -> dict[str, list[str]]:
    return recorded


def queries(name: str, recorded: list[str]) -> list[str]:
    return recorded


def snapshots(name: str, recorded: list[Object]) -> list[Object]:
    return recorded


def series(name: str, recorded: dict[str, float]) -> dict[str, float]:
    return recorded


def checksums(calls: list[str]) -> list[str]:
    """Calls with their checksums numbered as in recordings."""
    words = Words()
    return [
        re.sub(
            r'"checksum": "([^"]+)"',
            lambda found: f'"checksum": {json.dumps(words.name("checksum", found[1]))}',
            call,
        )
        for call in calls
    ]
