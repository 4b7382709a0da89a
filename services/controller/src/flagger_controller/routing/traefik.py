"""Traefik: a weighted TraefikService that the user's IngressRoute refers to (routing.md 7.7)."""

from collections.abc import Mapping

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.routing import base, objects
from flagger_controller.routing.base import Capabilities, Objects, RouterSettings


class Traefik:
    """Weights only: no conditions, no mirror, no cookies."""

    capabilities = Capabilities()

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings

    def refs(self, canary: Canary) -> tuple[Ref, ...]:
        """The TraefikService with the apex name."""
        return (Ref(resources.TRAEFIK_SERVICES, canary.apex_service, canary.namespace),)

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        """The TraefikService for this split.

        A backend without traffic has no entry. Written as weight 0 upstream's way, without the
        key, it would count as 1 (S6); and one entry whose Service has no endpoints makes Traefik
        drop the whole TraefikService, also when its weight is 0.
        """
        base.refuse_match(canary, "traefik")
        (ref,) = self.refs(canary)
        found = objects.claimed(canary, ref, live)
        weighted = _weighted(found)
        entries = {entry.get("name"): entry for entry in objects.items(weighted.get("services"))}
        splits = ((canary.primary_service, route.primary), (canary.canary_service, route.canary))
        sibling: Object = next((entries[name] for name, _ in splits if name in entries), {})
        services = [
            objects.patched(
                entries.get(name, sibling),
                {
                    "name": name,
                    "namespace": canary.namespace,
                    "port": objects.service_of(canary).port,
                    "weight": weight,
                },
            )
            for name, weight in splits
            if weight > 0
        ]
        spec = {"weighted": objects.patched(weighted, {"services": services})}
        stamp = objects.apex_stamp(canary, traits, self._settings)
        return {ref: objects.converged(ref, found, stamp, spec)}

    def read(self, canary: Canary, live: Objects) -> Route | None:
        """The weights of our two entries; a missing entry has no traffic."""
        (ref,) = self.refs(canary)
        weights = {
            entry.get("name"): objects.weight_of(entry)
            for entry in objects.items(_weighted(live.get(ref)).get("services"))
        }
        return base.split(
            weights.get(canary.primary_service, 0), weights.get(canary.canary_service, 0)
        )

    def settled(self, canary: Canary, live: Objects) -> str:
        """Always: Traefik reports nothing about the objects it reads."""
        return ""

    def reverted(self, canary: Canary, live: Objects) -> Mapping[Ref, Object]:
        """Nothing: objects that we created go away with the Canary (routing.md section 8)."""
        return {}


def _weighted(live: Object | None) -> Object:
    return objects.spec_of(live).get("weighted") or {}
