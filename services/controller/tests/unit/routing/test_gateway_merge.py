"""Splits in a route of the user's: what is ours, and that everything else stays."""

import copy
import json
from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing import gateway_merge, router_for
from flagger_controller.routing.base import RouterSettings

NONE = Traits(None)
ROUTER = router_for("gatewayapi:v1", RouterSettings())
GROUP = "gateway.networking.k8s.io"
REF = Ref(resources.HTTP_ROUTES, "shop", "web")
HALF, ALL, CALM = Route(primary=50, canary=50), Route(primary=0, canary=100), Route()
MATCH = [{"headers": {"x-beta": {"exact": "1"}}}]
COOKIES = {"cookieName": "ck"}
PATH = {"path": {"type": "PathPrefix", "value": "/cart"}}
CART: Object = {
    "name": "cart",
    "matches": [PATH],
    "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x"]}}],
    "timeouts": {"request": "5s"},
    "retry": {"attempts": 2},
    "backendRefs": [{"group": "", "kind": "Service", "name": "cart", "port": 80, "weight": 1}],
}
STATIC: Object = {
    "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
    "backendRefs": [{"group": "", "kind": "Service", "name": "static", "port": 80, "weight": 3}],
}
MOVED: Object = {
    "matches": [{"path": {"type": "Exact", "value": "/old"}}],
    "filters": [{"type": "RequestRedirect", "requestRedirect": {"hostname": "new.example.org"}}],
}


def canary(kind: str = "HTTPRoute", status: Object | None = None, **analysis: Any) -> Canary:
    reference = {"apiVersion": f"{GROUP}/v1", "kind": kind, "name": "shop"}
    return Canary.from_api(
        {
            "metadata": {"name": "cart", "namespace": "web", "uid": "1"},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
                "routeRef": reference,
                "service": {"port": 80},
                "analysis": analysis,
            },
            "status": status or {},
        }
    )


def live(*rules: Object, kind: str = "HTTPRoute") -> Object:
    metadata = {"name": "shop", "namespace": "web", "labels": {"team": "web"}, "generation": 4}
    spec = {"parentRefs": [{"name": "edge"}], "hostnames": ["a.example.org"], "rules": [*rules]}
    body = {"kind": kind, "metadata": metadata, "spec": spec}
    return copy.deepcopy(body)


def at(asked: Canary, route: Route, found: Object, ref: Ref = REF) -> Object:
    wanted = ROUTER.desired(asked, NONE, route, {ref: found})
    assert [*wanted] == [*ROUTER.refs(asked)] == [*ROUTER.referenced(asked)] == [ref]
    return wanted[ref]


def backends(rule: Object) -> dict[str, int]:
    return {entry["name"]: entry["weight"] for entry in rule["backendRefs"]}


def test_only_the_backends_of_our_rule_change() -> None:
    found = live(MOVED, CART, STATIC)
    split = at(canary(), HALF, found)
    moved, cart, static = split["spec"]["rules"]
    assert (moved, static) == (MOVED, STATIC)
    assert cart | {"backendRefs": []} == CART | {"backendRefs": []}
    assert backends(cart) == {"cart-primary": 50, "cart-canary": 50}
    assert split["metadata"] == found["metadata"]
    assert split["spec"] | {"rules": []} == found["spec"] | {"rules": []}


ANALYSES: list[Object] = [
    {},
    {"match": MATCH, "iterations": 2},
    {"mirror": True, "mirrorWeight": 10},
    {"sessionAffinity": COOKIES},
]


@pytest.mark.parametrize("analysis", ANALYSES, ids=str)
def test_a_run_leaves_nothing_behind(analysis: Object) -> None:
    found = live(MOVED, CART, STATIC)
    body = found
    running = canary(status={"sessionAffinityCookie": "ck=abc"}, **analysis)
    for route in (CALM, Route(mirrored=bool(analysis.get("mirror"))), HALF, ALL):
        body = at(running, route, body)
        assert ROUTER.read(running, {REF: body}) == route
        assert at(running, route, body) is body
    assert at(canary(**analysis), CALM, body) == found
    assert ROUTER.reverted(running, {REF: body}) == {REF: found}


def test_without_a_canary_the_route_is_not_touched() -> None:
    found = live(CART | {"backendRefs": [CART["backendRefs"][0] | {"weight": 7}]})
    assert at(canary(match=MATCH), CALM, found) is found
    assert ROUTER.read(canary(), {REF: found}) == CALM


def test_conditions_come_before_the_rule_and_carry_its_options() -> None:
    beta, cart = at(canary(match=MATCH, iterations=2), ALL, live(CART))["spec"]["rules"]
    assert "name" not in beta
    assert beta["retry"] == CART["retry"]
    assert beta["filters"] == CART["filters"]
    assert beta["matches"] == [PATH | {"headers": [_exact("x-beta", "1")]}]
    assert backends(beta) == {"cart-primary": 0, "cart-canary": 100}
    assert cart["name"] == "cart"
    assert backends(cart) == {"cart-primary": 100}


def _exact(name: str, value: str) -> Object:
    return {"type": "Exact", "name": name, "value": value}


def test_an_owners_rule_with_the_same_conditions_stays() -> None:
    own = {**CART, "name": "beta", "matches": [PATH | {"headers": [_exact("x-beta", "1")]}]}
    asked = canary(match=MATCH, iterations=2)
    tested = at(asked, ALL, live(own, CART))
    assert [rule.get("name") for rule in tested["spec"]["rules"]] == [None, "beta", None, "cart"]
    assert at(asked, CALM, tested) == live(own, CART)


def test_what_the_owner_applies_during_a_run_is_split_again() -> None:
    asked = canary(match=MATCH, iterations=2)
    tested = at(asked, ALL, live(CART))
    applied = copy.deepcopy(tested)
    applied["spec"]["rules"] = [MOVED, CART]
    again = at(asked, ALL, applied)
    assert again["spec"]["rules"] == [MOVED, *tested["spec"]["rules"]]
    assert json.loads(again["metadata"]["annotations"][gateway_merge.INSERTED]).keys() == {"1"}


def test_cookies_are_set_beside_the_owners_filters() -> None:
    header = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["y"]}}
    entry = CART["backendRefs"][0] | {"filters": [header]}
    found = live(CART | {"backendRefs": [entry]})
    running = canary(status={"sessionAffinityCookie": "ck=abc"}, sessionAffinity=COOKIES)
    split = at(running, HALF, found)
    primary, target = split["spec"]["rules"][-1]["backendRefs"]
    assert primary["filters"] == [header]
    assert [each["type"] for each in target["filters"]] == [
        "RequestHeaderModifier",
        "ResponseHeaderModifier",
    ]
    assert at(canary(sessionAffinity=COOKIES), CALM, split) == found


def test_the_clients_of_a_finished_run_forget_their_cookie() -> None:
    over = canary(status={"previousSessionAffinityCookie": "ck=abc"}, sessionAffinity=COOKIES)
    expiring, cart = at(over, CALM, live(CART))["spec"]["rules"]
    assert "ck=abc; Max-Age=-1" in json.dumps(expiring)
    assert backends(cart) == {"cart-primary": 100, "cart-canary": 0}


def test_a_grpc_route_is_split() -> None:
    ref = Ref(resources.GRPC_ROUTES, "shop", "web")
    rule = {"backendRefs": CART["backendRefs"]}
    found = live(rule, kind="GRPCRoute")
    asked = canary("GRPCRoute", match=MATCH, iterations=2)
    beta, others = at(asked, ALL, found, ref)["spec"]["rules"]
    assert beta["matches"] == [{"headers": [_exact("x-beta", "1")]}]
    assert backends(others) == {"cart-primary": 100}
    assert at(asked, CALM, at(asked, ALL, found, ref), ref) == found


OTHER = CART["backendRefs"][0] | {"name": "other"}
MODIFIER = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"remove": ["y"]}}


@pytest.mark.parametrize(
    ("asked", "found", "text"),
    [
        (canary(), None, "HTTPRoute shop.web does not exist: create it"),
        (canary(), live(STATIC), "sends no requests to us: add a rule with Service cart"),
        (
            canary(),
            live(CART | {"backendRefs": [*CART["backendRefs"], OTHER]}),
            r"other backends beside ours \(other\)",
        ),
        (
            canary(status={"sessionAffinityCookie": "ck=abc"}, sessionAffinity=COOKIES),
            live(CART | {"backendRefs": [CART["backendRefs"][0] | {"filters": [MODIFIER]}]}),
            "move the route's own one from its backend to the rule",
        ),
    ],
)
def test_what_cannot_be_split_is_refused(asked: Canary, found: Object | None, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        ROUTER.desired(asked, NONE, HALF, {} if found is None else {REF: found})


@pytest.mark.parametrize(
    ("analysis", "text"),
    [
        ({"sessionAffinity": COOKIES}, "gRPC clients keep no cookies"),
        ({"match": [{"queryParams": {"a": {"exact": "b"}}}]}, "has no queryParams"),
    ],
)
def test_what_grpc_does_not_have_is_refused(analysis: Object, text: str) -> None:
    ref = Ref(resources.GRPC_ROUTES, "shop", "web")
    with pytest.raises(ConfigError, match=text):
        at(canary("GRPCRoute", **analysis), HALF, live(CART, kind="GRPCRoute"), ref)


def test_a_broken_mark_is_named() -> None:
    found = live(CART)
    found["metadata"]["annotations"] = {gateway_merge.INSERTED: "[oops"}
    with pytest.raises(ConfigError, match=r"flagger\.app/inserted-rules"):
        at(canary(), HALF, found)


@pytest.mark.parametrize("analysis", [{}, {"sessionAffinity": COOKIES}], ids=str)
def test_a_rollback_is_not_held_back_by_other_backends(analysis: Object) -> None:
    over = canary(status={"previousSessionAffinityCookie": "ck=abc"}, **analysis)
    split = at(canary(), HALF, live(CART))
    split["spec"]["rules"][0]["backendRefs"].append(OTHER)
    with pytest.raises(ConfigError, match="other backends beside ours"):
        at(over, ALL, split)
    (rule,) = at(over, CALM, split)["spec"]["rules"]
    assert backends(rule) == {"cart": 1, "other": 1}


def test_a_rollback_is_not_held_back_by_a_route_that_is_gone() -> None:
    running = canary(status={"phase": "Progressing"}, stepWeight=10)
    assert ROUTER.desired(running, NONE, CALM, {}) == {}
    for asked, route in ((running, HALF), (canary(stepWeight=10), CALM)):
        with pytest.raises(ConfigError, match=r"HTTPRoute shop\.web does not exist"):
            ROUTER.desired(asked, NONE, route, {})


def test_a_revert_is_not_held_back_by_other_backends() -> None:
    split = at(canary(), HALF, live(CART))
    split["spec"]["rules"][0]["backendRefs"].append(OTHER)
    (reverted,) = ROUTER.reverted(canary(), {REF: split}).values()
    assert reverted is not None
    assert backends(reverted["spec"]["rules"][0]) == {"cart": 1, "other": 1}
    assert ROUTER.reverted(canary(), {}) == {}


def test_a_route_of_apisix_is_no_concern() -> None:
    spec = canary().spec.model_copy(
        update={"route_ref": canary().spec.route_ref and _apisix(), "service": _gateway()}
    )
    asked = canary().model_copy(update={"spec": spec})
    (ref,) = ROUTER.refs(asked)
    assert ref.name == "cart"


def _apisix() -> Any:
    reference = canary().spec.route_ref
    assert reference is not None
    return reference.model_copy(update={"api_version": "apisix.apache.org/v2"})


def _gateway() -> Any:
    service = canary().spec.service
    assert service is not None
    return service.model_copy(update={"gateway_refs": ({"name": "edge"},)})
