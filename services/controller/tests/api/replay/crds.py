"""The kinds of the routers' and scalers' vendors, without their schemas: everything is kept.

The vendors' own schemas are the business of the routing tests; here only what upstream wrote and
what we write is compared.
"""

from typing import Any

KINDS = (
    ("networking.istio.io", "v1beta1", "virtualservices", "VirtualService"),
    ("networking.istio.io", "v1beta1", "destinationrules", "DestinationRule"),
    ("traefik.io", "v1alpha1", "traefikservices", "TraefikService"),
    ("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute"),
    ("projectcontour.io", "v1", "httpproxies", "HTTPProxy"),
    ("split.smi-spec.io", "v1alpha1", "trafficsplits", "TrafficSplit"),
    ("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject"),
    ("serving.knative.dev", "v1", "services", "Service"),
    ("serving.knative.dev", "v1", "revisions", "Revision"),
)


def definition(group: str, version: str, plural: str, kind: str) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "annotations": _APPROVED},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {
                "plural": plural,
                "singular": kind.lower(),
                "kind": kind,
                "listKind": f"{kind}List",
            },
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


_APPROVED = {"api-approved.kubernetes.io": "unapproved, for tests only"}
