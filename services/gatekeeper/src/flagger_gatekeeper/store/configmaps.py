"""How gate records look inside ConfigMaps: pure functions from and to dicts.

One ConfigMap holds all gates of one canary, one data entry a gate, and their history, so that
`kubectl get configmap -l app.kubernetes.io/managed-by=flagger-gatekeeper` shows what is where. Its
parts are bounded, so that it never comes near the 1 MiB that the API server accepts.
"""

import datetime
import hashlib
import json
import re
from typing import Any, Final

from .. import audit, changes, codec, gates

Object = dict[str, Any]

LABELS: Final = {
    "app.kubernetes.io/managed-by": "flagger-gatekeeper",
    "app.kubernetes.io/component": "gate",
}

SELECTOR: Final = ",".join(f"{key}={value}" for key, value in LABELS.items())

MOST_GATES: Final = 32
"""Gates of one canary. A record is at most 10 kB, escapes included."""

MOST_ENTRIES: Final = 500
HISTORY_SIZE: Final = 128 * 1024
"""Bounds of the history of one canary: entries, and characters (all of them ASCII)."""

_HISTORY: Final = "history"
_SLUG_LENGTH: Final = 100
_GATE_PREFIX: Final = "gate."


def name(key: gates.GateKey) -> str:
    """Return the name of the ConfigMap with the canary's gates.

    The readable part is for people; the hash makes it unique, because a payload may name anything:
    nothing at all, upper case, 60 kilobytes.
    """
    identity = json.dumps([key.namespace, key.canary]).encode()
    digest = hashlib.sha256(identity).hexdigest()[:32]
    readable = re.sub(r"[^a-z0-9]+", "-", f"{key.namespace}-{key.canary}".lower())
    slug = readable[:_SLUG_LENGTH].strip("-")
    return f"gate-{slug}-{digest}" if slug else f"gate-{digest}"


def new(key: gates.GateKey) -> Object:
    """Return the ConfigMap of a canary without gates."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name(key), "labels": dict(LABELS)},
        "data": {"namespace": key.namespace, "canary": key.canary},
    }


def entry(config_map: Object, key: gates.GateKey) -> str | None:
    """Return the text stored for a gate, None if there is none.

    Raises:
        CorruptRecordError: the ConfigMap belongs to another canary, or to nobody any more.
    """
    data = config_map.get("data") or {}
    if data.get("namespace") != key.namespace or data.get("canary") != key.canary:
        raise gates.CorruptRecordError(f"config map {name(key)} is not about {key}")
    text: str | None = data.get(_GATE_PREFIX + key.gate)
    return text


def written(
    config_map: Object, key: gates.GateKey, change: changes.Change, retention: datetime.timedelta
) -> Object:
    """Return a copy with a change in it; everything else, resourceVersion too, stays.

    Raises:
        GateError: the canary has too many gates.
    """
    data: dict[str, str] = dict(config_map["data"])
    data.pop(_GATE_PREFIX + key.gate, None)
    if change.record is not None:
        if sum(name.startswith(_GATE_PREFIX) for name in data) >= MOST_GATES:
            raise gates.GateError(f"{key} has {MOST_GATES} gates already")
        data[_GATE_PREFIX + key.gate] = codec.encode(change.record)
    if change.entries:
        lines = [audit.encode(key.gate, entry) for entry in change.entries]
        oldest = change.entries[-1].at - retention
        data[_HISTORY] = _join(_trimmed([*_history(data), *lines], oldest))
    return {**config_map, "data": data}


def is_ours(config_map: Object) -> bool:
    """Say whether a ConfigMap with our labels holds gates; anybody may use the labels."""
    found: str = config_map["metadata"]["name"]
    return "data" in config_map and found == name(gates.GateKey(*_canary(config_map)))


def pruned(config_map: Object, oldest: datetime.datetime) -> Object | None:
    """Return a copy without the history before a time; None: nothing is left to keep."""
    data = dict(config_map["data"])
    if lines := _trimmed(_history(data), oldest):
        data[_HISTORY] = _join(lines)
    else:
        data.pop(_HISTORY, None)
    if not data.keys() - {"namespace", "canary"}:
        return None
    return {**config_map, "data": data}


def listed(config_map: Object) -> list[tuple[gates.GateKey, str]]:
    """Return the gates of a ConfigMap and their texts."""
    return [
        (gates.GateKey(*_canary(config_map), name.removeprefix(_GATE_PREFIX)), text)
        for name, text in config_map["data"].items()
        if name.startswith(_GATE_PREFIX)
    ]


def history(config_map: Object) -> list[tuple[str, str, str]]:
    """Return namespace, canary and line of each entry, oldest first."""
    return [(*_canary(config_map), line) for line in _history(config_map["data"])]


def _canary(config_map: Object) -> tuple[str, str]:
    data = config_map["data"]
    return data.get("namespace", ""), data.get("canary", "")


def _history(data: dict[str, str]) -> list[str]:
    return data.get(_HISTORY, "").splitlines()


def _trimmed(lines: list[str], oldest: datetime.datetime) -> list[str]:
    return audit.kept(lines, oldest, MOST_ENTRIES, HISTORY_SIZE)


def _join(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)
