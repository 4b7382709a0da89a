"""What a fleet consists of: applications under Canaries, all alike. Pure."""

import dataclasses
from typing import Any, Final

Object = dict[str, Any]

PER_NAMESPACE: Final = 25
INTERVAL: Final = 10.0
"""Seconds between two ticks of a release; the shortest that upstream knows."""
STEP: Final = 20
MAX: Final = 60
TICKS: Final = len(
    ("noticed", *range(STEP, MAX + 1, STEP), "promoting", "routed to the primary", "succeeded")
)
"""Of a release without a failed check, each with a status of its own (state-machine.md 7.1)."""
IDEAL: Final = TICKS * INTERVAL
"""Seconds of a release when each tick takes an interval, the first one too."""


@dataclasses.dataclass(frozen=True, order=True)
class Member:
    """One application: its Deployment and its Canary have the same name."""

    namespace: str
    name: str


def members(label: str, size: int) -> list[Member]:
    """Return so many members in namespaces that begin with a label, 25 in each."""
    return [Member(f"{label}-{number // PER_NAMESPACE}", f"app-{number}") for number in range(size)]


def template(member: Member, revision: int) -> Object:
    """Return the pods of a revision: fake ones, which end as soon as they are deleted."""
    container = {
        "name": "app",
        "image": f"bench/app:{revision}",
        "ports": [{"containerPort": 8080, "name": "http"}],
    }
    return {
        "metadata": {"labels": {"app": member.name}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
    }


def deployment(member: Member, revision: int) -> Object:
    """Return the application, with one replica."""
    labels = {"app": member.name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": member.name, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": template(member, revision),
        },
    }


def canary(member: Member) -> Object:
    """Return its Canary: a Gateway API route that moves in three steps, and one metric."""
    metric = {
        "name": "request-success-rate",
        "interval": "1m",
        "thresholdRange": {"min": 99},
    }
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": member.name},
        "spec": {
            "provider": "gatewayapi:v1",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": member.name},
            "service": {
                "port": 80,
                "targetPort": "http",
                "gatewayRefs": [{"name": "public"}],
                "hosts": [f"{member.name}.{member.namespace}.test"],
            },
            "analysis": {
                "interval": f"{INTERVAL:.0f}s",
                "threshold": 5,
                "stepWeight": STEP,
                "maxWeight": MAX,
                "metrics": [metric],
            },
        },
    }
