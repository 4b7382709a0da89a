"""Workloads whose size is a number: Deployments and StatefulSets (targets.md 5.3)."""

from dataclasses import dataclass

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.targets.base import Scaler


@dataclass(frozen=True)
class ByReplicas:
    """The `Scaling` by `spec.replicas`."""

    def template(self, target: Object) -> Object:
        """The pod template: it says nothing about the size."""
        template: Object = target["spec"]["template"]
        return template

    def resize(self, canary: Canary, source: Object, spec: Object, *, new: bool) -> None:
        """Give the primary the target's size.

        It never gets 0 replicas from a target that is scaled down (T23), and none at all when an
        autoscaler owns them.
        """
        replicas = source.get("replicas", 1)
        if new:
            spec["replicas"] = replicas or 1
        elif canary.spec.autoscaler_ref is None and replicas:
            spec["replicas"] = replicas

    def scaled(self, target: Object, *, up: bool, replicas: int) -> Object | None:
        """Set the replicas to 0, or to `replicas` when they are 0."""
        current = count(target)
        if up:
            return None if current else _sized(max(1, replicas))
        return _sized(0) if current else None

    def reverted(self, target: Object, primary: Object | None, *, replicas: int) -> Object | None:
        """Give the target the size of the primary, or `replicas` where that is 0 or unknown."""
        wanted = count(primary) if primary else 0
        wanted = wanted or count(target) or max(1, replicas)
        return None if wanted == count(target) else _sized(wanted)


def count(workload: Object) -> int:
    """`spec.replicas`; the server takes an absent one for 1."""
    value = (workload.get("spec") or {}).get("replicas")
    return 1 if value is None else int(value)


def from_zero(primary: Object | None, scaler: Scaler | None, scaler_object: Object | None) -> int:
    """Replicas that a target starts with when it does not know itself, at least 1.

    The minimum of the autoscaler where there is one (1 when the object is missing), else the
    size of the primary.
    """
    if scaler is not None:
        return scaler.replicas(scaler_object) if scaler_object else 1
    return max(1, count(primary)) if primary else 1


def _sized(replicas: int) -> Object:
    return {"spec": {"replicas": replicas}}
