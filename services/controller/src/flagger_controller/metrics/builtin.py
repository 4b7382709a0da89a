"""The built-in queries of every observer, as data (metrics.md section 4).

The texts are query templates with the variables of `variables.py`. White space is part of the
wire form: the leading space, and the comma that some selectors end with.

Two variables differ from upstream where its query asks the wrong pods or series: `pods` and
`workload` know the kind of the target (sharp edges M1 and M4), and observers whose router names
things after the service use the service (M5). For a Deployment whose service has the target's
name nothing changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_WINDOW: Final = "[{{ interval }}]"


@dataclass(frozen=True)
class Observer:
    """What one data plane or ingress knows about requests."""

    name: str
    success_rate: str
    """Query template for the percentage of requests that did not fail."""
    duration: str
    """Query template for the usual statistic of the request duration."""
    statistic: str = "p99"
    """That statistic: the 99th percentile, or `mean`."""
    further: Mapping[str, str] = field(default_factory=dict)
    """Query templates for other statistics that a metric can ask for (sharp edge M17)."""
    seconds: bool = False
    """The duration query answers in seconds instead of milliseconds."""
    plain_errors: bool = False
    """Upstream does not say `running query failed: ` in front of this observer's errors."""
    words_only: bool = False
    """Characters that are no letter, digit or underscore become `_` in names."""


def _percent(metric: str, selector: str, good: str, *, rest: str = "", comma: str = "") -> str:
    some = f"sum( rate( {metric}{{ {selector}, {good}{rest} }}{_WINDOW} ) )"
    every = f"sum( rate( {metric}{{ {selector}{rest}{comma} }}{_WINDOW} ) )"
    return f" {some} / {every} * 100"


def _p99(metric: str, selector: str, *, factor: str = "") -> str:
    rate = f"sum( rate( {metric}{{ {selector} }}{_WINDOW} ) ) by (le)"
    return f" histogram_quantile( 0.99, {rate} ){factor}"


def _mean(metric: str, selector: str) -> str:
    total, count = (
        f"sum( rate( {metric}_{part}{{ {selector} }}{_WINDOW} ) )" for part in ("sum", "count")
    )
    return f" {total} / {count} * 1000"


def _envoy(name: str, selector: str, comma: str = "") -> Observer:
    """Contour, Gloo, Kuma, Knative and App Mesh all ask Envoy, for different clusters."""
    good = 'envoy_response_code!~"5.*"'
    return Observer(
        name=name,
        success_rate=_percent("envoy_cluster_upstream_rq", selector, good, comma=comma),
        duration=_p99("envoy_cluster_upstream_rq_time_bucket", selector + comma),
    )


_ISTIO: Final = (
    'reporter="destination", destination_workload_namespace="{{ namespace }}",'
    ' destination_workload=~"{{ target }}"'
)
_LINKERD: Final = 'namespace="{{ namespace }}", {{ workload }}=~"{{ target }}"'
_PODS: Final = 'kubernetes_namespace="{{ namespace }}", kubernetes_pod_name=~"{{ pods }}"'
_CONTOUR: Final = 'envoy_cluster_name=~"{{ namespace }}_{{ service }}-canary_[0-9a-zA-Z-]+"'
_GLOO: Final = (
    'envoy_cluster_name=~"{{ namespace }}-{{ service }}-canaryupstream-[0-9a-zA-Z-]+_[0-9a-zA-Z-]+"'
)
_KUMA: Final = 'service=~"{{ service }}-canary_{{ namespace }}_svc_[0-9a-zA-Z-]+"'
_KNATIVE: Final = 'envoy_cluster_name=~"{{ namespace }}/{{ route }}"'
_NGINX: Final = 'namespace="{{ namespace }}", ingress="{{ ingress }}", canary!=""'
_TRAEFIK: Final = 'service=~"{{ namespace }}-{{ service }}-canary-[0-9a-zA-Z-]+@kubernetescrd"'
_OSM: Final = (
    'destination_namespace="{{ namespace }}", destination_kind="{{ kind }}",'
    ' destination_name="{{ target }}"'
)
_APISIX: Final = 'route=~"{{ namespace }}_{{ route }}-{{ service }}-canary_.+"'
_SKIPPER: Final = (
    'route=~"kube(ew)?_{{ namespace }}__{{ ingress }}_canary__.*__{{ service }}_canary(_[0-9]+)?"'
)
_SKIPPER_RATE: Final = (
    f" sum(rate(skipper_response_duration_seconds_bucket{{{_SKIPPER},"
    f'code!~"5..",le="+Inf"}}{_WINDOW}))'
    f" / sum(rate(skipper_response_duration_seconds_bucket{{{_SKIPPER},"
    f'le="+Inf"}}{_WINDOW})) * 100'
)
_SKIPPER_MEAN: Final = (
    f" sum(rate(skipper_serve_route_duration_seconds_sum{{{_SKIPPER}}}{_WINDOW}))"
    f" / sum(rate(skipper_serve_route_duration_seconds_count{{{_SKIPPER}}}{_WINDOW})) * 1000"
)
_SKIPPER_P99: Final = (
    f" histogram_quantile(0.99, sum(rate(skipper_serve_route_duration_seconds_bucket{{{_SKIPPER}}}"
    f"{_WINDOW})) by (le)) * 1000"
)

_ALL: Final = (
    Observer(
        name="istio",
        success_rate=_percent("istio_requests_total", _ISTIO, 'response_code!~"5.*"'),
        duration=_p99("istio_request_duration_milliseconds_bucket", _ISTIO),
    ),
    Observer(
        name="linkerd",
        success_rate=_percent(
            "response_total", _LINKERD, 'classification!="failure"', rest=', direction="inbound"'
        ),
        duration=_p99("response_latency_ms_bucket", f'{_LINKERD}, direction="inbound"'),
    ),
    _envoy("appmesh", _PODS),
    _envoy("contour", _CONTOUR, comma=","),
    _envoy("gloo", _GLOO, comma=","),
    _envoy("kuma", _KUMA, comma=","),
    _envoy("knative", _KNATIVE, comma=","),
    Observer(
        name="nginx",
        success_rate=_percent("nginx_ingress_controller_requests", _NGINX, 'status!~"5.*"'),
        duration=_mean("nginx_ingress_controller_response_duration_seconds", _NGINX),
        statistic="mean",
    ),
    Observer(
        name="http",
        success_rate=_percent("http_request_duration_seconds_count", _PODS, 'status!~"5.*"'),
        duration=_p99("http_request_duration_seconds_bucket", _PODS),
        seconds=True,
        plain_errors=True,
    ),
    Observer(
        name="skipper",
        success_rate=_SKIPPER_RATE,
        duration=_SKIPPER_MEAN,
        statistic="mean",
        further={"p99": _SKIPPER_P99},
        words_only=True,
    ),
    Observer(
        name="traefik",
        success_rate=_percent(
            "traefik_service_request_duration_seconds_bucket",
            _TRAEFIK,
            'code!~"5.."',
            rest=', le="+Inf"',
        ),
        duration=_p99(
            "traefik_service_request_duration_seconds_bucket", _TRAEFIK, factor=" * 1000"
        ),
    ),
    Observer(
        name="osm",
        success_rate=_percent("osm_request_total", _OSM, 'response_code!~"5.*"'),
        duration=_p99("osm_request_duration_ms_bucket", _OSM),
    ),
    Observer(
        name="apisix",
        success_rate=_percent("apisix_http_status", _APISIX, 'code!~"5.."'),
        duration=_p99("apisix_http_latency_bucket", f'type=~"request", {_APISIX}'),
    ),
)
OBSERVERS: Final = {observer.name: observer for observer in _ALL}
"""Every observer by its name."""
