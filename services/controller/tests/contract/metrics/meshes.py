"""How meshes and ingresses name the series of a canary and of what runs beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Series:
    """What one observer's queries are about."""

    requests: str
    """Counts requests; empty: the histogram does, which has the label of the outcome then."""
    outcome: tuple[str, str, str]
    """Its label that tells good from bad, and both values."""
    duration: str
    """A histogram, without its suffix."""
    seconds: bool = False
    """Its unit; else milliseconds."""
    labels: Labels = field(default_factory=dict)
    """What every series has."""
    counted: Labels = field(default_factory=dict)
    """What only the counter has."""


@dataclass(frozen=True)
class Mesh:
    """A canary, and what Prometheus has about it."""

    observer: str
    spec: Mapping[str, Any]
    """Fields of the Canary."""
    label: str
    """What tells the canary apart from others."""
    canary: str
    others: tuple[str, ...]
    """The primary, and neighbours with similar names: a check must not see them."""


_ENVOY: Final = Series(
    "envoy_cluster_upstream_rq",
    ("envoy_response_code", "200", "503"),
    "envoy_cluster_upstream_rq_time",
)
_PODS: Final = {"kubernetes_namespace": "default"}
_INF: Final = {"le": "+Inf"}

SERIES: Final[Mapping[str, Series]] = {
    "istio": Series(
        "istio_requests_total",
        ("response_code", "404", "500"),
        "istio_request_duration_milliseconds",
        labels={"reporter": "destination", "destination_workload_namespace": "default"},
    ),
    "linkerd": Series(
        "response_total",
        ("classification", "success", "failure"),
        "response_latency_ms",
        labels={"namespace": "default", "direction": "inbound"},
    ),
    "appmesh": Series(_ENVOY.requests, _ENVOY.outcome, _ENVOY.duration, labels=_PODS),
    "contour": _ENVOY,
    "gloo": _ENVOY,
    "kuma": _ENVOY,
    "knative": _ENVOY,
    "nginx": Series(
        "nginx_ingress_controller_requests",
        ("status", "200", "502"),
        "nginx_ingress_controller_response_duration_seconds",
        seconds=True,
        labels={"namespace": "default", "canary": "default-podinfo-canary-80"},
    ),
    "http": Series(
        "http_request_duration_seconds_count",
        ("status", "200", "500"),
        "http_request_duration_seconds",
        seconds=True,
        labels=_PODS,
    ),
    "skipper": Series(
        "skipper_response_duration_seconds_bucket",
        ("code", "200", "500"),
        "skipper_serve_route_duration_seconds",
        seconds=True,
        counted=_INF,
    ),
    "traefik": Series(
        "",
        ("code", "200", "500"),
        "traefik_service_request_duration_seconds",
        seconds=True,
    ),
    "osm": Series(
        "osm_request_total",
        ("response_code", "200", "500"),
        "osm_request_duration_ms",
        labels={"destination_namespace": "default"},
    ),
    "apisix": Series("apisix_http_status", ("code", "200", "500"), "apisix_http_latency"),
}
MEANS: Final = ("nginx", "skipper")
"""Observers that report the mean (sharp edge M17)."""


def _target(kind: str) -> dict[str, Any]:
    return {"targetRef": {"apiVersion": "apps/v1", "kind": kind, "name": "podinfo"}}


_WEB: Final = {"service": {"port": 80, "name": "web"}}
_CORE: Final = {"targetRef": {"apiVersion": "v1", "kind": "Service", "name": "podinfo"}}
_POD: Final = "kubernetes_pod_name"
_CLUSTER: Final = "envoy_cluster_name"
_DEPLOYMENT: Final = (
    "podinfo-6d4b7f9c5d-x7k2p",
    ("podinfo-primary-6d4b7f9c5d-x7k2p", "podinfo-0", "other-6d4b7f9c5d-x7k2p"),
)
_DAEMON: Final = ("podinfo-x7k2p", ("podinfo-primary-x7k2p", "podinfo-6d4b7f9c5d-x7k2p"))
_STATEFUL: Final = ("podinfo-0", ("podinfo-primary-0", "podinfo-db-0", "podinfo-x7k2p"))
_WORKLOADS: Final = ("podinfo", ("podinfo-primary", "podinfo2", "my-podinfo"))

MESHES: Final = (
    Mesh("istio", {"provider": "istio"}, "destination_workload", *_WORKLOADS),
    Mesh("istio", {"provider": "smi:v1alpha1"}, "destination_workload", *_WORKLOADS),
    Mesh("istio", {"provider": "istio", **_CORE}, "destination_workload", *_WORKLOADS),
    Mesh("linkerd", {"provider": "linkerd"}, "deployment", *_WORKLOADS),
    Mesh("linkerd", {"provider": "linkerd", **_target("DaemonSet")}, "daemonset", *_WORKLOADS),
    Mesh("linkerd", {"provider": "linkerd", **_target("StatefulSet")}, "statefulset", *_WORKLOADS),
    Mesh("http", {"provider": "kubernetes"}, _POD, *_DEPLOYMENT),
    Mesh("http", {"provider": "gatewayapi:v1"}, _POD, *_DEPLOYMENT),
    Mesh("http", {"provider": "kubernetes", **_target("DaemonSet")}, _POD, *_DAEMON),
    Mesh("http", {"provider": "kubernetes", **_target("StatefulSet")}, _POD, *_STATEFUL),
    Mesh("http", {"provider": "kubernetes", **_CORE}, _POD, *_DEPLOYMENT),
    Mesh("appmesh", {"provider": "appmesh:v1beta2"}, _POD, *_DEPLOYMENT),
    Mesh("appmesh", {"provider": "appmesh", **_target("DaemonSet")}, _POD, *_DAEMON),
    Mesh(
        "contour",
        {"provider": "contour", **_WEB},
        _CLUSTER,
        "default_web-canary_80",
        ("default_web-primary_80", "default_podinfo-canary_80", "other_web-canary_80"),
    ),
    Mesh(
        "gloo",
        {"provider": "gloo", **_WEB},
        _CLUSTER,
        "default-web-canaryupstream-80_gloo-system",
        ("default-web-primaryupstream-80_gloo-system", "x-web-canaryupstream-80_gloo-system"),
    ),
    Mesh(
        "kuma",
        {"provider": "kuma", **_WEB},
        "service",
        "web-canary_default_svc_80",
        ("web-primary_default_svc_80", "podinfo-canary_default_svc_80"),
    ),
    Mesh(
        "knative",
        {"provider": "knative"},
        _CLUSTER,
        "default/podinfo",
        ("default/podinfo-00001", "other/podinfo"),
    ),
    Mesh("nginx", {"provider": "nginx"}, "ingress", "podinfo", ("podinfo-2", "other")),
    Mesh("nginx", {"provider": "nginx", **_CORE}, "ingress", "podinfo", ("podinfo-2", "other")),
    Mesh(
        "skipper",
        {"provider": "skipper", **_WEB},
        "route",
        "kube_default__podinfo_canary__app_example_com____web_canary",
        ("kube_default__podinfo__app_example_com____web_primary",),
    ),
    Mesh(
        "traefik",
        {"provider": "traefik", **_WEB},
        "service",
        "default-web-canary-80@kubernetescrd",
        ("default-web-primary-80@kubernetescrd", "default-podinfo-canary-80@kubernetescrd"),
    ),
    Mesh(
        "osm",
        {"provider": "osm", **_target("DaemonSet")},
        "destination_name",
        "podinfo",
        ("podinfo-primary",),
    ),
    Mesh(
        "apisix",
        {"provider": "apisix", **_WEB},
        "route",
        "default_podinfo-web-canary_route",
        ("default_podinfo_route", "default_podinfo-podinfo-canary_route"),
    ),
)
FURTHER: Final[Mapping[str, Labels]] = {
    "osm": {"destination_kind": "DaemonSet"},
    "apisix": {"type": "request"},
}
"""Labels of single observers' series."""
