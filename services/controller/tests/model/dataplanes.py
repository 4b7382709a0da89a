"""How each data plane reads its objects: rules, the one without further conditions last.

A backend is followed to the pods that it stands for. What refers to an object that is not there
leads nowhere, whatever a router thinks of it.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref, Resource

Split = Mapping[str, int]
"""Weight by Service, of the requests that one rule is about."""
NGINX = "nginx.ingress.kubernetes.io/"


class Sight:
    """The objects of a canary at some moment."""

    def __init__(self, objects: Mapping[Ref, Object], canary: Canary) -> None:
        self._objects = objects
        self.canary = canary

    def object(self, resource: Resource, name: str) -> Object:
        """An object; {} when it is not there."""
        namespace = self.canary.namespace if resource.namespaced else ""
        return self._objects.get(Ref(resource, name, namespace), {})

    def spec(self, resource: Resource, name: str) -> Object:
        """What an object asks for; {} when it is not there."""
        return dict(self.object(resource, name).get("spec") or {})

    def annotations(self, resource: Resource, name: str) -> Mapping[str, str]:
        """The annotations of an object; {} when it is not there."""
        return self.object(resource, name).get("metadata", {}).get("annotations") or {}

    def service(self, name: str) -> str:
        """The generated Service that has the pods of a Service."""
        found = self.spec(resources.SERVICES, name)
        if not found:
            return f"no Service {name}"
        if self.canary.spec.target_ref.kind == "Service":
            return name
        primary = any(value.endswith("-primary") for value in found["selector"].values())
        return self.canary.primary_service if primary else self.canary.canary_service

    def split(self, weights: Iterable[tuple[str, int]]) -> Split:
        """The weights by the Service whose pods they get to."""
        found: dict[str, int] = {}
        for name, weight in weights:
            found[name] = found.get(name, 0) + weight
        return found


def _kubernetes(sight: Sight) -> list[Split]:
    """The Service that clients use selects the pods of one version."""
    apex = sight.canary.apex_service
    if not sight.spec(resources.SERVICES, apex) or sight.canary.spec.target_ref.kind == "Service":
        return []
    return [{sight.service(apex): 100}]


def _knative(sight: Sight) -> list[Split]:
    """The latest revision is the canary's, also when it is the primary by now."""
    canary = sight.canary
    traffic = sight.spec(resources.KNATIVE_SERVICES, canary.target).get("traffic")
    if not traffic:
        return []
    split = {canary.canary_service: 0, canary.primary_service: 0}
    for entry in traffic:
        latest = entry.get("latestRevision", False)
        split[canary.canary_service if latest else canary.primary_service] += entry["percent"]
    return [split]


def _traefik(sight: Sight) -> list[Split]:
    """Rules of a generated IngressRoute win over those of the user, which lead to the apex."""
    canary = sight.canary
    rules: list[Split] = []
    if canary.spec.route_ref:
        name = f"{canary.spec.route_ref.name}-{canary.apex_service}-canary"
        for rule in sight.spec(resources.INGRESS_ROUTES, name).get("routes", []):
            rules += [_traefik_service(sight, entry["name"]) for entry in rule["services"]]
    if sight.spec(resources.TRAEFIK_SERVICES, canary.apex_service):
        rules.append(_traefik_service(sight, canary.apex_service))
    return rules


def _traefik_service(sight: Sight, name: str) -> Split:
    spec = sight.spec(resources.TRAEFIK_SERVICES, name)
    if "mirroring" in spec:
        return {sight.service(spec["mirroring"]["name"]): 100}
    if "weighted" not in spec:
        return {f"no TraefikService {name}": 100}
    weights: list[tuple[str, int]] = []
    for entry in spec["weighted"]["services"]:
        weight = entry.get("weight", 1)
        if entry.get("kind") == "TraefikService":
            (behind,) = _traefik_service(sight, entry["name"])
            weights.append((behind, weight))
        else:
            weights.append((sight.service(entry["name"]), weight))
    return sight.split(weights)


def _gateway(resource: Resource) -> Callable[[Sight], list[Split]]:
    """A generated HTTPRoute, or a route of the user's with rules for others in it as well."""

    def read(sight: Sight) -> list[Split]:
        canary, own = sight.canary, sight.canary.spec.route_ref
        kind = resources.GRPC_ROUTES if own and own.kind == "GRPCRoute" else resource
        spec = sight.spec(kind, own.name if own else canary.apex_service)
        ours = {canary.apex_service, canary.primary_service, canary.canary_service}
        rules = [rule["backendRefs"] for rule in spec.get("rules", [])]
        return [
            sight.split((sight.service(entry["name"]), entry.get("weight", 1)) for entry in rule)
            if len(rule) > 1
            else {sight.service(rule[0]["name"]): 100}
            for rule in rules
            if ours & {entry["name"] for entry in rule}
        ]

    return read


def _istio(sight: Sight) -> list[Split]:
    """A destination of its own gets everything; among others one without a weight gets nothing."""
    spec = sight.spec(resources.VIRTUAL_SERVICES, sight.canary.apex_service)
    rules = [rule["route"] for rule in spec.get("http") or spec.get("tcp") or []]
    return [
        sight.split(
            (
                sight.service(entry["destination"]["host"]),
                entry.get("weight", 100 if len(rule) == 1 else 0),
            )
            for entry in rule
        )
        for rule in rules
    ]


def _contour(sight: Sight) -> list[Split]:
    """The most special route wins; without a weight a service gets nothing beside one with one."""
    routes = sight.spec(resources.HTTP_PROXIES, sight.canary.apex_service).get("routes", [])
    return [
        sight.split(
            (sight.service(entry["name"]), entry.get("weight", 0))
            for entry in route["services"]
            if not entry.get("mirror")
        )
        for route in sorted(routes, key=lambda route: -len(json.dumps(route["conditions"])))
    ]


def _nginx(sight: Sight) -> list[Split]:
    """The copy takes over what its annotations say, the original has the rest."""
    canary = sight.canary
    assert canary.spec.ingress_ref
    told = sight.annotations(resources.INGRESSES, f"{canary.spec.ingress_ref.name}-canary")
    ours, apex = sight.service(canary.canary_service), sight.service(canary.apex_service)
    weight = int(told.get(f"{NGINX}canary-weight", 0))
    by_header = [{ours: 100}] if f"{NGINX}canary-by-header" in told else []
    return [*by_header, sight.split([(apex, 100 - weight), (ours, weight)])]


def _skipper(sight: Sight) -> list[Split]:
    """The copy wins over the original where its predicates hold."""
    canary = sight.canary
    assert canary.spec.ingress_ref
    told = sight.annotations(resources.INGRESSES, f"{canary.spec.ingress_ref.name}-canary")
    original = {sight.service(canary.apex_service): 100}
    predicates = told.get("zalando.org/skipper-predicate", "False()")
    if "False()" in predicates:
        return [original]
    weights: dict[str, int] = json.loads(told["zalando.org/backend-weights"])
    split = sight.split((sight.service(name), weight) for name, weight in weights.items())
    return [split, original] if "Header" in predicates else [split]


def _apisix(sight: Sight) -> list[Split]:
    """The copy has the priority over the original."""
    canary = sight.canary
    assert canary.spec.route_ref
    name = f"{canary.spec.route_ref.name}-{canary.apex_service}-canary"
    rules = sight.spec(resources.APISIX_ROUTES, name).get("http", [])
    found = [
        sight.split(
            (sight.service(entry["serviceName"]), entry["weight"]) for entry in rule["backends"]
        )
        for rule in rules
    ]
    everybody = any(not rule["match"].get("exprs") for rule in rules)
    return found if everybody else [*found, {sight.service(canary.apex_service): 100}]


def _gloo(sight: Sight) -> list[Split]:
    """An absent weight is none; a route names Upstreams, and they the Services."""

    def behind(entry: Object) -> str:
        name = entry["destination"]["upstream"]["name"]
        spec = sight.spec(resources.UPSTREAMS, name)
        return sight.service(spec["kube"]["serviceName"]) if spec else f"no Upstream {name}"

    routes = sight.spec(resources.ROUTE_TABLES, sight.canary.apex_service).get("routes", [])
    return [
        sight.split(
            (behind(entry), entry.get("weight", 0))
            for entry in route["routeAction"]["multi"]["destinations"]
        )
        for route in routes
    ]


def _kuma(sight: Sight) -> list[Split]:
    """A MeshHTTPRoute wins; the tag of a service in a TrafficRoute begins with its name."""
    route = sight.spec(resources.MESH_HTTP_ROUTES, sight.canary.apex_service)
    rules = [
        rule["default"]["backendRefs"] for entry in route.get("to", []) for rule in entry["rules"]
    ]
    if rules:
        return [
            sight.split((sight.service(entry["name"]), entry["weight"]) for entry in rule)
            for rule in rules
        ]
    conf = sight.spec(resources.TRAFFIC_ROUTES, sight.canary.apex_service).get("conf")
    if not conf:
        return []
    tags = [(entry["destination"]["kuma.io/service"], entry["weight"]) for entry in conf["split"]]
    return [sight.split((sight.service(tag.partition("_")[0]), weight) for tag, weight in tags)]


def _smi(resource: Resource) -> Callable[[Sight], list[Split]]:
    """Weights are numbers, or text that is one."""

    def read(sight: Sight) -> list[Split]:
        found = sight.spec(resource, sight.canary.apex_service).get("backends")
        if not found:
            return []
        return [
            sight.split((sight.service(entry["service"]), int(entry["weight"])) for entry in found)
        ]

    return read


def _appmesh_v1beta1(sight: Sight) -> list[Split]:
    """A VirtualService has routes to VirtualNodes, which are found by DNS."""
    canary = sight.canary
    name = f"{canary.apex_service}.{canary.namespace}"
    routes = sight.spec(resources.APPMESH_SERVICES_1, name).get("routes", [])
    return [
        sight.split(
            (_node(sight, resources.APPMESH_NODES_1, entry["virtualNodeName"]), entry["weight"])
            for entry in route["http"]["action"]["weightedTargets"]
        )
        for route in _by_priority(routes)
    ]


def _appmesh_v1beta2(sight: Sight) -> list[Split]:
    """A VirtualService names a VirtualRouter, whose routes name VirtualNodes."""
    service = sight.spec(resources.APPMESH_SERVICES_2, sight.canary.apex_service)
    if not service:
        return []
    name = service["provider"]["virtualRouter"]["virtualRouterRef"]["name"]
    router = sight.spec(resources.APPMESH_ROUTERS_2, name)
    if not router:
        return [{f"no VirtualRouter {name}": 100}]
    return [
        sight.split(
            (
                _node(sight, resources.APPMESH_NODES_2, entry["virtualNodeRef"]["name"]),
                entry["weight"],
            )
            for entry in route["httpRoute"]["action"]["weightedTargets"]
        )
        for route in _by_priority(router["routes"])
    ]


def _by_priority(routes: list[Object]) -> list[Object]:
    return sorted(routes, key=lambda route: route.get("priority") or 0)


def _node(sight: Sight, resource: Resource, name: str) -> str:
    dns: Mapping[str, Any] = sight.spec(resource, name).get("serviceDiscovery", {}).get("dns", {})
    if not dns:
        return f"no VirtualNode {name}"
    host: str = dns.get("hostName") or dns["hostname"]
    return sight.service(host.partition(".")[0])


DATA_PLANES: Mapping[str, Callable[[Sight], list[Split]]] = {
    "apisix": _apisix,
    "appmesh": _appmesh_v1beta1,
    "appmesh:v1beta2": _appmesh_v1beta2,
    "contour": _contour,
    "gatewayapi": _gateway(resources.HTTP_ROUTES),
    "gatewayapi:v1": _gateway(resources.HTTP_ROUTES),
    "gatewayapi:v1beta1": _gateway(resources.HTTP_ROUTES_BETA),
    "gloo": _gloo,
    "istio": _istio,
    "knative": _knative,
    "kubernetes": _kubernetes,
    "kuma": _kuma,
    "linkerd": _smi(resources.TRAFFIC_SPLITS_1),
    "nginx": _nginx,
    "osm": _smi(resources.TRAFFIC_SPLITS_2),
    "skipper": _skipper,
    "smi:v1alpha1": _smi(resources.TRAFFIC_SPLITS_1),
    "smi:v1alpha2": _smi(resources.TRAFFIC_SPLITS_2),
    "smi:v1alpha3": _smi(resources.TRAFFIC_SPLITS_3),
    "traefik": _traefik,
}
"""By provider."""
