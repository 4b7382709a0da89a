"""The data planes that have a dashboard, and how each of them names things.

The selectors are those of the built-in checks (`metrics/builtin.py` of the controller), so the
pictures show what judges a release.
"""

from typing import Final

from tools.dashboards.panels import Panel, Query, Row, Variable
from tools.dashboards.planes import NAMESPACE, TARGET, WINDOW, Latency, Plane, Side, sides


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
