"""Gloo: the Upstream that the user refers to, conditions as alternatives, and what is read."""

from collections.abc import Mapping
from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Selector, Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing import kubernetes, router_for
from flagger_controller.routing.base import RouterSettings

GLOO = router_for("gloo", RouterSettings())
TRAITS = Traits(Selector("app", "cart"))
HALF = Route(primary=50, canary=50)
MODEL = {"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "name": "settings"}
PRIMARY = Ref(resources.UPSTREAMS, "shop-cart-primaryupstream-80", "shop")


def canary_of(match: tuple[Object, ...] = (), **spec: Any) -> Canary:
    return Canary.from_api(
        {
            "metadata": {"name": "cart", "namespace": "shop", "uid": "1"},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
                "service": {"port": 80},
                "analysis": {"iterations": 5, "match": match},
                **spec,
            },
        }
    )


def services(canary: Canary) -> Mapping[Ref, Object]:
    return kubernetes.services(canary, TRAITS, {}, which=kubernetes.Which.BACKENDS)


def table(canary: Canary, route: Route = HALF) -> list[Object]:
    *_, body = GLOO.desired(canary, TRAITS, route, services(canary)).values()
    return list(body["spec"]["routes"])


def model(**spec: Any) -> Object:
    return {"metadata": {"name": "settings"}, "spec": {"static": {}, **spec}}


@pytest.mark.parametrize(("given", "namespace"), [({}, "shop"), ({"namespace": "edge"}, "edge")])
def test_the_users_upstream_is_in_the_canarys_namespace_by_default(
    given: Object, namespace: str
) -> None:
    """Upstream asks for one without a namespace and finds none (S22)."""
    canary = canary_of(upstreamRef={**MODEL, **given})
    ref = Ref(resources.UPSTREAMS, "settings", namespace)
    assert ref in GLOO.refs(canary)
    live = {**services(canary), ref: model(useHttp2=True)}
    assert GLOO.desired(canary, TRAITS, HALF, live)[PRIMARY]["spec"]["useHttp2"] is True


def test_upstreams_follow_the_users_one_and_then_rest() -> None:
    """Upstream follows loadBalancerConfig only, and patches for ever once it is gone (S22)."""
    canary = canary_of(upstreamRef=MODEL)
    ref = Ref(resources.UPSTREAMS, "settings", "shop")
    live = {
        **services(canary),
        ref: model(loadBalancerConfig={"roundRobin": {}}, labels={"a": "b"}),
    }
    live |= GLOO.desired(canary, TRAITS, HALF, live)
    assert live[PRIMARY]["spec"]["loadBalancerConfig"] == {"roundRobin": {}}
    live[ref] = model(connectionConfig={"connectTimeout": "2s"})
    live |= GLOO.desired(canary, TRAITS, HALF, live)
    assert live[PRIMARY]["spec"].keys() == {"kube", "connectionConfig"}
    again = GLOO.desired(canary, TRAITS, HALF, live)
    assert all(body is live[ref] for ref, body in again.items())


def test_a_users_upstream_that_is_missing_holds_back_the_first_release_only() -> None:
    canary = canary_of(upstreamRef=MODEL)
    with pytest.raises(ConfigError, match=r"settings\.shop does not exist: .*spec\.upstreamRef"):
        GLOO.desired(canary, TRAITS, HALF, {})
    ref = Ref(resources.UPSTREAMS, "settings", "shop")
    assert GLOO.referenced(canary) == (ref,)
    live = {**services(canary), ref: model(useHttp2=True)}
    live |= GLOO.desired(canary, TRAITS, HALF, live)
    del live[ref]
    changed = GLOO.desired(canary, TRAITS, Route(), live)
    assert changed[PRIMARY] is live[PRIMARY]
    assert GLOO.read(canary, changed) == Route()


def test_nothing_is_written_before_the_services_are_there() -> None:
    assert GLOO.desired(canary_of(), TRAITS, HALF, {}) == {}


def test_selectors_follow_the_services() -> None:
    canary = canary_of()
    live = dict(services(canary))
    live |= GLOO.desired(canary, TRAITS, HALF, live)
    for ref in services(canary):
        live[ref] = live[ref] | {"spec": {"selector": {"run": ref.name}}}
    kube = GLOO.desired(canary, TRAITS, HALF, live)[PRIMARY]["spec"]["kube"]
    assert kube["selector"] == {"run": "cart-primary"}


def test_another_port_is_another_upstream() -> None:
    """Upstreams of the old port stay until the Canary goes; the RouteTable names them no more."""
    old, new = canary_of(), canary_of(service={"port": 8080})
    live = {**services(old), **GLOO.desired(old, TRAITS, HALF, services(old))}
    written = GLOO.desired(new, TRAITS, HALF, live)
    assert PRIMARY not in written
    assert "upstream-80'" not in str(written)
    assert GLOO.read(new, live) is None
    assert GLOO.read(new, written) == HALF


def test_entries_are_alternatives_and_nobody_is_left_without_a_route() -> None:
    """Upstream wants all headers of all entries at once, and others get 404 (S22)."""
    match = (
        {"headers": {"x-b": {"regex": "1|2"}, "x-a": {"exact": "1"}}},
        {"queryParams": {"beta": {"exact": "1"}}, "headers": {"x-c": {"exact": "1"}}},
    )
    tested, everybody_else = table(canary_of(match), Route(primary=0, canary=100))
    headers = [{"name": "x-a", "value": "1"}, {"name": "x-b", "value": "1|2", "regex": True}]
    assert tested["matchers"] == [
        {"headers": headers},
        {
            "headers": [{"name": "x-c", "value": "1"}],
            "queryParameters": [{"name": "beta", "value": "1"}],
        },
    ]
    assert "matchers" not in everybody_else
    (only,) = everybody_else["routeAction"]["multi"]["destinations"]
    assert (only["destination"]["upstream"]["name"], only["weight"]) == (PRIMARY.name, 100)


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ({"headers": {"x-a": {"prefix": "1"}}}, r"match\[1\]\.headers\.x-a: Gloo has no prefix"),
        ({"headers": {"x-a": {"suffix": "1"}}}, r"headers\.x-a: Gloo has no suffix operator"),
        ({"queryParams": {"a": {"prefix": "1"}}}, r"queryParams\.a: Gloo has no prefix operator"),
        ({"queryParams": {"a": {}}}, r"queryParams\.a: Gloo has no empty operator"),
        ({"sourceLabels": {"app": "web"}}, r"match\[1\]\.sourceLabels cannot be served"),
        (
            {"headers": {"x-a": {"exact": "1"}}, "sourceLabels": {"app": "web"}},
            r"match\[1\]\.sourceLabels cannot be served",
        ),
        ({}, r"match\[1\] has no header or query parameter"),
    ],
)
def test_conditions_that_gloo_does_not_have_are_refused(condition: Object, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        table(canary_of(({"headers": {"x-a": {"exact": "1"}}}, condition)))


@pytest.mark.parametrize(
    ("weights", "route"),
    [
        ({"primary": 90, "canary": 10}, Route(primary=90, canary=10)),
        ({"primary": 100, "canary": None}, Route()),
        ({"canary": 100}, Route(primary=0, canary=100)),
        ({"primary": None, "canary": None}, None),
        ({"primary": 50}, None),
        ({"other": 100}, None),
        ({}, None),
    ],
)
def test_a_missing_weight_is_zero(weights: Mapping[str, int | None], route: Route | None) -> None:
    destinations = [
        {
            "destination": {"upstream": {"name": f"shop-cart-{name}upstream-80"}},
            "weight": weight,
        }
        for name, weight in weights.items()
    ]
    routes = [{"routeAction": {"multi": {"destinations": destinations}}}]
    live = {Ref(resources.ROUTE_TABLES, "cart", "shop"): {"spec": {"routes": routes}}}
    assert GLOO.read(canary_of(), live) == route
