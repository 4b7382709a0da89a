"""Kuma: a TrafficRoute, which is cluster-scoped and named after the service (routing.md 7.10).

Or a MeshHTTPRoute, for a Canary that asks for it with an annotation (routing.md 9.6).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing import base, kuma_http, objects
from flagger_controller.routing.base import Capabilities, Objects, RouterSettings
from flagger_controller.routing.objects import Stamp

MESH: Final = "kuma.io/mesh"
"""Annotation of a Canary: the mesh of its route; label of a MeshHTTPRoute."""
SERVICE: Final = "kuma.io/service"
"""Tag of a service, `<name>_<namespace>_svc_<port>`."""


class Kuma:
    """A TrafficRoute has weights only, a MeshHTTPRoute everything but cookies."""

    capabilities = Capabilities(
        match=True,
        mirror=True,
        mirror_weight=True,
        needs=(kuma_http.ROUTE, resources.MESH_HTTP_ROUTES.kind),
    )

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings

    def refs(self, canary: Canary) -> tuple[Ref, ...]:
        """The route with the apex name; a TrafficRoute is in no namespace."""
        if kuma_http.asked(canary):
            return (Ref(resources.MESH_HTTP_ROUTES, canary.apex_service, canary.namespace),)
        return (Ref(resources.TRAFFIC_ROUTES, canary.apex_service),)

    def referenced(self, canary: Canary) -> tuple[Ref, ...]:
        """None: all objects are made here."""
        return ()

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        """The route for this split; no Canary can own a TrafficRoute.

        Raises:
            ConfigError: the name is taken by a route for another namespace, or the kind of route
                cannot express what the Canary asks for.
        """
        kuma_http.check_annotations(canary)
        (ref,) = self.refs(canary)
        found = objects.claimed(canary, ref, live)
        stamp = objects.apex_stamp(canary, traits, self._settings)
        if kuma_http.asked(canary):
            return {ref: _mesh_http_route(canary, route, ref, found, stamp)}
        return {ref: _traffic_route(canary, route, ref, found, replace(stamp, owner=None))}

    def read(self, canary: Canary, live: Objects) -> Route | None:
        """The weights of our two services, on whatever port; a missing one has no traffic."""
        (ref,) = self.refs(canary)
        if kuma_http.asked(canary):
            return kuma_http.read(canary, live.get(ref))
        conf = objects.spec_of(live.get(ref)).get("conf") or {}
        weights = {
            _place(_service(entry.get("destination"))): int(entry.get("weight") or 0)
            for entry in objects.items(conf.get("split"))
        }
        primary, ours = (
            weights.get((name, canary.namespace), 0)
            for name in (canary.primary_service, canary.canary_service)
        )
        return base.split(primary, ours)

    def settled(self, canary: Canary, live: Objects) -> str:
        """Always: Kuma's routes have no status."""
        return ""

    def reverted(self, canary: Canary, live: Objects) -> Mapping[Ref, Object | None]:
        """A TrafficRoute is deleted, as no Canary can own it; upstream leaves it behind (S23)."""
        (ref,) = self.refs(canary)
        if kuma_http.asked(canary):
            return kuma_http.reverted(canary, ref, live.get(ref))
        ours = all(
            _place(service)[1] == canary.namespace for service in _destinations(live.get(ref))
        )
        return {ref: None} if ref in live and ours else {}


def _mesh_http_route(
    canary: Canary, route: Route, ref: Ref, found: Object | None, stamp: Stamp
) -> Object:
    mesh = canary.metadata.annotations.get(MESH)
    labels = {**stamp.labels, MESH: mesh} if mesh else stamp.labels
    spec = {"to": kuma_http.destinations(canary, route, found)}
    return objects.converged(ref, found, replace(stamp, labels=labels), spec)


def _traffic_route(
    canary: Canary, route: Route, ref: Ref, found: Object | None, stamp: Stamp
) -> Object:
    base.refuse_match(canary, f"kuma{base.without(Kuma.capabilities)}")
    _check_place(canary, ref, found)
    spec = {
        "sources": [{"match": {SERVICE: "*"}}],
        "destinations": [{"match": {SERVICE: _tag(canary, canary.apex_service)}}],
        "conf": _conf(canary, route, objects.spec_of(found).get("conf") or {}),
    }
    body = objects.converged(ref, found, stamp, spec)
    mesh = canary.metadata.annotations.get(MESH) or body.get("mesh") or "default"
    return objects.patched(body, {"mesh": mesh})


def _tag(canary: Canary, name: str) -> str:
    return f"{name}_{canary.namespace}_svc_{objects.service_of(canary).port}"


def _conf(canary: Canary, route: Route, live: Mapping[str, Any]) -> Object:
    """The split on the live one, with what others added, such as a load balancer."""
    entries = {
        _service(entry.get("destination")): entry for entry in objects.items(live.get("split"))
    }
    splits = ((canary.primary_service, route.primary), (canary.canary_service, route.canary))
    split = [
        objects.patched(
            entries.get(_tag(canary, name), {}),
            {"weight": weight, "destination": {SERVICE: _tag(canary, name)}},
        )
        for name, weight in splits
    ]
    # Kuma allows only one of the two.
    return objects.patched(dict(live), {"split": split, "destination": None})


def _service(tags: Any) -> str:
    return str((tags or {}).get(SERVICE))


def _place(service: str) -> tuple[str, str]:
    """Name and namespace of a service; no namespace for one that is not in Kubernetes."""
    name, _, rest = service.partition("_")
    return name, rest.partition("_svc_")[0]


def _check_place(canary: Canary, ref: Ref, found: Object | None) -> None:
    """Two namespaces with one service name would overwrite each other's route for ever (S23)."""
    for service in _destinations(found):
        if _place(service)[1] != canary.namespace:
            raise ConfigError(
                f"{ref} routes {service}, which is not in namespace {canary.namespace}: the name "
                "of a TrafficRoute is unique in the cluster, so set spec.service.name to one that "
                "is free, or delete the TrafficRoute when nothing needs it any more"
            )


def _destinations(found: Object | None) -> Iterator[str]:
    for entry in objects.items(objects.spec_of(found).get("destinations")):
        yield _service(entry.get("match"))
