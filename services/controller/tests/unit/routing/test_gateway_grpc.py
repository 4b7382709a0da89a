"""Gateway API: a generated GRPCRoute, which a Canary asks for by an annotation."""

from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing import router_for
from flagger_controller.routing.base import RouterSettings

ROUTER = router_for("gatewayapi:v1", RouterSettings())
GRPC = Ref(resources.GRPC_ROUTES, "cart", "shop")
SOME = Route(primary=80, canary=20)


def canary_with(kind: str = "GRPCRoute", service: Object | None = None, **analysis: Any) -> Canary:
    return Canary.from_api(
        {
            "metadata": {
                "name": "cart",
                "namespace": "shop",
                "uid": "1",
                "annotations": {"flagger.app/gateway-route": kind},
            },
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
                "service": {"port": 9000, "gatewayRefs": [{"name": "edge"}], **(service or {})},
                "analysis": {"stepWeight": 10, **analysis},
            },
        }
    )


def desired(canary: Canary, route: Route = SOME, live: Object | None = None) -> Object:
    found = {} if live is None else {GRPC: live}
    return dict(ROUTER.desired(canary, Traits(None), route, found))[GRPC]


def weights(rule: Object) -> dict[str, int]:
    return {entry["name"]: entry["weight"] for entry in rule["backendRefs"]}


def test_weights_are_those_of_one_rule_for_everything() -> None:
    canary = canary_with()
    assert ROUTER.refs(canary) == (GRPC,)
    body = desired(canary)
    (rule,) = body["spec"]["rules"]
    assert (body["kind"], rule["matches"]) == ("GRPCRoute", [{}])
    assert weights(rule) == {"cart-primary": 80, "cart-canary": 20}
    assert ROUTER.read(canary, {GRPC: body}) == SOME
    assert desired(canary, live=body) is body


def test_without_the_annotation_it_is_an_http_route() -> None:
    """As with upstream, whatever `appProtocol` says: an upgrade must not change the kind."""
    canary = canary_with("HTTPRoute", {"appProtocol": "grpc"})
    assert ROUTER.refs(canary) == (Ref(resources.HTTP_ROUTES, "cart", "shop"),)


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (
            {"uri": {"exact": "/a.B/C"}},
            {"method": {"type": "Exact", "service": "a.B", "method": "C"}},
        ),
        ({"uri": {"prefix": "/a.B/"}}, {"method": {"type": "Exact", "service": "a.B"}}),
        ({"uri": {"prefix": "/a.B"}}, {"method": {"type": "Exact", "service": "a.B"}}),
        ({"uri": {"prefix": "/"}}, {}),
        (
            {"headers": {"x": {"regex": "a.*"}}},
            {"headers": [{"type": "RegularExpression", "name": "x", "value": "a.*"}]},
        ),
    ],
)
def test_methods_are_named_by_their_path(match: Object, expected: Object) -> None:
    (rule,) = desired(canary_with(service={"match": [match]}))["spec"]["rules"]
    assert rule["matches"] == [expected]


def test_conditions_come_within_the_methods_of_the_service() -> None:
    service = {"match": [{"uri": {"prefix": "/a.B/"}}]}
    beta = [{"headers": {"x-beta": {"exact": "1"}}}]
    canary = canary_with(service=service, iterations=5, stepWeight=0, match=beta)
    tested, others = desired(canary, Route(primary=0, canary=100))["spec"]["rules"]
    method = {"type": "Exact", "service": "a.B"}
    header = {"type": "Exact", "name": "x-beta", "value": "1"}
    assert tested["matches"] == [{"method": method, "headers": [header]}]
    assert others["matches"] == [{"method": method}]
    assert (weights(tested)["cart-canary"], weights(others)) == (100, {"cart-primary": 100})


def test_requests_are_mirrored() -> None:
    canary = canary_with(mirror=True, mirrorWeight=20)
    (rule,) = desired(canary, Route(mirrored=True))["spec"]["rules"]
    (entry,) = rule["filters"]
    assert (entry["type"], entry["requestMirror"]["percent"]) == ("RequestMirror", 20)


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ({"timeout": "5s"}, r"spec\.service\.timeout does not exist in a GRPCRoute"),
        ({"backendTimeout": "5s"}, r"spec\.service\.backendTimeout does not exist"),
        ({"retries": {"attempts": 1}}, r"spec\.service\.retries does not exist"),
        ({"rewrite": {"uri": "/"}}, r"spec\.service\.rewrite does not exist"),
        ({"corsPolicy": {"allowOrigin": ["*"]}}, r"spec\.service\.corsPolicy does not exist"),
        ({"match": [{"method": {"exact": "GET"}}]}, r"match\[0\]\.method does not exist"),
        (
            {"match": [{"queryParams": {"q": {"exact": "1"}}}]},
            r"match\[0\]\.queryParams does not exist",
        ),
        ({"match": [{"authority": {"exact": "a"}}]}, r"match\[0\] says nothing"),
        *(
            ({"match": [{"uri": uri}]}, r"match\[0\]\.uri is no method of gRPC")
            for uri in (
                {"regex": "/a/.*"},
                {"exact": "/a"},
                {"prefix": "/a/b"},
                {"prefix": "/a/b/"},
            )
        ),
    ],
)
def test_what_a_grpc_route_does_not_have_is_refused(service: Object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        desired(canary_with(service=service))


@pytest.mark.parametrize(
    ("analysis", "message"),
    [
        ({"sessionAffinity": {"cookieName": "ck"}}, "gRPC clients keep no cookies"),
        ({"match": [{"queryParams": {"q": {"exact": "1"}}}]}, "has no queryParams"),
        ({"match": [{"headers": {"x": {"prefix": "1"}}}]}, "Gateway API has no prefix operator"),
    ],
)
def test_what_cannot_be_analysed_with_grpc_is_refused(analysis: Object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        desired(canary_with(**analysis))


def test_a_kind_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="gateway-route: TCPRoute cannot be generated"):
        ROUTER.desired(canary_with("TCPRoute"), Traits(None), SOME, {})
