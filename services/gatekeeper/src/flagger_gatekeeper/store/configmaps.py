"""How gate records look inside ConfigMaps: pure functions from and to dicts.

One ConfigMap holds all gates of one canary, one data entry a gate, so that `kubectl get configmap
-l app.kubernetes.io/managed-by=flagger-gatekeeper` shows what is where.
"""

import hashlib
import json
import re
from typing import Any, Final

from .. import gates

Object = dict[str, Any]

LABELS: Final = {
    "app.kubernetes.io/managed-by": "flagger-gatekeeper",
    "app.kubernetes.io/component": "gate",
}

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


def with_entry(config_map: Object, key: gates.GateKey, text: str) -> Object:
    """Return a copy with the gate's text replaced; everything else, resourceVersion too, stays."""
    return {**config_map, "data": {**config_map["data"], _GATE_PREFIX + key.gate: text}}
