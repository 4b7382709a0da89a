"""A/B testing and blue/green, through Gateway API and with nothing but Services."""

from e2e.suite import history, kube, load, names, podinfo, wait
from e2e.tests import expected, plays

LOADTESTER = f"http://{names.LOADTESTER}.{names.COMPANIONS}/"


def gateway(app: podinfo.App) -> dict[str, object]:
    """Create the application's Gateway; return what the Canary's service says about it."""
    body = podinfo.manifest("gatewayapi", "gateway.yaml")
    body["metadata"]["namespace"] = app.namespace
    body["spec"]["gatewayClassName"] = names.GATEWAY_CLASS
    app.api.apply(body)
    wait.until("the Gateway is programmed", lambda: programmed(app))
    reference = {"name": body["metadata"]["name"], "namespace": app.namespace}
    return {"gatewayRefs": [reference], "hosts": [app.host]}


def programmed(app: podinfo.App) -> bool:
    status = app.api.get("Gateway", podinfo.NAME, app.namespace).get("status", {})
    return any(
        condition["type"] == "Programmed" and condition["status"] == "True"
        for condition in status.get("conditions", [])
    )


def load_hook(app: podinfo.App) -> kube.Object:
    """Load straight to the canary's Service: no client gets there in a blue/green run."""
    command = f"hey -z 20s -q 10 -c 2 http://podinfo-canary.{app.namespace}/"
    return podinfo.hook("rollout", LOADTESTER, name="load", cmd=command)


def backends(app: podinfo.App) -> list[dict[str, int]]:
    """Return the weights of each rule of the HTTPRoute, by Service."""
    route = app.api.get("HTTPRoute", podinfo.NAME, app.namespace)
    return [
        {backend["name"]: backend["weight"] for backend in rule["backendRefs"]}
        for rule in route["spec"]["rules"]
    ]


def test_a_b_through_a_gateway(app: podinfo.App, past: history.History) -> None:
    mark = plays.by_header(app, past, provider="gatewayapi:v1", service=gateway(app))
    assert expected.essential(past.texts(mark), app.namespace) == [
        expected.DETECTED,
        expected.STARTING,
        *expected.iterate(3),
        expected.COPYING,
        expected.TO_PRIMARY,
        expected.COMPLETED,
    ]
    assert backends(app) == [
        {podinfo.PRIMARY: 100, plays.CANARY: 0},
        {podinfo.PRIMARY: 100},
    ]


def test_blue_green_through_a_gateway(app: podinfo.App, past: history.History) -> None:
    service = gateway(app)
    plays.templates(app)
    app.deploy()
    wanted = podinfo.analysis(iterations=2, metrics=plays.METRICS, webhooks=[load_hook(app)])
    app.canary(wanted, provider="gatewayapi:v1", service=service)
    app.bootstrap(past)
    with load.Load(app.address, rate=50) as clients:
        mark = past.mark()
        app.release("2.0.0")
        past.told("canary iteration 2/2", since=mark, seconds=240)
        tested = past.mark()
        past.told("Routing all traffic to canary", since=mark, seconds=120)
        assert {a.version for a in clients.answers(mark, tested)} == {podinfo.FIRST}
        podinfo.promoted(past, mark)
        app.serves("2.0.0")
    assert clients.failures() == []
    assert expected.essential(past.texts(mark), app.namespace) == [
        expected.DETECTED,
        expected.STARTING,
        *expected.iterate(2),
        "Routing all traffic to canary",
        expected.COPYING,
        expected.TO_PRIMARY,
        expected.COMPLETED,
    ]
    assert app.version() == "2.0.0"
    assert backends(app) == [{podinfo.PRIMARY: 100, plays.CANARY: 0}]


def test_weights_through_a_gateway(app: podinfo.App, past: history.History) -> None:
    service = gateway(app)
    plays.templates(app)
    app.deploy()
    wanted = podinfo.analysis(stepWeights=[10, 50], metrics=plays.METRICS)
    app.canary(wanted, provider="gatewayapi:v1", service=service)
    app.bootstrap(past)
    with load.Load(app.address) as clients:
        mark = past.mark()
        app.release("2.0.0")
        podinfo.promoted(past, mark)
        app.serves("2.0.0")
    assert clients.failures() == []
    assert past.weights(mark) == [0, 10, 50]
    assert set(load.versions(clients.answers())) == {podinfo.FIRST, "2.0.0"}
    assert backends(app) == [{podinfo.PRIMARY: 100, plays.CANARY: 0}]


def test_blue_green_without_a_mesh(app: podinfo.App, past: history.History) -> None:
    """Clients come through an IngressRoute to the Service that the controller keeps."""
    route = podinfo.manifest("traefik", "ingressroute.yaml")
    route["metadata"]["namespace"] = app.namespace
    route["spec"]["routes"][0] |= {
        "match": f"Host(`{app.host}`)",
        "services": [{"name": podinfo.NAME, "port": 80}],
    }
    app.api.apply(route)
    app.deploy()
    wanted = podinfo.analysis(iterations=3, webhooks=[load_hook(app)])
    app.canary(wanted, provider="kubernetes")
    app.bootstrap(past)
    with load.Load(app.address, rate=50) as clients:
        mark = past.mark()
        app.release("2.0.0")
        past.told("canary iteration 3/3", since=mark, seconds=240)
        tested = past.mark()
        assert {a.version for a in clients.answers(mark, tested)} == {podinfo.FIRST}
        podinfo.promoted(past, mark)
        app.serves("2.0.0")
    assert clients.failures() == []
    assert expected.essential(past.texts(mark), app.namespace) == [
        expected.DETECTED,
        expected.STARTING,
        *expected.iterate(3),
        expected.COPYING,
        expected.COMPLETED,
    ]
    assert app.version() == "2.0.0"
