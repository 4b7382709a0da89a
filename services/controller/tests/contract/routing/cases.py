"""Every provider with every strategy that it has, and the splits that the engine asks for."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Selector, Traits
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.routing import router_for
from flagger_controller.routing.base import Capabilities, Router, RouterSettings

from . import referenced

MESH_HTTP_ROUTE = "kuma, MeshHTTPRoute"
LABELLED = (
    *("traefik", "gatewayapi:v1", "gatewayapi:v1beta1", "istio", "contour", "gloo", "kuma"),
    MESH_HTTP_ROUTE,
)
"""Providers whose route has the apex metadata."""
UNOWNED = ("kuma",)
"""Providers whose route no Canary can own, because it is cluster-scoped."""
VARIANTS: Mapping[str, Mapping[str, str]] = {
    MESH_HTTP_ROUTE: {"flagger.app/kuma-route": "MeshHTTPRoute"},
}
"""Providers that become another one by annotations of the Canary."""
REFUSED: Mapping[str, tuple[str, ...]] = {MESH_HTTP_ROUTE: ("timeout", "corsPolicy")}
"""What of `spec.service` a provider does not take."""
COPYING = tuple(referenced.COPIED)
"""Providers whose route is made from an object of the user, and named after it."""
GENERATING = (*LABELLED, *COPYING, "smi:v1alpha1", "smi:v1alpha2", "appmesh", "appmesh:v1beta2")
"""Providers whose routes are objects that we make."""
PROVIDERS = (*GENERATING, "knative")
TRAITS = Traits(Selector("app", "cart"))
FIRST, LAST = Route(), Route(primary=0, canary=100)
MIRRORED = Route(mirrored=True)
WEIGHTS = tuple(Route(primary=100 - weight, canary=weight) for weight in range(101))
SERVICE: Mapping[str, Any] = {
    "port": 80,
    "appProtocol": "http",
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
TARGETS = {"knative": {"apiVersion": "serving.knative.dev/v1", "kind": "Service"}}
ONE_COOKIE = ("nginx", "traefik")
"""Providers that keep visitors of both versions with one cookie."""
COOKIES = {"cookieName": "ck", "primaryCookieName": "pk"}

STRATEGIES: Mapping[str, tuple[Mapping[str, Any], Callable[[Capabilities], bool]]] = {
    "weighted": ({"stepWeight": 10}, lambda can: can.weights),
    "blue-green": ({"iterations": 5}, lambda can: can.weights),
    "ab-testing": ({"iterations": 5, "match": MATCH}, lambda can: can.match),
    "matched-weights": (
        {"stepWeight": 10, "match": MATCH},
        lambda can: can.match and can.match_weights,
    ),
    "mirror": ({"stepWeight": 10, "mirror": True, "mirrorWeight": 20}, lambda can: can.mirror),
    "mirror-matched": ({"stepWeight": 10, "mirror": True, "match": MATCH}, lambda can: can.mirror),
    "mirror-iterations": ({"iterations": 5, "mirror": True}, lambda can: can.mirror),
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


ANNOTATED: Mapping[str, tuple[str, Sequence[str]]] = {
    "nginx": (f"{referenced.NGINX}/canary-weight", ("", "half", "-50", "101")),
    "skipper": (
        "zalando.org/backend-weights",
        (
            '{"cart-primary":50,"cart-canary":49}',
            '{"cart-primary":50}',
            '{"cart-primary":50,"cart-canary":"50"}',
            "[]",
            "{",
        ),
    ),
}
"""Providers with the weights in an annotation, and values of it that say no split."""


def router_of(provider: str, *, own: bool = True) -> Router:
    return router_for(provider.partition(",")[0], RouterSettings(own_references=own))


def capabilities_of(provider: str) -> Capabilities:
    """What a provider can do for Canaries with the annotations that it has here."""
    return router_of(provider).capabilities.of(VARIANTS.get(provider, {}))


def carrier(router: Router, canary: Canary) -> Ref:
    """The object that carries the split: the last one, but for App Mesh."""
    return router.refs(canary)[{"appmesh": 3, "appmesh:v1beta2": 2}.get(canary.spec.provider, -1)]


def canary_for(provider: str, analysis: Mapping[str, Any], **service: Any) -> Canary:
    metadata = {"name": "cart", "namespace": "shop", "uid": "6f1c2a9e"}
    given = {**SERVICE, **service}
    return Canary.from_api(
        {
            "metadata": metadata | {"annotations": VARIANTS.get(provider, {})},
            "spec": {
                "provider": provider.partition(",")[0],
                "targetRef": {**TARGETS.get(provider, DEPLOYMENT), "name": "cart"},
                "service": {key: given[key] for key in given.keys() - REFUSED.get(provider, ())},
                **referenced.REFERENCES.get(provider, {}),
                "analysis": {"interval": "1m", **analysis},
            },
        }
    )


def existing(canary: Canary) -> dict[Ref, Object]:
    """What is there before we write: nothing, or what the router reads."""
    return referenced.by(canary)


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


def own_refs(router: Router, canary: Canary) -> tuple[Ref, ...]:
    """What the router writes, as opposed to what it only reads."""
    return tuple(ref for ref in router.refs(canary) if ref not in referenced.read_only(canary))


def routes_of(provider: str, analysis: Mapping[str, Any]) -> tuple[Route, ...]:
    """Every split that the engine can ask for with this analysis."""
    if "match" in analysis and not capabilities_of(provider).match_weights:
        return FIRST, LAST
    return (*WEIGHTS, MIRRORED) if analysis.get("mirror") else WEIGHTS


def few_of(provider: str, analysis: Mapping[str, Any], *canary: int) -> tuple[Route, ...]:
    """Those splits of the engine that have these weights of the canary, in this order."""
    possible = {route.canary: route for route in routes_of(provider, analysis) if route != MIRRORED}
    return tuple(possible[weight] for weight in canary if weight in possible)


def strategies(provider: str) -> dict[str, Mapping[str, Any]]:
    """Every strategy that a provider has."""
    capabilities = capabilities_of(provider)
    lone = {"sessionAffinity": {"cookieName": "ck"}} if provider in ONE_COOKIE else {}
    return {
        name: {key: lone.get(key, value) for key, value in analysis.items()}
        for name, (analysis, can) in STRATEGIES.items()
        if can(capabilities)
    }


def pairs() -> Iterator[Any]:
    for provider in PROVIDERS:
        for name, analysis in strategies(provider).items():
            yield pytest.param(provider, analysis, id=f"{provider}-{name}")


each = pytest.mark.parametrize(("provider", "analysis"), tuple(pairs()))


def entries(body: Object) -> list[Object]:
    """The rules, routes or entries of an object, and the backends within them.

    Not those of Kubernetes' own kinds: the API server drops members that it does not know.
    """
    if body.get("kind") == "Ingress":
        return []
    spec = body["spec"]
    rules = [rule for name in ("rules", "http", "tcp", "routes") for rule in spec.get(name, ())]
    rules += [rule for entry in spec.get("to", ()) for rule in entry["rules"]]
    destinations = [entry for route in spec.get("routes", ()) for entry in _destinations(route)]
    backends = [
        backend
        for rule in rules
        for name in ("backendRefs", "route", "services", "backends")
        for backend in rule.get("default", rule).get(name, ())
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


def unreadable(provider: str, body: Object) -> Iterator[Object]:
    """Objects with weights that say no split; `body` has 50/50."""
    if provider in ANNOTATED:
        key, values = ANNOTATED[provider]
        for value in values:
            annotations = {**body["metadata"]["annotations"], key: value}
            yield body | {"metadata": body["metadata"] | {"annotations": annotations}}
        return
    for wrong in (0, 49, 100):
        result = copy.deepcopy(body)
        entry = entries(result)[-1]
        entry["percent" if "percent" in entry else "weight"] = wrong
        yield result
