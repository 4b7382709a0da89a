"""Ten minutes of what data planes and containers report about two sides of a target, as samples.

The primary gets ten requests a second, of which one fails; the canary twenty, of which one fails.
All of them take between 50 and 100 milliseconds, evenly.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

END = 1_700_000_000
SECONDS = 600
STEP = 15
SIDES = ("primary", "canary")
GOOD = {"primary": 9, "canary": 19}
BAD = {"primary": 1, "canary": 1}
PODS = {"primary": "podinfo-primary-6d4f8c-abcde", "canary": "podinfo-7c9b5d-fghij"}
WORKLOADS = {"primary": "podinfo-primary", "canary": "podinfo"}
REVISIONS = {"primary": "shop/podinfo-00001", "canary": "shop/podinfo-00002"}
ROUTES = {
    "primary": "kube_shop__podinfo__app_example_com____podinfo_primary",
    "canary": "kube_shop__podinfo_canary__app_example_com____podinfo_canary",
}

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Series:
    """A counter that grows by so much a second."""

    name: str
    labels: Labels
    rate: float

    def lines(self) -> Iterator[str]:
        """Its samples."""
        labels = ",".join(f'{key}="{value}"' for key, value in self.labels.items())
        for passed in range(0, SECONDS + 1, STEP):
            yield f"{self.name}{{{labels}}} {self.rate * passed} {END - SECONDS + passed}"


def _buckets(name: str, labels: Labels, side: str, unit: float, **more: str) -> Iterator[Series]:
    """A histogram; `unit`: how many of its units are a millisecond."""
    every = GOOD[side] + BAD[side]
    for le, rate in ((50, 0), (100, every), (None, every)):
        bound = "+Inf" if le is None else f"{le * unit:g}"
        yield Series(f"{name}_bucket", {**labels, **more, "le": bound}, rate)
    yield Series(f"{name}_count", {**labels, **more}, every)
    yield Series(f"{name}_sum", {**labels, **more}, every * 75 * unit)


def _counted(name: str, labels: Labels, side: str, good: Labels, bad: Labels) -> Iterator[Series]:
    yield Series(name, {**labels, **good}, GOOD[side])
    yield Series(name, {**labels, **bad}, BAD[side])


def _coded(name: str, labels: Labels, side: str, code: str) -> Iterator[Series]:
    yield from _counted(name, labels, side, {code: "200"}, {code: "503"})


def istio(side: str) -> Iterator[Series]:
    ours = {"destination_workload": WORKLOADS[side], "destination_workload_namespace": "shop"}
    front = {"source_workload": "front", "source_workload_namespace": "web"}
    labels = {"reporter": "destination", "connection_security_policy": "mutual_tls", **ours}
    yield from _coded("istio_requests_total", {**labels, **front}, side, "response_code")
    yield from _buckets("istio_request_duration_milliseconds", labels, side, 1)
    theirs = {"destination_workload": "db", "destination_workload_namespace": "data"}
    us = {"source_workload": WORKLOADS[side], "source_workload_namespace": "shop"}
    outgoing = {"reporter": "source", "connection_security_policy": "none", **us, **theirs}
    yield from _coded("istio_requests_total", outgoing, side, "response_code")


def linkerd(side: str) -> Iterator[Series]:
    labels = {"namespace": "shop", "deployment": WORKLOADS[side], "direction": "inbound"}
    classes = ({"classification": word} for word in ("success", "failure"))
    yield from _counted("response_total", labels, side, *classes)
    yield from _buckets("response_latency_ms", labels, side, 1)


def _envoy(labels: Labels, side: str) -> Iterator[Series]:
    yield from _coded("envoy_cluster_upstream_rq", labels, side, "envoy_response_code")
    yield from _buckets("envoy_cluster_upstream_rq_time", labels, side, 1)
    yield Series("envoy_cluster_upstream_cx_rx_bytes_total", labels, 1000)


def appmesh(side: str) -> Iterator[Series]:
    yield from _envoy({"kubernetes_namespace": "shop", "app": WORKLOADS[side]}, side)


def contour(side: str) -> Iterator[Series]:
    yield from _envoy({"envoy_cluster_name": f"shop_podinfo-{side}_80"}, side)


def kuma(side: str) -> Iterator[Series]:
    yield from _envoy({"service": f"podinfo-{side}_shop_svc_80"}, side)


def knative(side: str) -> Iterator[Series]:
    yield from _envoy({"envoy_cluster_name": REVISIONS[side]}, side)


def osm(side: str) -> Iterator[Series]:
    labels = {"destination_namespace": "shop", "destination_name": WORKLOADS[side]}
    yield from _coded("osm_request_total", labels, side, "response_code")
    yield from _buckets("osm_request_duration_ms", labels, side, 1)


def nginx(side: str) -> Iterator[Series]:
    canary = {"canary": "shop-podinfo-canary-80"} if side == "canary" else {}
    labels = {"namespace": "shop", "ingress": "podinfo", **canary}
    yield from _coded("nginx_ingress_controller_requests", labels, side, "status")
    yield from _buckets("nginx_ingress_controller_response_duration_seconds", labels, side, 0.001)


def _durations(name: str, labels: Labels, side: str, code: str) -> Iterator[Series]:
    """A histogram that has the code, so that it counts the good ones, too."""
    for status, rates in (("200", GOOD), ("503", BAD)):
        for le, rate in (("0.05", 0), ("0.1", rates[side]), ("+Inf", rates[side])):
            yield Series(f"{name}_bucket", {**labels, code: status, "le": le}, rate)
        yield Series(f"{name}_count", {**labels, code: status}, rates[side])


def traefik(side: str) -> Iterator[Series]:
    labels = {"service": f"shop-podinfo-{side}-80@kubernetescrd"}
    yield from _durations("traefik_service_request_duration_seconds", labels, side, "code")


def skipper(side: str) -> Iterator[Series]:
    labels = {"route": ROUTES[side]}
    yield from _durations("skipper_response_duration_seconds", labels, side, "code")
    yield from _buckets("skipper_serve_route_duration_seconds", labels, side, 0.001)


def http(side: str) -> Iterator[Series]:
    labels = {"kubernetes_namespace": "shop", "kubernetes_pod_name": PODS[side]}
    yield from _durations("http_request_duration_seconds", labels, side, "status")


def containers(side: str) -> Iterator[Series]:
    """What the kubelet reports, with sidecars and sums that must not be counted."""
    pod = {"namespace": "shop", "pod": PODS[side]}
    for container, cpu in (("app", 0.25), ("istio-proxy", 8.0), ("POD", 8.0), ("", 8.0)):
        labels = {**pod, "container": container}
        yield Series("container_cpu_usage_seconds_total", labels, cpu)
        yield Series(
            "container_memory_working_set_bytes", labels, 1000 if container == "app" else 9
        )
    yield Series("container_network_receive_bytes_total", pod, 100)
    yield Series("container_network_transmit_bytes_total", pod, 200)


PLANES = {
    "istio": istio,
    "linkerd": linkerd,
    "appmesh": appmesh,
    "envoy": contour,
    "kuma": kuma,
    "knative": knative,
    "osm": osm,
    "nginx": nginx,
    "traefik": traefik,
    "skipper": skipper,
    "http": http,
}
"""By the name of the dashboard."""


def samples() -> Iterator[str]:
    """Everything, as OpenMetrics."""
    canary = Series("flagger_canary_status", {"namespace": "shop", "name": "podinfo"}, 0)
    yield from canary.lines()
    for side in SIDES:
        for reported in (*PLANES.values(), containers):
            for series in reported(side):
                yield from series.lines()
