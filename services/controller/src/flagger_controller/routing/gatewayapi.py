"""Gateway API: one HTTPRoute or GRPCRoute with the apex name (routing.md 7.2, 7.3 and 9.6).

Both versions of the API are stored as the same object; v1beta1 keeps to what upstream writes for
it: no timeouts, no CORS, no primary cookie, no waiting for the gateway.
"""

from collections.abc import Mapping
from typing import Any

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref, Resource
from flagger_controller.errors import ConfigError
from flagger_controller.rollout.case import ACTIVE
from flagger_controller.routing import gateway_grpc, gateway_merge, gateway_rules, objects
from flagger_controller.routing.base import Capabilities, Objects, RouterSettings


def v1(settings: RouterSettings) -> "GatewayApi":
    """Provider `gatewayapi:v1`."""
    return GatewayApi(settings, resources.HTTP_ROUTES)


def v1beta1(settings: RouterSettings) -> "GatewayApi":
    """Provider `gatewayapi:v1beta1`."""
    return GatewayApi(settings, resources.HTTP_ROUTES_BETA)


class GatewayApi:
    """A route for gateways, or for a mesh whose parent is a Service; or a user's own route."""

    capabilities = Capabilities(
        match=True,
        mirror=True,
        mirror_weight=True,
        session_affinity=True,
    )

    def __init__(self, settings: RouterSettings, resource: Resource) -> None:
        self._settings = settings
        self._resource = resource
        self._complete = resource == resources.HTTP_ROUTES

    def refs(self, canary: Canary) -> tuple[Ref, ...]:
        """The route that `spec.routeRef` names, else the route with the apex name."""
        reference = canary.spec.route_ref
        name, grpc = canary.apex_service, gateway_grpc.asked(canary)
        if reference is not None and _merges(canary):
            name, grpc = reference.name, reference.kind == resources.GRPC_ROUTES.kind
        resource = resources.GRPC_ROUTES if grpc else self._resource
        return (Ref(resource, name, canary.namespace),)

    def referenced(self, canary: Canary) -> tuple[Ref, ...]:
        """The route of the user."""
        return self.refs(canary) if _merges(canary) else ()

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        """The route for this split.

        Raises:
            ConfigError: no gateway is named, or Gateway API cannot express what is asked for.
        """
        service = objects.service_of(canary)
        (ref,) = self.refs(canary)
        if _merges(canary):
            if ref not in live and canary.status.phase in ACTIVE and route == Route():
                return {}  # with the route its split is gone: a rollback has nothing to take back
            return {ref: gateway_merge.desired(canary, route, ref, live.get(ref))}
        if not service.gateway_refs:
            raise ConfigError("spec.service.gatewayRefs is empty: name the gateway of the route")
        found = objects.claimed(canary, ref, live)
        rules = self._rules(canary, route)
        spec = {
            "parentRefs": [_parent(parent) for parent in service.gateway_refs],
            "hostnames": list(service.hosts) or None,
            "rules": gateway_rules.on_live(canary, gateway_rules.rules_of(found), rules),
        }
        stamp = objects.apex_stamp(canary, traits, self._settings)
        return {ref: objects.converged(ref, found, stamp, spec)}

    def _rules(self, canary: Canary, route: Route) -> list[Object]:
        gateway_grpc.check_kind(canary)
        if gateway_grpc.asked(canary):
            return gateway_grpc.rules(canary, route)
        return gateway_rules.rules(canary, route, complete=self._complete)

    def read(self, canary: Canary, live: Objects) -> Route | None:
        """The split that the rules show."""
        found = live.get(self.refs(canary)[0])
        if _merges(canary):
            return gateway_merge.read(canary, found)
        return gateway_rules.read(canary, gateway_rules.rules_of(found))

    def settled(self, canary: Canary, live: Objects) -> str:
        """Has every gateway accepted the route as it is now (routing.md 7.2, get_routes)?

        A gateway that has no entry in the status is not waited for: some never write one.
        """
        (ref,) = self.refs(canary)
        found = live.get(ref)
        if not self._complete or found is None:
            return ""
        parents = [_parent(parent) for parent in objects.spec_of(found).get("parentRefs") or ()]
        for entry in objects.items((found.get("status") or {}).get("parents")):
            if _parent(entry.get("parentRef") or {}) in parents:
                for condition in objects.items(entry.get("conditions")):
                    if why := _refusal(condition, found["metadata"].get("generation") or 0):
                        return f"{ref} is not accepted by {entry['parentRef'].get('name')}: {why}"
        return ""

    def reverted(self, canary: Canary, live: Objects) -> Mapping[Ref, Object]:
        """The user's own route; a route that we created goes away with the Canary (section 8)."""
        (ref,) = self.refs(canary)
        if not _merges(canary) or ref not in live:
            return {}
        return {ref: gateway_merge.reverted(canary, live[ref])}


def _merges(canary: Canary) -> bool:
    """Does the Canary split a route of the user's? Routes of APISIX are no concern here."""
    reference = canary.spec.route_ref
    return reference is not None and reference.api_version.startswith(resources.HTTP_ROUTES.group)


def _parent(parent: Mapping[str, Any]) -> Object:
    """A parent reference as the API server stores it."""
    given = {name: value for name, value in parent.items() if value is not None}
    return {"group": resources.HTTP_ROUTES.group, "kind": "Gateway", **given}


def _refusal(condition: Mapping[str, Any], generation: int) -> str:
    """Why a condition does not say that this generation is accepted."""
    if condition.get("type") != "Accepted":
        return ""
    if condition.get("status") != "True":
        return str(condition.get("message") or condition.get("reason") or "no reason given")
    if int(condition.get("observedGeneration") or 0) < generation:
        return "it has not seen the latest change yet"
    return ""
