"""Objects as they are in a cluster: after the API server, people and other controllers."""

import copy

from flagger_controller.cluster.client import Object

from .cases import entries


def stored(body: Object) -> Object:
    """What the API server makes of an object: metadata, status and the schema's defaults."""
    result = copy.deepcopy(body)
    result["metadata"] |= {
        "uid": "1b2c",
        "resourceVersion": "42",
        "generation": 3,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{"manager": "flagger"}],
    }
    defaults = {
        "ApisixRoute": apisix_route_defaults,
        "HTTPProxy": http_proxy_defaults,
        "HTTPRoute": http_route_defaults,
        "MeshHTTPRoute": mesh_http_route_defaults,
        "TraefikService": traefik_service_defaults,
        "VirtualNode": app_mesh_defaults,
        "VirtualRouter": app_mesh_defaults,
        "Service": knative_service_defaults,
    }
    if add := defaults.get(result.get("kind", "")):
        add(result["spec"])
    return result


def http_proxy_defaults(spec: Object) -> None:
    for route in spec["routes"]:
        if policy := route.get("retryPolicy"):
            policy.setdefault("count", 1)


def apisix_route_defaults(spec: Object) -> None:
    for rule in spec["http"]:
        for plugin in rule.get("plugins", ()):
            plugin.setdefault("enable", True)


def http_route_defaults(spec: Object) -> None:
    for parent in spec["parentRefs"]:
        parent.setdefault("group", "gateway.networking.k8s.io")
        parent.setdefault("kind", "Gateway")
    for rule in spec["rules"]:
        rule.setdefault("matches", [{}])
        for match in rule["matches"]:
            match.setdefault("path", {"type": "PathPrefix", "value": "/"})
            for condition in (*match.get("headers", ()), *match.get("queryParams", ())):
                condition.setdefault("type", "Exact")
        for backend in rule["backendRefs"]:
            backend.setdefault("group", "")
            backend.setdefault("kind", "Service")
            backend.setdefault("weight", 1)
        for entry in rule.get("filters", ()):
            if entry["type"] == "CORS":
                entry["cors"].setdefault("maxAge", 5)


def mesh_http_route_defaults(spec: Object) -> None:
    for rule in (rule for entry in spec["to"] for rule in entry["rules"]):
        for match in rule["matches"]:
            for condition in match.get("headers", ()):
                condition.setdefault("type", "Exact")
        filters = rule["default"].get("filters", ())
        mirrors = [entry["requestMirror"] for entry in filters if "requestMirror" in entry]
        for backend in (*rule["default"]["backendRefs"], *(m["backendRef"] for m in mirrors)):
            backend.setdefault("weight", 1)


def traefik_service_defaults(spec: Object) -> None:
    mirroring = [spec["mirroring"], *spec["mirroring"]["mirrors"]] if "mirroring" in spec else ()
    for entry in (*spec.get("weighted", {}).get("services", ()), *mirroring):
        entry.setdefault("strategy", "wrr")


def app_mesh_defaults(spec: Object) -> None:
    """Of v1beta2, by the webhook of App Mesh's controller."""
    if "meshName" not in spec:
        spec |= {"awsName": "cart_shop", "meshRef": {"name": "prod", "uid": "7"}}


def knative_service_defaults(spec: Object) -> None:
    for entry in spec.get("traffic", ()):
        entry.setdefault("latestRevision", "revisionName" not in entry)
        entry.setdefault("percent", 0)


def noisy(body: Object) -> Object:
    """An object to which people and other controllers have added something of their own."""
    result = copy.deepcopy(body)
    metadata = result["metadata"]
    metadata["labels"] = {**metadata.get("labels", {}), "argocd.argoproj.io/instance": "shop"}
    metadata["annotations"] = {**metadata.get("annotations", {}), "example.com/seen": "yes"}
    result["spec"]["foreign"] = {"a": 1}
    for entry in entries(result):
        entry["foreign"] = "kept"
    return result
