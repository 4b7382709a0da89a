"""Istio: a VirtualService with the apex name and two DestinationRules (routing.md 7.1).

The routes themselves are built in `virtualservice.py`.
"""

import json
from collections.abc import Mapping
from typing import Final

from flagger_controller.api import ownership
from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.routing import base, objects, virtualservice
from flagger_controller.routing.base import Capabilities, Objects, RouterSettings

ORIGINAL: Final = "flagger.kubernetes.io/original-configuration"
"""The spec that a taken-over VirtualService had, as JSON."""


class Istio:
    """Weights, conditions, mirror with percentage, cookies, delegation; TCP by weight."""

    capabilities = Capabilities(
        match=True,
        mirror=True,
        mirror_weight=True,
        session_affinity=True,
    )

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings

    def refs(self, canary: Canary) -> tuple[Ref, ...]:
        """DestinationRules of canary and primary, then the VirtualService."""
        return (
            Ref(resources.DESTINATION_RULES, canary.canary_service, canary.namespace),
            Ref(resources.DESTINATION_RULES, canary.primary_service, canary.namespace),
            Ref(resources.VIRTUAL_SERVICES, canary.apex_service, canary.namespace),
        )

    def referenced(self, canary: Canary) -> tuple[Ref, ...]:
        """None: all objects are made here."""
        return ()

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        """The three objects for this split, in the order in which Istio needs them.

        Raises:
            ConfigError: an object belongs to another controller, or Istio cannot express what the
                Canary asks for.
        """
        *rules, ref = self.refs(canary)
        found = objects.claimed(canary, ref, live)
        spec = virtualservice.spec(canary, route, objects.spec_of(found))
        stamp = objects.apex_stamp(canary, traits, self._settings)
        if found is not None:
            stamp = _with_original(canary, found, stamp)
        return {
            **{rule: self._destination_rule(canary, rule, live) for rule in rules},
            ref: objects.converged(ref, found, stamp, spec),
        }

    def _destination_rule(self, canary: Canary, ref: Ref, live: Objects) -> Object:
        found = objects.claimed(canary, ref, live)
        spec = {"host": ref.name, "trafficPolicy": objects.service_of(canary).traffic_policy}
        owner = canary.owner_reference if self._settings.own_references else None
        return objects.converged(ref, found, objects.Stamp(owner=owner), spec)

    def read(self, canary: Canary, live: Objects) -> Route | None:
        """The last route with both destinations tells; the routes before it are for cookies."""
        spec = objects.spec_of(live.get(self.refs(canary)[2]))
        routes = spec.get("tcp" if virtualservice.is_tcp(canary) else "http") or ()
        ours = {canary.primary_service, canary.canary_service}
        for route in reversed(routes):
            weights = virtualservice.hosts(route)
            if ours <= weights.keys():
                return base.split(
                    weights[canary.primary_service],
                    weights[canary.canary_service],
                    mirrored=bool((route.get("mirror") or {}).get("host")),
                )
        return None

    def settled(self, canary: Canary, live: Objects) -> str:
        """Always: Istio reports on its objects only where that was switched on."""
        return ""

    def reverted(self, canary: Canary, live: Objects) -> Mapping[Ref, Object]:
        """The VirtualService as it was when it was taken over (routing.md section 8).

        Nothing for one that we created, or that vanished (upstream: deletion hangs, S10).
        """
        ref = self.refs(canary)[2]
        found = live.get(ref)
        if found is None or ownership.is_ours(canary, found):
            return {}
        spec = _original(found)
        return {} if spec is None else {ref: objects.patched(found, {"spec": spec})}


def _with_original(canary: Canary, found: Object, stamp: objects.Stamp) -> objects.Stamp:
    """Remember the spec of a VirtualService that we take over.

    Only while it does not route to our Services: upstream also remembers each of its own specs
    that it repairs, and restores that one in the end (S9). A kubectl annotation makes this
    unnecessary.
    """
    spec = objects.spec_of(found)
    if (
        ownership.is_ours(canary, found)
        or virtualservice.is_ours(canary, spec)
        or objects.LAST_APPLIED in objects.annotations_of(found)
    ):
        return stamp
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"))
    return objects.Stamp(stamp.labels, {**stamp.annotations, ORIGINAL: text}, stamp.owner)


def _original(found: Object) -> Object | None:
    """The spec last applied with kubectl, else the one we remembered."""
    annotations = objects.annotations_of(found)
    for key in (objects.LAST_APPLIED, ORIGINAL):
        try:
            value = json.loads(annotations[key])
            return dict(value["spec"] if key == objects.LAST_APPLIED else value)
        except (KeyError, TypeError, ValueError):
            continue
    return None
