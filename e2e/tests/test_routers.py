"""Routers on real data planes: what clients get while the controller moves the traffic."""

import pytest

from e2e.suite import access, history, kube, load, podinfo, wait
from e2e.tests import plays
from e2e.tests.test_strategies import gateway

ROUTE = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "name": "shop"}
INGRESS_ROUTE = {"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "name": podinfo.NAME}
INGRESS = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "shop"}


def own_route(app: podinfo.App, service: kube.Object) -> kube.Object:
    """Create an HTTPRoute with a rule of its owner beside the one for the application."""
    redirect = {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/new"}, "statusCode": 301}
    rules = [
        {
            "matches": [{"path": {"type": "Exact", "value": "/old"}}],
            "filters": [{"type": "RequestRedirect", "requestRedirect": redirect}],
        },
        {"backendRefs": [{"name": podinfo.NAME, "port": 80}]},
    ]
    app.api.apply(
        {
            "apiVersion": ROUTE["apiVersion"],
            "kind": ROUTE["kind"],
            "metadata": {"name": ROUTE["name"], "namespace": app.namespace},
            "spec": {
                "parentRefs": service["gatewayRefs"],
                "hostnames": service["hosts"],
                "rules": rules,
            },
        }
    )
    return shop(app)


def shop(app: podinfo.App) -> kube.Object:
    return dict(app.api.get("HTTPRoute", "shop", app.namespace)["spec"])


def test_a_route_of_ones_own_is_split_and_given_back(
    app: podinfo.App, past: history.History
) -> None:
    route = own_route(app, gateway(app))
    plays.templates(app)
    app.deploy()
    wanted = podinfo.analysis(stepWeights=[50], metrics=plays.METRICS)
    app.canary(wanted, provider="gatewayapi:v1", routeRef=ROUTE)
    app.bootstrap(past)
    assert shop(app) == route
    with load.Load(app.address) as clients:
        mark = past.mark()
        app.release("2.0.0")
        wait.until("a split", lambda: plays.CANARY in str(shop(app)), seconds=120)
        assert shop(app)["rules"][0] == route["rules"][0]
        podinfo.promoted(past, mark)
        app.serves("2.0.0")
    assert clients.failures() == []
    assert set(load.versions(clients.answers())) == {podinfo.FIRST, "2.0.0"}
    assert shop(app) == route


def ingress(app: podinfo.App, name: str = "nginx") -> None:
    """Create the application's Ingress, in a class."""
    backend = {"service": {"name": podinfo.NAME, "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    app.api.apply(
        {
            "apiVersion": INGRESS["apiVersion"],
            "kind": INGRESS["kind"],
            "metadata": {"name": INGRESS["name"], "namespace": app.namespace},
            "spec": {
                "ingressClassName": name,
                "rules": [{"host": app.host, "http": {"paths": [path]}}],
            },
        }
    )


def test_weights_by_the_annotations_of_ingress_nginx(
    app: podinfo.App, past: history.History
) -> None:
    ingress(app)
    plays.templates(app)
    app.deploy()
    wanted = podinfo.analysis(stepWeights=[20, 50], metrics=plays.METRICS)
    app.canary(wanted, provider="nginx", ingressRef=INGRESS)
    app.bootstrap(past)
    with load.Load(app.address) as clients:
        mark = past.mark()
        app.release("2.0.0")
        podinfo.promoted(past, mark)
        app.serves("2.0.0")
    assert clients.failures() == []
    assert past.weights(mark) == [0, 20, 50]
    assert set(load.versions(clients.answers())) == {podinfo.FIRST, "2.0.0"}


def test_a_b_by_the_annotations_of_ingress_nginx(app: podinfo.App, past: history.History) -> None:
    ingress(app)
    plays.by_header(app, past, provider="nginx", ingressRef=INGRESS)


def test_a_b_with_copies_of_traefiks_rules(app: podinfo.App, past: history.History) -> None:
    app.route()
    plays.by_header(app, past, provider="traefik", routeRef=INGRESS_ROUTE)


@pytest.mark.parametrize("percent", [100, 50])
def test_copies_by_traefik(
    app: podinfo.App, past: history.History, reach: access.Access, percent: int
) -> None:
    app.route()
    plays.mirrored(app, past, reach, percent)


def test_cookies_with_copies_of_traefiks_rules(
    app: podinfo.App, past: history.History, reach: access.Access
) -> None:
    app.route()
    plays.sticky(app, past, reach, provider="traefik", routeRef=INGRESS_ROUTE)
