"""The providers, each with what users have in the cluster before there is a Canary."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref, Resource

from .targets import NAME, NAMESPACE

PORTS = [{"name": "http", "port": 80, "targetPort": 9898, "protocol": "TCP", "appProtocol": "http"}]
HOST = "shop.example.org"
EDGE: Final = "edge"
NGINX = "nginx.ingress.kubernetes.io/"
SESSIONS = {
    f"{NGINX}affinity": "cookie",
    f"{NGINX}session-cookie-name": "ck",
    f"{NGINX}session-cookie-max-age": "86400",
}
"""What ingress-nginx needs to know of the cookies."""


@dataclass(frozen=True)
class World:
    """A provider and its users."""

    provider: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    """What a Canary says here beside target, service and analysis."""
    own: Mapping[Ref, Object] = field(default_factory=dict)
    kind: str = "Deployment"
    without: frozenset[str] = frozenset()
    """Strategies that the provider has, but not here."""
    cookies: Mapping[str, Any] = field(
        default_factory=lambda: {"cookieName": "ck", "primaryCookieName": "pk"}
    )
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Of the Canary."""


def _reference(ref: Ref) -> Object:
    return {"apiVersion": ref.resource.api_version, "kind": ref.resource.kind, "name": ref.name}


def _edge(resource: Resource) -> Ref:
    return Ref(resource, EDGE, NAMESPACE)


def _backend(name: str, path: str) -> Object:
    service = {"name": name, "port": {"number": 80}}
    return {"path": path, "pathType": "Prefix", "backend": {"service": service}}


SERVICE = Ref(resources.SERVICES, NAME, NAMESPACE)
SERVED: Mapping[Ref, Object] = {SERVICE: {"spec": {"selector": {"app": NAME}, "ports": PORTS}}}
"""The Service that clients use already."""
HTTP = {"paths": [_backend(NAME, "/"), _backend("help", "/help")]}
INGRESS = {
    "metadata": {"annotations": SESSIONS},
    "spec": {"ingressClassName": "public", "rules": [{"host": HOST, "http": HTTP}]},
}
APISIX_RULE = {
    "name": "shop",
    "match": {"hosts": [HOST], "paths": ["/*"]},
    "backends": [{"serviceName": NAME, "servicePort": 80}],
}
INGRESS_RULE = {
    "kind": "Rule",
    "match": f"Host(`{HOST}`)",
    "services": [{"kind": "TraefikService", "name": NAME}],
}
ROUTE = {
    "parentRefs": [{"name": EDGE}],
    "rules": [
        {
            "backendRefs": [
                {"group": "", "kind": "Service", "name": NAME, "port": 80, "weight": 1},
            ]
        }
    ],
}
VIRTUAL_SERVICE = {"hosts": [NAME], "http": [{"route": [{"destination": {"host": NAME}}]}]}
UPSTREAM = {"kube": {"serviceName": NAME}, "connectionConfig": {"connectTimeout": "5s"}}


def _referring(provider: str, field_: str, resource: Resource, body: Object, **more: Any) -> World:
    """A world in which the Canary names an object of its owner."""
    ref = _edge(resource)
    return World(provider, {field_: _reference(ref)}, {**SERVED, ref: body}, **more)


ONE_COOKIE = {"cookieName": "ck"}
WORLDS: Mapping[str, World] = {
    "apisix": _referring(
        "apisix", "routeRef", resources.APISIX_ROUTES, {"spec": {"http": [APISIX_RULE]}}
    ),
    "appmesh": World("appmesh"),
    "appmesh:v1beta2": World("appmesh:v1beta2"),
    "contour": World("contour"),
    "gatewayapi:v1": World("gatewayapi:v1"),
    "gatewayapi:v1, own HTTPRoute": _referring(
        "gatewayapi:v1", "routeRef", resources.HTTP_ROUTES, {"spec": ROUTE}
    ),
    "gatewayapi:v1, own GRPCRoute": _referring(
        "gatewayapi:v1",
        "routeRef",
        resources.GRPC_ROUTES,
        {"spec": ROUTE},
        without=frozenset({"affinity"}),
    ),
    "gatewayapi:v1beta1": World("gatewayapi:v1beta1", cookies=ONE_COOKIE),
    "gatewayapi:v1beta1, own HTTPRoute": _referring(
        "gatewayapi:v1beta1",
        "routeRef",
        resources.HTTP_ROUTES_BETA,
        {"spec": ROUTE},
        cookies=ONE_COOKIE,
    ),
    "gloo": World("gloo"),
    "gloo, own Upstream": _referring(
        "gloo", "upstreamRef", resources.UPSTREAMS, {"spec": UPSTREAM}
    ),
    "istio": World("istio"),
    "istio, own VirtualService": World(
        "istio",
        own={
            **SERVED,
            Ref(resources.VIRTUAL_SERVICES, NAME, NAMESPACE): {"spec": VIRTUAL_SERVICE},
        },
    ),
    "knative": World("knative", kind="Knative Service"),
    "kubernetes": World("kubernetes"),
    "kubernetes, own Service": World("kubernetes", own=SERVED),
    "kuma": World("kuma"),
    "kuma, MeshHTTPRoute": World(
        "kuma", annotations={"flagger.app/kuma-route": "MeshHTTPRoute", "kuma.io/mesh": "retail"}
    ),
    "nginx": _referring("nginx", "ingressRef", resources.INGRESSES, INGRESS, cookies=ONE_COOKIE),
    "skipper": _referring("skipper", "ingressRef", resources.INGRESSES, INGRESS),
    "smi:v1alpha1": World("smi:v1alpha1"),
    "smi:v1alpha2": World("smi:v1alpha2"),
    "smi:v1alpha3": World("smi:v1alpha3"),
    "traefik": _referring(
        "traefik",
        "routeRef",
        resources.INGRESS_ROUTES,
        {"spec": {"routes": [INGRESS_RULE]}},
        cookies=ONE_COOKIE,
    ),
}
"""Every implementation of `ROUTERS`; some with and without an object of the user's."""
