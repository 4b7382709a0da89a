"""The controllers of workloads and their pods, which start at once where they can. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Resource
from flagger_controller.targets.daemonset import SCALE_TO_ZERO

from .targets import tag_of


@dataclass(frozen=True)
class Pods:
    """The pods of a workload."""

    wanted: int
    available: int
    old: int
    """Pods of the template before, kept by a rolling update until the new ones are ready."""
    template: str
    """Tag of the pods that serve."""
    since: str
    """When it began to be short of pods; empty: it is not."""


def wanted(body: Object) -> int:
    """How many pods a workload asks for; there is one node."""
    if SCALE_TO_ZERO in (body["spec"]["template"]["spec"].get("nodeSelector") or {}):
        return 0
    return int(body["spec"].get("replicas", 1))


def pods(body: Object, *, since: str) -> Pods:
    """The pods after a while; `since` when the new ones cannot get ready."""
    count, tag = wanted(body), tag_of(body)
    before = body.get("status", {}).get("template")
    kept = before if since and before is not None else tag
    old = 1 if kept != tag and count else 0
    return Pods(count, old if since else count, old, kept, since)


def _deployment(found: Pods, now: datetime) -> Object:
    short = found.since and not found.available
    return {
        "replicas": found.wanted + found.old,
        "updatedReplicas": found.wanted,
        "availableReplicas": found.available,
        "conditions": [
            {
                "type": "Available",
                "status": "False" if short else "True",
                "reason": "MinimumReplicasUnavailable",
                "lastUpdateTime": found.since,
            },
            _progress(found.since, now),
        ],
    }


def _progress(since: str, now: datetime) -> Object:
    late = since and datetime.fromisoformat(since) + timedelta(seconds=60) < now
    reason = "ProgressDeadlineExceeded" if late else "NewReplicaSetAvailable"
    return {"type": "Progressing", "status": "False" if late else "True", "reason": reason}


def _stateful_set(found: Pods, now: datetime) -> Object:
    """The last pod is replaced first: while the new one is not ready, the others are old."""
    return {
        "replicas": found.wanted,
        "updatedReplicas": 1 if found.old else found.wanted,
        "availableReplicas": found.wanted - 1 if found.old else found.available,
    }


def _daemon_set(found: Pods, now: datetime) -> Object:
    return {
        "desiredNumberScheduled": found.wanted,
        "updatedNumberScheduled": found.wanted,
        "numberAvailable": found.available,
    }


_STATUS: Mapping[Resource, Callable[[Pods, datetime], Object]] = {
    resources.DEPLOYMENTS: _deployment,
    resources.STATEFUL_SETS: _stateful_set,
    resources.DAEMON_SETS: _daemon_set,
}
WORKLOADS = frozenset(_STATUS)
"""The kinds that have pods."""


def status(resource: Resource, body: Object, *, since: str, now: datetime) -> Object:
    """The status that the workload's controller writes."""
    found = pods(body, since=since)
    told: dict[str, Any] = _STATUS[resource](found, now)
    seen = {"observedGeneration": body["metadata"]["generation"], "template": found.template}
    return {**told, **seen}


def available(body: Object | None) -> int:
    """The pods that can take traffic."""
    told = (body or {}).get("status", {})
    counts = ("availableReplicas", "numberAvailable", "actualReplicas")
    return max(int(told.get(field, 0)) for field in counts)
