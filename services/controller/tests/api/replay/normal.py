"""The form in which recordings show statuses, objects and events."""

import json
import re
from collections.abc import Iterable
from typing import Any

Object = dict[str, Any]

_SERVER_METADATA = frozenset(
    {
        "creationTimestamp",
        "generation",
        "managedFields",
        "name",
        "namespace",
        "resourceVersion",
        "uid",
        "deletionGracePeriodSeconds",
    }
)
_SERVICE_DEFAULTS = frozenset(
    {
        "clusterIP",
        "clusterIPs",
        "internalTrafficPolicy",
        "ipFamilies",
        "ipFamilyPolicy",
        "sessionAffinity",
    }
)
_SHOWN_SEPARATELY = frozenset(
    {
        "phase",
        "canaryWeight",
        "iterations",
        "failedChecks",
        "conditions",
        "lastTransitionTime",
        "checks",
        "run",
    }
)
_LONGEST_TICK = 4
"""Lines that one tick says at most, in the recordings."""
_ORIGINAL = "flagger.kubernetes.io/original-configuration"
_COOKIE = re.compile(r"(?<=[=*])[A-Za-z]{10}(?=[;.]|$)")


class Words:
    """Random words of a run, numbered in order of appearance: `<hash-1>`, `<cookie-2>`."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, str]] = {}

    def name(self, kind: str, word: str) -> str:
        known = self._known.setdefault(kind, {})
        return known.setdefault(word, f"<{kind}-{len(known) + 1}>")

    def cookies(self, text: str) -> str:
        return _COOKIE.sub(lambda found: self.name("cookie", found[0]), text)


def status_line(status: Object, words: Words) -> str:
    """One status as one line."""
    head = " ".join(
        f"{key}={status.get(key, 0)}"
        for key in ("phase", "canaryWeight", "iterations", "failedChecks")
    )
    promoted = next((c for c in status.get("conditions") or [] if c["type"] == "Promoted"), None)
    if promoted:
        head += f' Promoted={promoted["status"]}/{promoted["reason"]} "{promoted["message"]}"'
    for key in sorted(status.keys() - _SHOWN_SEPARATELY):
        value = status[key]
        if value in ("", None):
            continue
        if key in ("lastAppliedSpec", "lastPromotedSpec"):
            value = words.name("hash", value)
        elif isinstance(value, str):
            value = words.cookies(value)
        else:
            value = json.dumps(value, sort_keys=True)
        head += f" {key}={value}"
    return head


def is_between(status: Object) -> bool:
    """Is it written before the step of a promotion that upstream's next status stands for?

    The status with the next phase follows when the step is done.
    """
    return status.get("run", {}).get("obligation") in ("promote", "finalise")


def at(line: str) -> str:
    """The label of a snapshot: the counters of a status line."""
    return " ".join(line.split()[:4])


def plain(body: Object, words: Words) -> Object:
    """An object without what servers and chance put into it."""
    body = json.loads(json.dumps(body))
    kept = {key: value for key, value in body.items() if key not in ("status", "kind")}
    metadata = {k: v for k, v in body["metadata"].items() if k not in _SERVER_METADATA}
    annotations = dict(metadata.get("annotations") or {})
    annotations.pop("deployment.kubernetes.io/revision", None)
    annotations.pop("deprecated.daemonset.template.generation", None)
    if _ORIGINAL in annotations:
        annotations[_ORIGINAL] = json.dumps(json.loads(annotations[_ORIGINAL]))
    metadata["annotations"] = annotations
    if "deletionTimestamp" in metadata:
        metadata["deletionTimestamp"] = "<set>"
    metadata["ownerReferences"] = [
        {key: value for key, value in owner.items() if key != "uid"}
        for owner in metadata.get("ownerReferences") or []
    ]
    kept["metadata"] = metadata
    spec = kept.get("spec") or {}
    if body.get("kind") == "Service":
        spec = {key: value for key, value in spec.items() if key not in _SERVICE_DEFAULTS}
        for port in spec.get("ports") or []:
            port.pop("nodePort", None)
    if body.get("kind") == "Canary":
        kept = {"metadata": metadata}
        spec = {}
    if spec:
        kept["spec"] = spec
    pruned: Object = _pruned(kept)
    document: Object = json.loads(words.cookies(json.dumps(pruned, sort_keys=True)))
    return document


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        entries = {key: _pruned(entry) for key, entry in value.items()}
        return {key: entry for key, entry in entries.items() if entry not in ({}, [], None)}
    if isinstance(value, list):
        return [_pruned(entry) for entry in value]
    return value


def difference(before: Object, after: Object) -> Object:
    """What changed: new values, and None for what is gone."""
    changes: Object = dict.fromkeys(before.keys() - after.keys())
    for key, value in after.items():
        old = before.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            if inner := difference(old, value):
                changes[key] = inner
        elif old != value:
            changes[key] = value
    return changes


def anonymous(changes: Object) -> Object:
    """Changes with the random identities of promotions hidden; that they changed still shows."""
    text = re.sub(r'"flagger-id": "[^"]+"', '"flagger-id": "<id>"', json.dumps(changes))
    hidden: Object = json.loads(text)
    return hidden


def shown(key: str, body: Object, *, users: bool) -> Object:
    """What recordings show of an object: of users' objects only what a controller changes."""
    kind = key.partition("/")[0]
    if kind == "Canary.flagger.app":
        return {}
    if not users:
        return body
    spec = body.get("spec", {})
    match kind:
        case "ConfigMap" | "Secret":
            return {}
        case "Deployment":
            return {"spec": {"replicas": spec.get("replicas", 1)}}
        case "DaemonSet":
            selector = spec["template"]["spec"].get("nodeSelector")
            pod = {"nodeSelector": selector} if selector else {}
            return {"spec": {"template": {"spec": pod}}}
        case _:
            return body


def patient(text: str) -> str:
    """A text without the stage that a rollout was in when somebody looked."""
    return re.sub(r"waiting for rollout to finish: [^\"]*", "waiting for pods", text)


def collapsed(lines: Iterable[str]) -> list[str]:
    """Without lines that repeat the one before."""
    result: list[str] = []
    for line in lines:
        if not result or result[-1] != line:
            result.append(line)
    return result


def without_repeats(lines: Iterable[str]) -> list[str]:
    """Without blocks of lines that repeat the block before: ticks that said the same."""
    result: list[str] = []
    for line in lines:
        result.append(line)
        for length in range(1, min(_LONGEST_TICK, len(result) // 2) + 1):
            if result[-length:] == result[-2 * length : -length]:
                del result[-length:]
                break
    return result
