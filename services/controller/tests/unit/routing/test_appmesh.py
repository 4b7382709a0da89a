"""App Mesh in both versions: nodes, conditions, the gateway's annotations, and what is read."""

from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Selector, Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing import objects, router_for
from flagger_controller.routing.base import RouterSettings

BOTH = pytest.mark.parametrize("provider", ["appmesh", "appmesh:v1beta2"])
TRAITS = Traits(Selector("app", "shop-cart"))
CARRIERS = {
    "appmesh": Ref(resources.APPMESH_SERVICES_1, "cart.shop", "shop"),
    "appmesh:v1beta2": Ref(resources.APPMESH_ROUTERS_2, "cart", "shop"),
}
HTTP = {"appmesh": "http", "appmesh:v1beta2": "httpRoute"}
FINISHED = Route(primary=0, canary=100)


def canary_of(*match: Object, **service: Any) -> Canary:
    return Canary.from_api(
        {
            "metadata": {"name": "cart", "namespace": "shop", "uid": "1"},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
                "service": {"port": 80, "meshName": "prod", **service},
                "analysis": {"iterations": 5, "match": match},
            },
        }
    )


def built(provider: str, canary: Canary, route: Route = FINISHED) -> dict[Ref, Object]:
    return dict(router_for(provider, RouterSettings()).desired(canary, TRAITS, route, {}))


def routes_of(provider: str, canary: Canary) -> list[Object]:
    return list(built(provider, canary)[CARRIERS[provider]]["spec"]["routes"])


def http_of(provider: str, canary: Canary) -> Any:
    return routes_of(provider, canary)[0][HTTP[provider]]


def test_the_mesh_must_be_named_in_v1beta1() -> None:
    with pytest.raises(ConfigError, match=r"spec\.service\.meshName is missing"):
        built("appmesh", canary_of(meshName=""))
    assert built("appmesh:v1beta2", canary_of(meshName=""))


def test_nodes_select_the_pods_that_the_services_select() -> None:
    """Upstream selects by the target's name, which no pod has when their label has another."""
    nodes = [
        body["spec"]["podSelector"]["matchLabels"]
        for ref, body in built("appmesh:v1beta2", canary_of()).items()
        if ref.resource is resources.APPMESH_NODES_2
    ]
    assert nodes == [{"app": "shop-cart-primary"}, {"app": "shop-cart"}]


def test_without_pods_to_select_v1beta2_is_refused() -> None:
    router = router_for("appmesh:v1beta2", RouterSettings())
    with pytest.raises(ConfigError, match=r"spec\.targetRef: .* selects pods"):
        router.desired(canary_of(), Traits(None), FINISHED, {})


@BOTH
def test_nodes_have_the_apex_metadata_without_the_label_of_the_apex_service(provider: str) -> None:
    canary = canary_of(apex={"labels": {"team": "shop"}})
    for ref, body in built(provider, canary).items():
        metadata = body["metadata"]
        if ref.resource.kind == "VirtualNode":
            assert metadata["labels"] == {"team": "shop"}
            assert metadata["annotations"] == objects.HANDS_OFF
        else:
            assert "labels" not in metadata
            assert "annotations" not in metadata


@BOTH
def test_labels_of_nodes_are_no_drift(provider: str) -> None:
    """Upstream compares them with the annotations, and writes at every tick (S25)."""
    router, canary = router_for(provider, RouterSettings()), canary_of(apex={"labels": {"a": "b"}})
    live = built(provider, canary)
    again = router.desired(canary, TRAITS, FINISHED, live)
    assert all(body is live[ref] for ref, body in again.items())


@BOTH
def test_only_the_apex_is_told_to_the_gateway(provider: str) -> None:
    hosts = ["a.example.org", "b.example.org"]
    canary = canary_of(hosts=hosts, timeout="15s", retries={"attempts": 3})
    told = {
        ref.name: body["metadata"]["annotations"]
        for ref, body in built(provider, canary).items()
        if ref.resource.kind == "VirtualService" and "annotations" in body["metadata"]
    }
    (annotations,) = told.values()
    assert {name.removesuffix(".shop") for name in told} == {"cart"}
    assert annotations == {
        "gateway.appmesh.k8s.aws/expose": "true",
        "gateway.appmesh.k8s.aws/domain": "a.example.org,b.example.org,",
        "gateway.appmesh.k8s.aws/timeout": "15s",
        "gateway.appmesh.k8s.aws/retries": "3",
    }


@BOTH
def test_what_is_gone_comes_back(
    provider: str,
) -> None:
    """Upstream writes it only together with a missing VirtualRouter (S25)."""
    router, canary = router_for(provider, RouterSettings()), canary_of()
    whole = built(provider, canary)
    for ref in whole:
        rest = {other: body for other, body in whole.items() if other != ref}
        assert router.desired(canary, TRAITS, FINISHED, rest) == whole


@BOTH
def test_every_entry_has_a_route_and_everybody_else_the_primary(provider: str) -> None:
    entries = [{"headers": {"x-b": {"prefix": str(n)}, "x-a": {"exact": "1"}}} for n in range(12)]
    *tested, others = routes_of(provider, canary_of(*entries))
    assert [route["name"] for route in tested[:3]] == ["cart-a", "cart-a2", "cart-a3"]
    assert [route["priority"] for route in tested] == list(range(10, 22))
    assert (others["name"], others["priority"]) == ("cart-b", 22)
    assert tested[11][HTTP[provider]]["match"] == {
        "prefix": "/",
        "headers": [
            {"name": "x-a", "match": {"exact": "1"}},
            {"name": "x-b", "match": {"prefix": "11"}},
        ],
    }
    assert "headers" not in others[HTTP[provider]]["match"]
    (only,) = others[HTTP[provider]]["action"]["weightedTargets"]
    assert (only["weight"], "cart-primary" in str(only)) == (100, True)


def test_upstreams_priorities_are_kept() -> None:
    routes = routes_of("appmesh", canary_of({"headers": {"x-a": {"exact": "1"}}}))
    assert [(route["name"], route["priority"]) for route in routes] == [
        ("cart-a", 10),
        ("cart-b", 20),
    ]


@BOTH
@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ({"queryParams": {"a": {"exact": "1"}}}, r"match\[0\]\.queryParams cannot be served"),
        (
            {"headers": {"a": {"exact": "1"}}, "sourceLabels": {"app": "web"}},
            r"match\[0\]\.sourceLabels cannot be served",
        ),
        ({"headers": {"a": {"exact": ""}}}, r"match\[0\]\.headers\.a has no value"),
        ({}, r"match\[0\] has no header"),
    ],
)
def test_conditions_that_app_mesh_does_not_have_are_refused(
    provider: str, condition: Object, why: str
) -> None:
    with pytest.raises(ConfigError, match=why):
        built(provider, canary_of(condition))


@pytest.mark.parametrize(
    ("retries", "policy"),
    [
        (None, None),
        ({}, (250, 1, ["gateway-error"])),
        ({"attempts": -1, "perTryTimeout": "soon"}, (250, 1, ["gateway-error"])),
        (
            {"attempts": 3, "perTryTimeout": "1.5s", "retryOn": "gateway-error,client-error"},
            (1500, 3, ["gateway-error", "client-error"]),
        ),
    ],
)
def test_retries(retries: Object | None, policy: tuple[int, int, list[str]] | None) -> None:
    canary = canary_of(retries=retries)
    one, two = (http_of(provider, canary).get("retryPolicy") for provider in HTTP)
    if policy is None:
        assert one is None
        assert two is None
        return
    per_try, attempts, events = policy
    assert one == {
        "perRetryTimeoutMillis": per_try,
        "maxRetries": attempts,
        "httpRetryEvents": events,
    }
    assert two == {
        "perRetryTimeout": {"unit": "ms", "value": per_try},
        "maxRetries": attempts,
        "httpRetryEvents": events,
    }


def test_timeouts_are_those_of_v1beta2() -> None:
    limit = {"perRequest": {"unit": "ms", "value": 15000}}
    assert http_of("appmesh:v1beta2", canary_of(timeout="15s"))["timeout"] == limit
    assert "timeout" not in http_of("appmesh:v1beta2", canary_of(timeout="soon"))
    assert "timeout" not in http_of("appmesh", canary_of(timeout="15s"))


def test_ports_and_protocols_of_listeners() -> None:
    canary = canary_of(targetPort=8080, portName="grpc-web")
    assert "'port': 80," in str(built("appmesh", canary))
    assert "8080" not in str(built("appmesh", canary))
    assert "'port': 8080, 'protocol': 'grpc'" in str(built("appmesh:v1beta2", canary))
    assert "'port': 80, 'protocol': 'http'" in str(
        built("appmesh:v1beta2", canary_of(targetPort="http"))
    )


@BOTH
def test_a_split_is_read_from_the_first_route(provider: str) -> None:
    router, canary, ref = router_for(provider, RouterSettings()), canary_of(), CARRIERS[provider]
    targets = http_of(provider, canary)["action"]["weightedTargets"]
    assert [target["weight"] for target in targets] == [100, 0]
    for weights, route in (((30, 70), Route(primary=70, canary=30)), ((0, 0), None)):
        changed = [target | {"weight": n} for target, n in zip(targets, weights, strict=True)]
        http = {"action": {"weightedTargets": changed}}
        live = {ref: {"spec": {"routes": [{HTTP[provider]: http}]}}}
        assert router.read(canary, live) == route
    assert router.read(canary, {ref: {"spec": {"routes": []}}}) is None
