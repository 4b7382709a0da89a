"""Service Mesh Interface: a TrafficSplit, in the version that the mesh reads (routing.md 7.11).

The versions differ in how they write a weight; Linkerd and OSM are names for one of them.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref, Resource
from flagger_controller.routing import base, objects
from flagger_controller.routing.base import Capabilities, Objects, RouterSettings

GATEWAYS: Final = "VirtualService.v1alpha3.networking.istio.io/spec.gateways"
"""Tells Istio's adapter which gateways the split is for."""
ISTIO: Final = "istio"


def v1alpha1(settings: RouterSettings) -> "Smi":
    """Providers `smi:v1alpha1` and `linkerd`: weights are quantities, JSON strings."""
    return Smi(settings, resources.TRAFFIC_SPLITS_1, str)


def v1alpha2(settings: RouterSettings) -> "Smi":
    """Providers `smi:v1alpha2` and `osm`: weights are integers."""
    return Smi(settings, resources.TRAFFIC_SPLITS_2, int)


def v1alpha3(settings: RouterSettings) -> "Smi":
    """Provider `smi:v1alpha3`: as v1alpha2; its route groups are not used."""
    return Smi(settings, resources.TRAFFIC_SPLITS_3, int)


class Smi:
    """Weights only: no conditions, no mirror, no cookies."""

    capabilities = Capabilities()

    def __init__(
        self, settings: RouterSettings, resource: Resource, weight: Callable[[int], str | int]
    ) -> None:
        self._settings = settings
        self._resource = resource
        self._weight = weight

    def refs(self, canary: Canary) -> tuple[Ref, ...]:
        """The TrafficSplit with the apex name."""
        return (Ref(self._resource, canary.apex_service, canary.namespace),)

    def referenced(self, canary: Canary) -> tuple[Ref, ...]:
        """None: all objects are made here."""
        return ()

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        """The TrafficSplit for this split, the canary first.

        The service that is split is the first host, as upstream has it, else the apex.
        """
        service = objects.service_of(canary)
        base.refuse_match(canary, f"smi:{self._resource.version}")
        (ref,) = self.refs(canary)
        found = objects.claimed(canary, ref, live)
        entries = _entries(found)
        splits = ((canary.canary_service, route.canary), (canary.primary_service, route.primary))
        spec = {
            "service": service.hosts[0] if service.hosts else canary.apex_service,
            "backends": [
                objects.patched(
                    entries.get(name, {}), {"service": name, "weight": self._weight(weight)}
                )
                for name, weight in splits
            ],
        }
        return {ref: objects.converged(ref, found, self._stamp(canary), spec)}

    def _stamp(self, canary: Canary) -> objects.Stamp:
        gateways = list(objects.service_of(canary).gateways)
        told = self._settings.target_mesh == ISTIO and gateways
        return objects.Stamp(
            annotations={GATEWAYS: json.dumps(gateways, separators=(",", ":"))} if told else {},
            owner=objects.owner_stamp(canary, self._settings).owner,
        )

    def read(self, canary: Canary, live: Objects) -> Route | None:
        """The weights of our two backends; a missing one has no traffic."""
        (ref,) = self.refs(canary)
        entries = _entries(live.get(ref))
        primary, ours = (
            _percent(entries.get(name, {}))
            for name in (canary.primary_service, canary.canary_service)
        )
        return None if primary is None or ours is None else base.split(primary, ours)

    def settled(self, canary: Canary, live: Objects) -> str:
        """Always: a TrafficSplit has no status."""
        return ""

    def reverted(self, canary: Canary, live: Objects) -> Mapping[Ref, Object]:
        """Nothing: objects that we created go away with the Canary (routing.md section 8)."""
        return {}


def _entries(live: Object | None) -> dict[Any, Object]:
    backends = objects.items(objects.spec_of(live).get("backends"))
    return {entry.get("service"): entry for entry in backends}


def _percent(entry: Object) -> int | None:
    """The weight of a backend; a quantity such as `500m` is none of ours."""
    weight = str(entry.get("weight") or 0)
    return int(weight) if weight.isdecimal() else None
