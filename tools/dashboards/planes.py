"""A dashboard for each data plane: requests of primary and canary side by side.

The selectors are those of the built-in checks (`metrics/builtin.py` of the controller), so the
pictures show what judges a release. Which Canaries there are is taken from the controller's own
series, upstream's have them, too.
"""

from dataclasses import dataclass
from typing import Final

from tools.dashboards.panels import Dashboard, Panel, Query, Row, Variable

WINDOW: Final = "[$__rate_interval]"
NAMESPACE: Final = Variable(
    "namespace", "Namespace", "label_values(flagger_canary_status, namespace)"
)
TARGET: Final = Variable(
    "target", "Target", 'label_values(flagger_canary_status{namespace="$namespace"}, name)'
)
SIDECARS: Final = "|POD|istio-proxy|linkerd-proxy|envoy|kuma-sidecar"
"""Containers that are not the application's; the empty name stands for the whole pod."""
QUANTILES: Final = (0.5, 0.9, 0.99)
TEXT: Final = "Requests and resources of primary and canary, side by side."


@dataclass(frozen=True)
class Side:
    """What belongs to the primary, or to the canary."""

    title: str
    requests: str
    """Matchers of its series of requests."""
    pods: str
    """Matchers of its pods in the series of containers."""


def sides(primary: str, canary: str) -> tuple[Side, ...]:
    """Both sides of a target: matchers of the requests to its primary and to itself."""
    namespace, other = 'namespace="$namespace"', '"$target-primary-.+"'
    return (
        Side("Primary", primary, f"{namespace}, pod=~{other}"),
        Side("Canary", canary, f'{namespace}, pod=~"$target-.+", pod!~{other}'),
    )


@dataclass(frozen=True)
class Latency:
    """How long requests take."""

    metric: str
    """A histogram, with its ending, or without for a mean."""
    unit: str = "ms"
    mean: bool = False

    def panel(self, side: Side) -> Panel:
        """A picture of one side."""
        title = f"{side.title}: duration of requests"
        if self.mean:
            total, count = (
                rate(f"{self.metric}_{part}", side.requests) for part in ("sum", "count")
            )
            return Panel(title, (Query(f"{total} / {count}", "mean"),), self.unit)
        buckets = f"sum by (le) (rate({self.metric}{{{side.requests}}}{WINDOW}))"
        queries = tuple(
            Query(f"histogram_quantile({each}, {buckets})", f"P{each * 100:g}")
            for each in QUANTILES
        )
        return Panel(title, queries, self.unit)


@dataclass(frozen=True)
class Plane:
    """What a data plane knows about requests."""

    name: str
    """Of the file; `flagger-NAME` is the uid."""
    title: str
    requests: str
    """The counter."""
    good: str
    """Matcher of requests that did not fail."""
    latency: Latency
    sides: tuple[Side, ...]
    variables: tuple[Variable, ...] = (NAMESPACE, TARGET)
    traffic: str = ""
    """A counter of received bytes."""
    every: str = ""
    """Matcher that all requests need."""
    more: tuple[Row, ...] = ()

    def dashboard(self) -> Dashboard:
        """Its page."""
        rows = (self._volume(), self._duration(), resources(self.sides), *self.more)
        title = f"{self.title} Canary"
        return Dashboard(f"flagger-{self.name}", title, TEXT, self.variables, rows)

    def _volume(self) -> Row:
        width = 12 // len(self.sides)
        panels: list[Panel] = []
        for side in self.sides:
            volume, success = self.volume(side), self.success(side)
            panels += [
                Panel(f"{side.title}: requests", (Query(volume),), "reqps", "stat", width),
                Panel(f"{side.title}: success", (Query(success),), "percentunit", "stat", width),
            ]
        return Row("Requests of $target.$namespace", tuple(panels))

    def volume(self, side: Side) -> str:
        """Requests a second."""
        return rate(self.requests, side.requests, self.every)

    def success(self, side: Side) -> str:
        """The part of the requests that did not fail."""
        return f"{rate(self.requests, side.requests, self.every, self.good)} / {self.volume(side)}"

    def _duration(self) -> Row:
        panels = [self.latency.panel(side) for side in self.sides]
        if self.traffic:
            panels += [
                Panel(
                    f"{side.title}: received",
                    (Query(rate(self.traffic, side.requests), "bytes"),),
                    "Bps",
                )
                for side in self.sides
            ]
        return Row("Duration and traffic" if self.traffic else "Duration", tuple(panels))


def rate(metric: str, *matchers: str) -> str:
    """Of all series that match, together."""
    return f"sum(rate({metric}{{{', '.join(filter(None, matchers))}}}{WINDOW}))"


def resources(found: tuple[Side, ...]) -> Row:
    """What the pods of both sides use."""
    cpu = [Panel(f"{s.title}: CPU by pod", _by_pod(_CPU, s), "short") for s in found]
    memory = [Panel(f"{s.title}: memory by pod", _by_pod(_MEMORY, s), "bytes") for s in found]
    network = [Panel(f"{s.title}: network", _network(s), "Bps") for s in found]
    return Row("Pods of $target.$namespace", (*cpu, *memory, *network))


_CPU: Final = "sum by (pod) (rate(container_cpu_usage_seconds_total{%s}" + WINDOW + "))"
_MEMORY: Final = "sum by (pod) (container_memory_working_set_bytes{%s})"
_BYTES: Final = "sum by (pod) (rate(container_network_%s_bytes_total{%s}" + WINDOW + "))"


def _by_pod(expr: str, side: Side) -> tuple[Query, ...]:
    return (Query(expr % f'{side.pods}, container!~"{SIDECARS}"', "{{pod}}"),)


def _network(side: Side) -> tuple[Query, ...]:
    return (
        Query(_BYTES % ("receive", side.pods), "{{pod}} in"),
        Query("-" + _BYTES % ("transmit", side.pods), "{{pod}} out"),
    )


def _calls(side: str, workload: str, ours: str, theirs: str) -> Panel:
    """Who calls a workload of Istio, or whom it calls, by code and mutual TLS."""
    labels = f"{theirs}_workload, {theirs}_workload_namespace, response_code"
    match = f'reporter="{ours}", {ours}_workload_namespace="$namespace"'
    expr = (
        f"sum by ({labels}, connection_security_policy) (rate(istio_requests_total{{"
        f'{match}, {ours}_workload="{workload}"}}{WINDOW}))'
    )
    legend = f"{{{{{theirs}_workload}}}}.{{{{{theirs}_workload_namespace}}}} "
    legend += "{{response_code}} {{connection_security_policy}}"
    word = "incoming" if ours == "destination" else "outgoing"
    return Panel(f"{side}: {word} requests", (Query(expr, legend),), "reqps")


_CALLS: Final = Row(
    "Who calls whom",
    tuple(
        _calls(side, workload, ours, theirs)
        for ours, theirs in (("destination", "source"), ("source", "destination"))
        for side, workload in (("Primary", "$target-primary"), ("Canary", "$target"))
    ),
)


def _istio(workload: str) -> str:
    return (
        'reporter="destination", destination_workload_namespace="$namespace", '
        f'destination_workload="{workload}"'
    )


def _linkerd(workload: str) -> str:
    return f'namespace="$namespace", deployment="{workload}", direction="inbound"'


def _osm(workload: str) -> str:
    return f'destination_namespace="$namespace", destination_name="{workload}"'


def _appmesh(app: str) -> str:
    return f'kubernetes_namespace="$namespace", app="{app}"'


def _pods(target: str) -> str:
    pods = f"{target}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)?"
    return f'kubernetes_namespace="$namespace", kubernetes_pod_name=~"{pods}"'


def _kuma(service: str) -> str:
    return f'service=~"{service}_${{namespace}}_svc_[0-9a-zA-Z-]+"'


def _clusters(role: str) -> str:
    """Contour says NAMESPACE_SERVICE-ROLE_PORT, Gloo NAMESPACE-SERVICE-ROLEupstream-PORT_..."""
    return f'envoy_cluster_name=~"$namespace[_-]$target-{role}(_|upstream-).+"'


def _traefik(role: str) -> str:
    return f'service=~"$namespace-$target-{role}-[0-9a-zA-Z-]+@kubernetescrd"'


def _nginx(canary: str) -> str:
    return f'namespace="$namespace", ingress="$ingress", canary{canary}""'


_REVISIONS: Final = (
    'label_values(envoy_cluster_upstream_rq{envoy_cluster_name=~"$namespace/$target-.+"}, '
    "envoy_cluster_name)"
)
_ROUTES: Final = "label_values(skipper_serve_route_duration_seconds_count, route)"
_INGRESSES: Final = (
    'label_values(nginx_ingress_controller_requests{namespace="$namespace"}, ingress)'
)


def _envoy(
    name: str,
    title: str,
    found: tuple[Side, ...],
    variables: tuple[Variable, ...] = (NAMESPACE, TARGET),
) -> Plane:
    return Plane(
        name=name,
        title=title,
        requests="envoy_cluster_upstream_rq",
        good='envoy_response_code!~"5.*"',
        latency=Latency("envoy_cluster_upstream_rq_time_bucket"),
        sides=found,
        variables=variables,
        traffic="envoy_cluster_upstream_cx_rx_bytes_total",
    )


PLANES: Final = (
    Plane(
        name="istio",
        title="Istio",
        requests="istio_requests_total",
        good='response_code!~"5.*"',
        latency=Latency("istio_request_duration_milliseconds_bucket"),
        sides=sides(_istio("$target-primary"), _istio("$target")),
        more=(_CALLS,),
    ),
    Plane(
        name="linkerd",
        title="Linkerd",
        requests="response_total",
        good='classification!="failure"',
        latency=Latency("response_latency_ms_bucket"),
        sides=sides(_linkerd("$target-primary"), _linkerd("$target")),
    ),
    _envoy("appmesh", "AppMesh", sides(_appmesh("$target-primary"), _appmesh("$target"))),
    _envoy("envoy", "Envoy", sides(_clusters("primary"), _clusters("canary"))),
    _envoy("kuma", "Kuma", sides(_kuma("$target-primary"), _kuma("$target-canary"))),
    _envoy(
        "knative",
        "Knative",
        sides('envoy_cluster_name="$primary"', 'envoy_cluster_name="$canary"'),
        (
            NAMESPACE,
            TARGET,
            Variable("primary", "Primary", _REVISIONS),
            Variable("canary", "Canary", _REVISIONS),
        ),
    ),
    Plane(
        name="osm",
        title="OSM",
        requests="osm_request_total",
        good='response_code!~"5.*"',
        latency=Latency("osm_request_duration_ms_bucket"),
        sides=sides(_osm("$target-primary"), _osm("$target")),
    ),
    Plane(
        name="nginx",
        title="NGINX",
        requests="nginx_ingress_controller_requests",
        good='status!~"5.*"',
        latency=Latency("nginx_ingress_controller_response_duration_seconds", "s", mean=True),
        sides=sides(_nginx("="), _nginx("!=")),
        variables=(NAMESPACE, TARGET, Variable("ingress", "Ingress", _INGRESSES)),
    ),
    Plane(
        name="traefik",
        title="Traefik",
        requests="traefik_service_request_duration_seconds_bucket",
        every='le="+Inf"',
        good='code!~"5.."',
        latency=Latency("traefik_service_request_duration_seconds_bucket", "s"),
        sides=sides(_traefik("primary"), _traefik("canary")),
    ),
    Plane(
        name="skipper",
        title="Skipper",
        requests="skipper_response_duration_seconds_bucket",
        every='le="+Inf"',
        good='code!~"5.."',
        latency=Latency("skipper_serve_route_duration_seconds", "s", mean=True),
        sides=sides('route="$primary"', 'route="$canary"'),
        variables=(
            NAMESPACE,
            TARGET,
            Variable("primary", "Primary route", _ROUTES, "/^(?!.*_canary__).+/"),
            Variable("canary", "Canary route", _ROUTES, "/_canary__/"),
        ),
    ),
    Plane(
        name="http",
        title="HTTP",
        requests="http_request_duration_seconds_count",
        good='status!~"5.*"',
        latency=Latency("http_request_duration_seconds_bucket", "s"),
        sides=sides(_pods("$target-primary"), _pods("$target")),
    ),
)
"""APISIX counts by route, and both backends are behind one: there are no sides to show."""
