"""HorizontalPodAutoscalers (targets.md section 10)."""

import copy
from dataclasses import dataclass

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Resource
from flagger_controller.targets import metadata


@dataclass(frozen=True)
class HorizontalPodAutoscaler:
    """The `Scaler` for HPAs."""

    resource: Resource = resources.AUTOSCALERS

    def primary(self, canary: Canary, scaler: Object, live: Object | None) -> Object:
        """The same autoscaler for the primary; labels are copied, annotations are not."""
        labels = metadata.without_flux(metadata.entries(scaler.get("metadata"), "labels"))
        name = f"{scaler['metadata']['name']}-primary"
        body: Object = copy.deepcopy(live) if live else metadata.header(self.resource)
        body["metadata"] = metadata.merged(canary, name, live, labels, {})
        spec = copy.deepcopy(scaler["spec"])
        spec["scaleTargetRef"] = spec.get("scaleTargetRef", {}) | {"name": canary.primary}
        ref = canary.spec.autoscaler_ref
        bounds = ref.primary_scaler_replicas if ref else None
        if bounds and bounds.min_replicas is not None:
            spec["minReplicas"] = bounds.min_replicas
        if bounds and bounds.max_replicas is not None:
            spec["maxReplicas"] = bounds.max_replicas
        for metric in spec.get("metrics") or ():
            _redirect(canary, metric)
        body["spec"] = spec
        return body

    def paused(self, scaler: Object, *, pause: bool) -> Object | None:
        """Nothing to do: an HPA leaves a workload with 0 replicas alone."""
        return None

    def replicas(self, scaler: Object) -> int:
        """The autoscaler's minimum, at least 1."""
        return max(1, int(scaler["spec"].get("minReplicas") or 1))


def _redirect(canary: Canary, metric: Object) -> None:
    """Make a metric of the target, or of its Service, one of the primary."""
    described = (metric.get("object") or {}).get("describedObject") or {}
    twins = {
        (canary.spec.target_ref.kind, canary.target): canary.primary,
        ("Service", canary.canary_service): canary.primary_service,
    }
    twin = twins.get((str(described.get("kind")), str(described.get("name"))))
    if twin is not None:
        described["name"] = twin
