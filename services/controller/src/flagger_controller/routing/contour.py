"""Contour: an HTTPProxy with the apex name, which the user's root includes (routing.md 7.4).

The routes themselves are built in `contour_routes.py`.
"""

from collections.abc import Mapping
from typing import Any

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.routing import base, contour_routes, objects
from flagger_controller.routing.base import Capabilities, Objects, RouterSettings


class Contour:
    """Weights, conditions, mirror with percentage, cookies."""

    capabilities = Capabilities(
        match=True,
        mirror=True,
        mirror_weight=True,
        session_affinity=True,
    )

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings

    def refs(self, canary: Canary) -> tuple[Ref, ...]:
        """The HTTPProxy with the apex name."""
        return (Ref(resources.HTTP_PROXIES, canary.apex_service, canary.namespace),)

    def referenced(self, canary: Canary) -> tuple[Ref, ...]:
        """None: all objects are made here."""
        return ()

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        """The HTTPProxy for this split; what else the spec of a taken-over one has stays.

        Raises:
            ConfigError: it belongs to another controller, or Contour cannot express what the
                Canary asks for.
        """
        (ref,) = self.refs(canary)
        found = objects.claimed(canary, ref, live)
        routes = list(objects.items(objects.spec_of(found).get("routes")))
        built = contour_routes.routes(canary, route)
        spec: Object = {"routes": contour_routes.on_live(canary, routes, built)}
        if self._settings.ingress_class:
            spec = {"ingressClassName": self._settings.ingress_class, **spec}
        stamp = objects.apex_stamp(canary, traits, self._settings)
        return {ref: objects.converged(ref, found, stamp, spec)}

    def read(self, canary: Canary, live: Objects) -> Route | None:
        """What all routes with the split agree upon; where they do not, there is no split."""
        (ref,) = self.refs(canary)
        found = contour_routes.split_routes(canary, objects.spec_of(live.get(ref)))
        splits = {_split(canary, entry) for entry in found}
        return splits.pop() if len(splits) == 1 else None

    def settled(self, canary: Canary, live: Objects) -> str:
        """Has Contour seen the routes as they are now, and are they valid (S37)?

        An HTTPProxy of which Contour says nothing is not waited for: it may be of another class.
        """
        (ref,) = self.refs(canary)
        found = live.get(ref) or {}
        status = found.get("status") or {}
        valid = _valid(status)
        seen = int(valid.get("observedGeneration") or 0)
        if valid and seen < (found["metadata"].get("generation") or 0):
            return f"{ref} is not in force: Contour has not seen the latest change yet"
        if status.get("currentStatus") != "invalid":
            return ""
        errors = [str(error.get("message")) for error in objects.items(valid.get("errors"))]
        why = "; ".join(errors) or status.get("description") or "no reason given"
        return f"{ref} is invalid: {why}"

    def reverted(self, canary: Canary, live: Objects) -> Mapping[Ref, Object]:
        """Nothing: objects that we created go away with the Canary (routing.md section 8)."""
        return {}


def _valid(status: Mapping[str, Any]) -> Object:
    found = (entry for entry in objects.items(status.get("conditions")))
    return next((entry for entry in found if entry.get("type") == "Valid"), {})


def _split(canary: Canary, route: Object) -> Route | None:
    weights = contour_routes.weights(route)
    return base.split(
        weights[canary.primary_service],
        weights[canary.canary_service],
        mirrored=contour_routes.mirrors(canary, route),
    )
