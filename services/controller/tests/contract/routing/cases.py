"""Every provider with every strategy that it has, and the splits that the engine asks for."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from flagger_controller.api import knative
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Selector, Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.routing import kubernetes, router_for
from flagger_controller.routing.base import Capabilities, Router, RouterSettings

LABELLED = (
    *("traefik", "gatewayapi:v1", "gatewayapi:v1beta1", "istio", "contour", "gloo", "kuma"),
)
"""Providers whose route has the apex metadata."""
UNOWNED = ("kuma",)
"""Providers whose route no Canary can own, because it is cluster-scoped."""
GENERATING = (*LABELLED, "smi:v1alpha1", "smi:v1alpha2", "appmesh", "appmesh:v1beta2")
"""Providers whose routes are objects that we make."""
PROVIDERS = (*GENERATING, "knative")
TRAITS = Traits(Selector("app", "cart"))
FIRST, LAST = Route(), Route(primary=0, canary=100)
MIRRORED = Route(mirrored=True)
WEIGHTS = tuple(Route(primary=100 - weight, canary=weight) for weight in range(101))
SERVICE: Mapping[str, Any] = {
    "port": 80,
    "gatewayRefs": [{"name": "edge"}],
    "meshName": "prod",
    "hosts": ["shop.example.org"],
    "match": [{"uri": {"prefix": "/cart"}}],
    "timeout": "5s",
    "headers": {"response": {"add": {"x-shop": "cart"}}},
    "apex": {"labels": {"team": "shop"}},
}
MATCH = [{"headers": {"x-beta": {"exact": "1"}}}]
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment"}
ROUTE_REFS = {
    "traefik": {"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "name": "shop"}
}
TARGETS = {"knative": {"apiVersion": "serving.knative.dev/v1", "kind": "Service"}}
COOKIES = {"cookieName": "ck", "primaryCookieName": "pk"}

STRATEGIES: Mapping[str, tuple[Mapping[str, Any], Callable[[Capabilities], bool]]] = {
    "weighted": ({"stepWeight": 10}, lambda can: can.weights),
    "blue-green": ({"iterations": 5}, lambda can: can.weights),
    "ab-testing": ({"iterations": 5, "match": MATCH}, lambda can: can.match),
    "matched-weights": ({"stepWeight": 10, "match": MATCH}, lambda can: can.match),
    "mirror": ({"stepWeight": 10, "mirror": True, "mirrorWeight": 20}, lambda can: can.mirror),
    "mirror-matched": ({"stepWeight": 10, "mirror": True, "match": MATCH}, lambda can: can.mirror),
    "mirror-iterations": ({"iterations": 5, "mirror": True}, lambda can: can.mirror_iterations),
    "affinity": (
        {"stepWeight": 10, "sessionAffinity": COOKIES},
        lambda can: can.session_affinity,
    ),
    "affinity-mirror": (
        {"stepWeight": 10, "sessionAffinity": COOKIES, "mirror": True},
        lambda can: can.session_affinity and can.mirror,
    ),
    "affinity-blue-green": (
        {"iterations": 5, "sessionAffinity": COOKIES},
        lambda can: can.session_affinity,
    ),
}


def router_of(provider: str, *, own: bool = True) -> Router:
    return router_for(provider, RouterSettings(own_references=own))


def carrier(router: Router, canary: Canary) -> Ref:
    """The object that carries the split: the last one, but for App Mesh."""
    return router.refs(canary)[{"appmesh": 3, "appmesh:v1beta2": 2}.get(canary.spec.provider, -1)]


def canary_for(provider: str, analysis: Mapping[str, Any], **service: Any) -> Canary:
    return Canary.from_api(
        {
            "metadata": {"name": "cart", "namespace": "shop", "uid": "6f1c2a9e"},
            "spec": {
                "provider": provider,
                "routeRef": ROUTE_REFS.get(provider),
                "targetRef": {**TARGETS.get(provider, DEPLOYMENT), "name": "cart"},
                "service": {**SERVICE, **service},
                "analysis": {"interval": "1m", **analysis},
            },
        }
    )


def existing(canary: Canary) -> dict[Ref, Object]:
    """What is there before we write: nothing, or what the router reads."""
    if canary.spec.provider == "gloo":
        return {ref: _backend(ref) for ref in kubernetes.service_refs(canary)[:2]}
    if canary.on_knative:
        return knative_service(canary)
    if canary.spec.route_ref:
        return ingress_route(canary, canary.spec.route_ref.name)
    return {}


def _backend(ref: Ref) -> Object:
    spec = {"selector": {"run": ref.name}}
    return {"kind": "Service", "metadata": {"name": ref.name}, "spec": spec}


def ingress_route(canary: Canary, name: str) -> dict[Ref, Object]:
    service = {"kind": "TraefikService", "name": canary.apex_service}
    rule = {"kind": "Rule", "match": "Host(`shop.example.org`)", "services": [service]}
    body = {
        "kind": "IngressRoute",
        "metadata": {"name": name, "namespace": canary.namespace},
        "spec": {"entryPoints": ["web"], "routes": [rule]},
    }
    return {Ref(resources.INGRESS_ROUTES, name, canary.namespace): body}


def knative_service(canary: Canary) -> dict[Ref, Object]:
    """The target, with a primary."""
    name = f"{canary.target}-00001"
    conditions = [{"type": "Ready", "status": "True"}]
    metadata = {"name": canary.target, "annotations": {knative.PRIMARY_REVISION: name}}
    service = {"kind": "Service", "metadata": metadata, "spec": {"template": {}}}
    status = {"conditions": conditions, "observedGeneration": 3}
    revision = {"metadata": {"name": name}, "spec": {}, "status": status}
    return {
        Ref(resources.KNATIVE_SERVICES, canary.target, canary.namespace): service,
        Ref(resources.KNATIVE_REVISIONS, name, canary.namespace): revision,
    }


def read_only(canary: Canary) -> set[Ref]:
    """What a router reads and leaves alone; the leftovers of an A/B test are repaired only."""
    if canary.spec.provider == "gloo":
        return {*existing(canary)}
    if not canary.spec.route_ref:
        return set()
    user, namespace = canary.spec.route_ref.name, canary.namespace
    refs = {Ref(resources.INGRESS_ROUTES, user, namespace)}
    if not canary.analysis.match:
        test = f"{user}-{canary.apex_service}-canary"
        refs.add(Ref(resources.INGRESS_ROUTES, test, namespace))
        refs.add(Ref(resources.TRAEFIK_SERVICES, canary.canary_service, namespace))
    return refs


def written(
    router: Router, canary: Canary, route: Route, live: Mapping[Ref, Object]
) -> dict[Ref, Object]:
    """Everything that is there after the router's objects were written."""
    return {**live, **router.desired(at(canary, route), TRAITS, route, live)}


def at(canary: Canary, route: Route) -> Canary:
    """The Canary with the cookies that the engine has in its status at this split."""
    running = {"session_affinity_cookie": "ck=abc", "primary_session_affinity_cookie": "pk=def"}
    over = {"previous_session_affinity_cookie": "ck=abc"}
    status = canary.status.model_copy(update=running if route.canary else over)
    return canary.model_copy(update={"status": status})


def routes_of(analysis: Mapping[str, Any]) -> tuple[Route, ...]:
    """Every split that the engine can ask for with this analysis."""
    return (*WEIGHTS, MIRRORED) if analysis.get("mirror") else WEIGHTS


def pairs() -> Iterator[Any]:
    for provider in PROVIDERS:
        for name, (analysis, possible) in STRATEGIES.items():
            if possible(router_of(provider).capabilities):
                yield pytest.param(provider, analysis, id=f"{provider}-{name}")


each = pytest.mark.parametrize(("provider", "analysis"), tuple(pairs()))


def entries(body: Object) -> list[Object]:
    """The rules, routes or entries of an object, and the backends within them."""
    spec = body["spec"]
    rules = [rule for name in ("rules", "http", "tcp", "routes") for rule in spec.get(name, ())]
    destinations = [entry for route in spec.get("routes", ()) for entry in _destinations(route)]
    backends = [
        backend
        for rule in rules
        for name in ("backendRefs", "route", "services")
        for backend in rule.get(name, ())
    ]
    mirroring = [spec["mirroring"], *spec["mirroring"]["mirrors"]] if "mirroring" in spec else ()
    weighted = spec.get("weighted", {}).get("services", ())
    split = spec.get("conf", {}).get("split", ())
    others = [*split, *spec.get("backends", ()), *spec.get("traffic", ())]
    return [*rules, *backends, *mirroring, *weighted, *destinations, *others]


def _destinations(route: Object) -> list[Object]:
    """The backends of a route of Gloo, or of App Mesh in its two versions."""
    if action := route.get("routeAction"):
        return list(action["multi"]["destinations"])
    http = route.get("http") or route.get("httpRoute") or {"action": {"weightedTargets": ()}}
    return list(http["action"]["weightedTargets"])
