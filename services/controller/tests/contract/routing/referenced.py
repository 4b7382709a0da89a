"""What is there before a router writes: what it reads, copies or changes."""

from collections.abc import Callable, Mapping
from typing import Any

from flagger_controller.api import knative
from flagger_controller.api.canary import Canary
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.routing import kubernetes

NGINX = "nginx.ingress.kubernetes.io"
SESSIONS = {
    f"{NGINX}/affinity": "cookie",
    f"{NGINX}/session-cookie-name": "ck",
    f"{NGINX}/session-cookie-max-age": "86400",
}
"""What an Ingress needs for session affinity with the cookie `ck`."""


def ingress(canary: Canary) -> tuple[Ref, Object]:
    """An Ingress with a rule for the apex and one for something else."""
    ref = Ref(resources.INGRESSES, "edge", canary.namespace)
    kept = canary.analysis.session_affinity is not None
    body = {
        "apiVersion": ref.resource.api_version,
        "kind": ref.resource.kind,
        "metadata": {
            "name": ref.name,
            "namespace": ref.namespace,
            "labels": {"team": "shop"},
            "annotations": {f"{NGINX}/proxy-body-size": "8m", **(SESSIONS if kept else {})},
        },
        "spec": {
            "ingressClassName": "public",
            "rules": [
                {
                    "host": "shop.example.org",
                    "http": {
                        "paths": [
                            _path("/", canary.apex_service, {"number": 80}),
                            _path("/help", "help", {"name": "http"}),
                        ]
                    },
                },
                {"host": "old.example.org"},
            ],
            "tls": [{"hosts": ["shop.example.org"], "secretName": "shop-tls"}],
        },
    }
    return ref, body


def _path(path: str, service: str, port: Mapping[str, Any]) -> Object:
    backend = {"service": {"name": service, "port": port}}
    return {"path": path, "pathType": "Prefix", "backend": backend}


def apisix_route(canary: Canary) -> tuple[Ref, Object]:
    """An ApisixRoute with two rules for the apex and one for something else."""
    ref = Ref(resources.APISIX_ROUTES, "edge", canary.namespace)
    services = {"shop": canary.apex_service, "help": "help", "old-shop": canary.apex_service}
    body = {
        "apiVersion": ref.resource.api_version,
        "kind": ref.resource.kind,
        "metadata": {
            "name": ref.name,
            "namespace": ref.namespace,
            "labels": {"team": "shop"},
            "annotations": {"example.com/owner": "shop"},
        },
        "spec": {
            "ingressClassName": "apisix",
            "http": [
                {
                    "name": name,
                    "match": {"hosts": ["shop.example.org"], "paths": [f"/{name}/*"]},
                    "backends": [{"serviceName": service, "servicePort": 80}],
                    "plugins": [{"name": "cors"}],
                }
                for name, service in services.items()
            ],
        },
    }
    return ref, body


def ingress_route(canary: Canary) -> tuple[Ref, Object]:
    """An IngressRoute with a rule for the apex."""
    ref = Ref(resources.INGRESS_ROUTES, "edge", canary.namespace)
    service = {"kind": "TraefikService", "name": canary.apex_service}
    rule = {"kind": "Rule", "match": "Host(`shop.example.org`)", "services": [service]}
    body = {
        "kind": ref.resource.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace},
        "spec": {"entryPoints": ["web"], "routes": [rule]},
    }
    return ref, body


def backends(canary: Canary) -> dict[Ref, Object]:
    """The generated Services of canary and primary."""
    return {
        ref: {
            "kind": "Service",
            "metadata": {"name": ref.name},
            "spec": {"selector": {"run": ref.name}},
        }
        for ref in kubernetes.service_refs(canary)[:2]
    }


def knative_service(canary: Canary) -> dict[Ref, Object]:
    """The target, with a primary."""
    name = f"{canary.target}-00001"
    conditions = [{"type": "Ready", "status": "True"}]
    metadata = {"name": canary.target, "annotations": {knative.PRIMARY_REVISION: name}}
    service = {"kind": "Service", "metadata": metadata, "spec": {"template": {}}}
    status = {"conditions": conditions, "observedGeneration": 3}
    revision = {
        "kind": "Revision",
        "metadata": {"name": name},
        "spec": {},
        "status": status,
    }
    return {
        Ref(resources.KNATIVE_SERVICES, canary.target, canary.namespace): service,
        Ref(resources.KNATIVE_REVISIONS, name, canary.namespace): revision,
    }


COPIED: Mapping[str, Callable[[Canary], tuple[Ref, Object]]] = {
    "nginx": ingress,
    "skipper": ingress,
    "apisix": apisix_route,
}
"""Provider to the object of the user that its route is a copy of."""
OTHERS: Mapping[str, Callable[[Canary], dict[Ref, Object]]] = {
    "gloo": backends,
    "knative": knative_service,
    "traefik": lambda canary: dict([ingress_route(canary)]),
}
_INGRESS = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "edge"}
_APISIX_ROUTE = {"apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute", "name": "edge"}
_INGRESS_ROUTE = {"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "name": "edge"}
REFERENCES: Mapping[str, Mapping[str, Any]] = {
    "nginx": {"ingressRef": _INGRESS},
    "skipper": {"ingressRef": _INGRESS},
    "apisix": {"routeRef": _APISIX_ROUTE},
    "traefik": {"routeRef": _INGRESS_ROUTE},
}
"""The members of a Canary that name them."""


def by(canary: Canary) -> dict[Ref, Object]:
    """What there is for the router of this Canary."""
    provider = canary.spec.provider
    if make := COPIED.get(provider):
        return dict([make(canary)])
    return OTHERS[provider](canary) if provider in OTHERS else {}


def read_only(canary: Canary) -> set[Ref]:
    """What the router reads and leaves alone; the leftovers of an A/B test are repaired only."""
    if canary.on_knative:
        return set()
    refs = {*by(canary)}
    if canary.spec.provider == "traefik":
        analysis, apex, namespace = canary.analysis, canary.apex_service, canary.namespace
        if not analysis.match:
            refs.add(Ref(resources.TRAEFIK_SERVICES, canary.canary_service, namespace))
        if analysis.match or not analysis.session_affinity:
            refs.add(Ref(resources.TRAEFIK_SERVICES, f"{apex}-affinity", namespace))
        if not (analysis.match or analysis.session_affinity):
            refs.add(Ref(resources.INGRESS_ROUTES, f"edge-{apex}-canary", namespace))
    return refs
