"""Objects of the user that some routers read, copy and never write."""

from collections.abc import Callable, Mapping
from typing import Any

from flagger_controller.api.canary import Canary
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref

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


BY_PROVIDER: Mapping[str, Callable[[Canary], tuple[Ref, Object]]] = {
    "nginx": ingress,
    "skipper": ingress,
    "apisix": apisix_route,
}
"""Provider to the object that its Canary refers to."""
_INGRESS = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "edge"}
_APISIX_ROUTE = {"apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute", "name": "edge"}
REFERENCES: Mapping[str, Mapping[str, Any]] = {
    "nginx": {"ingressRef": _INGRESS},
    "skipper": {"ingressRef": _INGRESS},
    "apisix": {"routeRef": _APISIX_ROUTE},
}
"""The members of a Canary that name them."""


def by(canary: Canary) -> dict[Ref, Object]:
    """What the router of this Canary only reads."""
    make = BY_PROVIDER.get(canary.spec.provider)
    return dict([make(canary)]) if make else {}
