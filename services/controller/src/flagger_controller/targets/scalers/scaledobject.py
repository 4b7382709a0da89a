"""KEDA ScaledObjects (targets.md section 11), copied as they are: new fields survive (T4)."""

import copy
from dataclasses import dataclass
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import AutoscalerReference, Canary
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Resource
from flagger_controller.targets import metadata
from flagger_controller.targets.scalers import queries

PAUSED_REPLICAS: Final = "autoscaling.keda.sh/paused-replicas"
_PAUSE_PREFIX: Final = "autoscaling.keda.sh/paused"
"""Pausing the target must not pause the primary."""
_NOTED: Final = "scaledobject.keda.sh/name"
"""Label in which KEDA notes the name of each ScaledObject; it would put a copied one right."""


@dataclass(frozen=True)
class ScaledObject:
    """The `Scaler` for ScaledObjects."""

    resource: Resource = resources.SCALED_OBJECTS

    def primary(self, canary: Canary, scaler: Object, live: Object | None) -> Object:
        """The same ScaledObject for the primary, with queries that measure the primary.

        It is never born paused, and one that upstream left paused at 0 is healed (T2).
        """
        meta = scaler.get("metadata")
        labels = metadata.without_flux(metadata.entries(meta, "labels"))
        labels.pop(_NOTED, None)
        annotations = {
            key: value
            for key, value in metadata.inherited(metadata.entries(meta, "annotations")).items()
            if not key.startswith(_PAUSE_PREFIX)
        }
        name = f"{scaler['metadata']['name']}-primary"
        body: Object = copy.deepcopy(live) if live else metadata.header(self.resource)
        body["metadata"] = metadata.merged(canary, name, live, labels, annotations)
        if body["metadata"].get("annotations", {}).get(PAUSED_REPLICAS) == "0":
            del body["metadata"]["annotations"][PAUSED_REPLICAS]
        body["spec"] = _spec(canary, scaler["spec"])
        return body

    def paused(self, scaler: Object, *, pause: bool) -> Object | None:
        """Patch that pauses the target at 0 replicas or lets KEDA scale it again."""
        current = metadata.entries(scaler.get("metadata"), "annotations").get(PAUSED_REPLICAS)
        wanted = "0" if pause else None
        return (
            None if current == wanted else {"metadata": {"annotations": {PAUSED_REPLICAS: wanted}}}
        )

    def replicas(self, scaler: Object) -> int:
        """The ScaledObject's minimum, at least 1."""
        return max(1, int(scaler["spec"].get("minReplicaCount") or 1))


def _spec(canary: Canary, source: Object) -> Object:
    spec = copy.deepcopy(source)
    spec["scaleTargetRef"] = spec.get("scaleTargetRef", {}) | {"name": canary.primary}
    ref = canary.spec.autoscaler_ref
    bounds = ref.primary_scaler_replicas if ref else None
    if bounds and bounds.min_replicas is not None:
        spec["minReplicaCount"] = bounds.min_replicas
        if (spec.get("idleReplicaCount") or 0) >= bounds.min_replicas:
            spec.pop("idleReplicaCount", None)  # KEDA refuses one that is not below the minimum
    if bounds and bounds.max_replicas is not None:
        spec["maxReplicaCount"] = bounds.max_replicas
    hpa = (spec.get("advanced") or {}).get("horizontalPodAutoscalerConfig") or {}
    if hpa.get("name"):
        hpa["name"] = f"{hpa['name']}-primary"
    for trigger in spec.get("triggers") or ():
        _redirect(canary.target, ref, trigger)
    return spec


def _redirect(target: str, ref: AutoscalerReference | None, trigger: Object) -> None:
    """Give a trigger its query for the primary: the user's, or the target's with new names."""
    given = ref.primary_scaler_queries if ref else None
    fields = trigger.get("metadata") or {}
    if given is not None:
        if trigger.get("name") in given:
            trigger.setdefault("metadata", {})["query"] = given[trigger["name"]]
    elif isinstance(fields.get("query"), str):
        language = str(trigger.get("type", ""))
        fields["query"] = queries.for_primary(fields["query"], target, language)
