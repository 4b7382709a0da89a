"""Built-in queries and who is judged by which (metrics.md sections 3 and 4)."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from flagger_controller.errors import ConfigError
from flagger_controller.metrics import builtin, observers, template, variables

from .conftest import Build

GOLDENS = Path(__file__).parent / "goldens" / "queries.yaml"
QUERIES: dict[str, dict[str, str]] = yaml.safe_load(GOLDENS.read_text())
CASES = [
    (observer, name, query)
    for observer, queries in QUERIES.items()
    for name, query in queries.items()
]
METRIC = {"name": "request-success-rate", "interval": "30s"}


def rendered(build: Build, observer: str, name: str, **spec: Any) -> str:
    canary = build(METRIC, **spec)
    found = builtin.OBSERVERS[observer]
    names = variables.of(canary, canary.analysis.metrics[0])
    query = found.success_rate if name == "request-success-rate" else found.duration
    return template.render(query, variables.for_observer(names, canary, found))


def test_every_observer_has_a_golden() -> None:
    assert sorted(QUERIES) == sorted(builtin.OBSERVERS)


@pytest.mark.parametrize(("observer", "name", "query"), CASES)
def test_queries_to_the_letter(canary: Build, observer: str, name: str, query: str) -> None:
    for variable in ("target", "service", "ingress", "route"):
        query = query.replace(f"{{{{ {variable} }}}}", "podinfo")
    query = query.replace("{{ namespace }}", "default").replace("{{ interval }}", "30s")
    assert rendered(canary, observer, name) == query


@pytest.mark.parametrize(
    ("kind", "pods"),
    [
        ("Deployment", '"podinfo-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"'),
        ("DaemonSet", '"podinfo-[0-9a-zA-Z]+"'),
        ("StatefulSet", '"podinfo-[0-9]+"'),
    ],
)
@pytest.mark.parametrize("observer", ["http", "appmesh"])
def test_pods_of_the_right_kind(canary: Build, observer: str, kind: str, pods: str) -> None:
    target = {"apiVersion": "apps/v1", "kind": kind, "name": "podinfo"}
    query = rendered(canary, observer, "request-duration", targetRef=target)
    assert f"kubernetes_pod_name=~{pods}" in query


def test_workloads_of_the_right_kind(canary: Build) -> None:
    target = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "podinfo"}
    for name in ("request-success-rate", "request-duration"):
        assert 'daemonset=~"podinfo"' in rendered(canary, "linkerd", name, targetRef=target)
        assert 'destination_kind="DaemonSet"' in rendered(canary, "osm", name, targetRef=target)


@pytest.mark.parametrize("observer", ["gloo", "traefik", "kuma", "apisix"])
def test_routers_name_things_after_the_service(canary: Build, observer: str) -> None:
    query = rendered(canary, observer, "request-duration", service={"port": 80, "name": "web"})
    assert "web" in query
    assert "podinfo-canary" not in query


def test_skipper_knows_words_only(canary: Build) -> None:
    reference = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "my-ingress"}
    query = rendered(canary, "skipper", "request-duration", ingressRef=reference)
    assert "kube(ew)?_default__my_ingress_canary__.*__podinfo_canary" in query


def test_other_statistics_of_the_duration(canary: Build) -> None:
    def query(observer: str, statistic: str) -> str:
        variables = {"statistic": statistic}
        built = canary({"name": "request-duration", "templateVariables": variables})
        return observers.duration(builtin.OBSERVERS[observer], built.analysis.metrics[0])

    skipper = builtin.OBSERVERS["skipper"]
    assert query("skipper", "mean") == skipper.duration
    assert "histogram_quantile(0.99, sum(rate(skipper_serve_route_" in query("skipper", "p99")
    assert query("istio", "p99") == builtin.OBSERVERS["istio"].duration
    for observer, statistic, known in (
        ("nginx", "p99", "mean"),
        ("istio", "mean", "p99"),
        ("skipper", "p95", "mean or p99"),
    ):
        text = f'request-duration: {observer} has no "{statistic}", use {known}$'
        with pytest.raises(ConfigError, match=text):
            query(observer, statistic)


def test_names_of_their_own(canary: Build) -> None:
    built = canary(
        {"name": "q", "templateVariables": {"team": "blue"}},
        service={"port": 80, "name": "web"},
        ingressRef={"apiVersion": "v1", "kind": "Ingress", "name": "front"},
        routeRef={"apiVersion": "v1", "kind": "Route", "name": "path"},
    )
    metric = built.analysis.metrics[0]
    assert variables.of(built, metric) == {
        "name": "podinfo",
        "namespace": "default",
        "target": "podinfo",
        "service": "web",
        "ingress": "front",
        "route": "path",
        "interval": "1m",
        "variables": {"team": "blue"},
    }
    assert variables.of(built, metric, "podinfo-00002")["route"] == "podinfo-00002"


@pytest.mark.parametrize(
    ("mesh", "own", "shown", "observer"),
    [
        ("istio", "", "istio", "istio"),
        ("istio", "kubernetes", "kubernetes", "http"),
        ("istio", "gatewayapi:v1", "gatewayapi:v1", "http"),
        ("istio", "appmesh:v1beta2", "appmesh:v1beta2", "appmesh"),
        ("istio", "gloo", "gloo", "gloo"),
        ("istio", "smi:v1alpha1", "smi:v1alpha1", "istio"),
        ("linkerd", "", "linkerd", "linkerd"),
        ("smi:linkerd", "gatewayapi:v1", "linkerd", "linkerd"),
        ("crossover", "", "crossover", "istio"),
        ("smi:crossover", "", "crossover", "istio"),
        ("traefik", "contour", "contour", "contour"),
        *((name, "", name, name) for name in ("nginx", "skipper", "osm", "kuma", "apisix")),
        ("knative", "", "knative", "knative"),
    ],
)
def test_observers(canary: Build, mesh: str, own: str, shown: str, observer: str) -> None:
    provider = observers.provider_string(canary(provider=own), mesh)
    assert provider == shown
    assert observers.observer(provider).name == observer


def test_services_are_judged_by_their_own_provider(canary: Build) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "name": "podinfo"}
    provider = observers.provider_string(canary(provider="nginx", targetRef=service), "istio")
    assert provider == "nginx:service"
    assert observers.observer(provider).name == "nginx"
    older = {**service, "apiVersion": "serving.knative.dev/v1beta1"}  # a core Service to us
    assert observers.provider_string(canary(targetRef=older), "nginx") == "nginx:service"
    knative = {**service, "apiVersion": "serving.knative.dev/v1"}
    assert observers.provider_string(canary(targetRef=knative), "knative") == "knative"


def test_unknown_providers_do_not_turn_into_istio() -> None:
    with pytest.raises(ConfigError, match=r'^no built-in metrics for provider "mesh": use a'):
        observers.observer("mesh")
