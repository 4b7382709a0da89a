"""Traefik: A/B beside the user's IngressRoute, mirror, what is left when conditions go."""

import re
from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Phase, Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing import objects, router_for, traefik_rules
from flagger_controller.routing.base import RouterSettings

TRAEFIK = router_for("traefik", RouterSettings())
BETA = {"headers": {"x-beta": {"exact": "1"}}}
NAMED = {"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "name": "shop"}
LAST = Route(primary=0, canary=100)
APEX = {"kind": "TraefikService", "name": "cart"}


def service_ref(name: str) -> Ref:
    return Ref(resources.TRAEFIK_SERVICES, name, "shop")


USERS = Ref(resources.INGRESS_ROUTES, "shop", "shop")
OURS = Ref(resources.INGRESS_ROUTES, "shop-cart-canary", "shop")
SPLIT, CART, MIRROR = service_ref("cart-canary"), service_ref("cart"), service_ref("cart-mirror")


def canary_with(route: Object | None = NAMED, **analysis: Any) -> Canary:
    return Canary.from_api(
        {
            "metadata": {"name": "cart", "namespace": "shop", "uid": "1"},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
                "routeRef": route,
                "service": {"port": 80},
                "analysis": analysis,
            },
        }
    )


def rule(match: str = "Host(`a`)", *services: Object, **members: Any) -> Object:
    return {"match": match, "services": list(services) or [APEX], **members}


def users(*rules: Object, **spec: Any) -> dict[Ref, Object]:
    metadata = {"name": "shop", "namespace": "shop"}
    return {USERS: {"metadata": metadata, "spec": {**spec, "routes": list(rules)}}}


def desired(canary: Canary, route: Route, live: dict[Ref, Object]) -> dict[Ref, Object]:
    return dict(TRAEFIK.desired(canary, Traits(None), route, live))


def copies(live: dict[Ref, Object], *match: Object) -> list[Object]:
    canary = canary_with(iterations=5, match=list(match or (BETA,)))
    return list(desired(canary, LAST, live)[OURS]["spec"]["routes"])


@pytest.mark.parametrize(
    ("match", "condition"),
    [
        ([BETA], "Header(`x-beta`, `1`)"),
        ([{"headers": {"x": {"regex": "a|b"}}}], "HeaderRegexp(`x`, `^(?:a|b)$`)"),
        ([{"headers": {"x": {"prefix": "a.b"}}}], r"HeaderRegexp(`x`, `^a\.b`)"),
        ([{"headers": {"x": {"suffix": "{}"}}}], r"HeaderRegexp(`x`, `\{\}$`)"),
        ([{"queryParams": {"q": {"exact": "1"}}}], "Query(`q`, `1`)"),
        ([{"queryParams": {"q": {"regex": "a+"}}}], "QueryRegexp(`q`, `^(?:a+)$`)"),
        ([{"queryParams": {"q": {"prefix": "+"}}}], r"QueryRegexp(`q`, `^\+`)"),
        (
            [{"headers": {"b": {"exact": "2"}, "a": {"exact": "1"}}}, BETA],
            "(Header(`a`, `1`) && Header(`b`, `2`)) || (Header(`x-beta`, `1`))",
        ),
    ],
)
def test_conditions_are_said_in_the_language_of_traefik(
    match: list[Object], condition: str
) -> None:
    """Traefik looks for an expression anywhere in a value, Istio compares the whole value."""
    (copy,) = copies(users(rule("Host(`a`) || Host(`b`)")), *match)
    assert copy["match"] == f"(Host(`a`) || Host(`b`)) && ({condition})"


@pytest.mark.parametrize(
    ("match", "message"),
    [
        ({}, r"match\[0\] has no header or query parameter"),
        ({"sourceLabels": {"app": "web"}}, r"match\[0\]\.sourceLabels does not exist in Traefik"),
        ({"queryParams": {"q": {"suffix": "x"}}}, r"queryParams\.q: Traefik has no suffix"),
        (
            {"headers": {"x": {"exact": "a`) || Host(`b"}}},
            r"spec\.analysis: x has a backtick",
        ),
    ],
)
def test_what_traefik_cannot_express_is_refused(match: Object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        copies(users(rule()), match)


@pytest.mark.parametrize(
    ("match", "members", "priority"),
    [
        ("Host(`a`)", {}, 10),
        ("Host(`a`)", {"priority": 0}, 10),
        ("Host(`ä`)", {}, 11),
        ("Host(`a`)", {"priority": 7}, 8),
        ("Host(`a`)", {"priority": -1}, 1),
        ("Host(`a`)", {"priority": -9}, -8),
    ],
)
def test_a_copy_wins_over_its_original_only(match: str, members: Object, priority: int) -> None:
    """A rule without priority has its length in bytes, and nought means no priority."""
    (copy,) = copies(users(rule(match, **members)))
    assert copy["priority"] == priority


def test_rules_are_copied_with_all_they_have_and_go_with_the_users() -> None:
    entry = {**APEX, "namespace": "shop", "port": 80, "middlewares": [{"name": "auth"}]}
    other = rule("Host(`b`)", {"kind": "TraefikService", "name": "blog"})
    foreign = rule("Host(`c`)", {**APEX, "namespace": "elsewhere"})
    plain = rule("Host(`d`)", {"name": "cart", "port": 80})
    full = rule("Host(`a`)", entry, {"name": "legacy"}, middlewares=[{"name": "m"}], later=1)
    live = users(other, full, foreign, plain, entryPoints=["web"], tls={"secretName": "s"}, new=2)
    canary = canary_with(iterations=5, match=[BETA])
    found = desired(canary, LAST, live)
    (copy,) = found[OURS]["spec"]["routes"]
    assert copy["services"] == [{**entry, "name": "cart-canary"}, {"name": "legacy"}]
    assert (copy["middlewares"], copy["later"]) == ([{"name": "m"}], 1)
    spec = found[OURS]["spec"]
    assert (spec["entryPoints"], spec["tls"], spec["new"]) == (["web"], {"secretName": "s"}, 2)
    assert USERS not in found
    less = desired(canary, LAST, {**found, **users(rule(), entryPoints=["web"])})[OURS]["spec"]
    assert "tls" not in less
    assert "middlewares" not in less["routes"][0]


def test_a_copy_is_selected_by_traefik_as_its_original_is() -> None:
    live = users(rule())
    kubectl = {objects.LAST_APPLIED: "{}"}
    live[USERS]["metadata"] |= {
        "labels": {"edge": "public"},
        "annotations": {"kubernetes.io/ingress.class": "edge", **kubectl},
    }
    found = desired(canary_with(iterations=5, match=[BETA]), LAST, live)[OURS]["metadata"]
    assert found["labels"] == {"edge": "public"}
    expected = {"kubernetes.io/ingress.class": "edge", **objects.HANDS_OFF}
    assert found["annotations"] == expected


@pytest.mark.parametrize(
    ("route", "live", "message"),
    [
        (None, {}, r"set spec\.routeRef to its apiVersion traefik\.io/v1alpha1"),
        ({**NAMED, "kind": "ApisixRoute"}, {}, r"set spec\.routeRef to its apiVersion"),
        (NAMED, {}, r"IngressRoute shop\.shop does not exist: correct spec\.routeRef"),
        (NAMED, users(rule("Host(`a`)", {"name": "blog"})), r"refers to the TraefikService cart"),
        (NAMED, users(rule(syntax="v2")), r"has the syntax v2"),
    ],
)
def test_rules_that_cannot_be_copied_are_refused(
    route: Object | None, live: dict[Ref, Object], message: str
) -> None:
    """Upstream ignores the conditions, and everybody gets the canary (S7)."""
    canary = canary_with(route, iterations=5, match=[BETA])
    with pytest.raises(ConfigError, match=message):
        desired(canary, LAST, live)


def test_an_ingress_route_of_another_controller_is_left_alone() -> None:
    live = users(rule())
    canary = canary_with(iterations=5, match=[BETA])
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x", "controller": True}
    taken = {"metadata": {"name": "shop-cart-canary", "ownerReferences": [owner]}, "spec": {}}
    with pytest.raises(ConfigError, match="is controlled by Deployment x"):
        desired(canary, LAST, {**live, OURS: taken})


def test_without_the_conditions_everybody_stays_on_the_primary() -> None:
    """Everybody else is on the primary while tested requests are on the canary, and after."""
    live = users(rule())
    live |= desired(canary_with(iterations=5, match=[BETA]), LAST, live)
    whole = [{"name": "cart-primary", "namespace": "shop", "port": 80, "weight": 100}]
    assert live[CART]["spec"]["weighted"]["services"] == whole
    assert live[SPLIT]["spec"]["weighted"]["services"] == [{**whole[0], "name": "cart-canary"}]
    after = desired(canary_with(stepWeight=10), Route(primary=90, canary=10), live)
    assert after[SPLIT]["spec"]["weighted"]["services"] == whole
    assert after[OURS]["spec"]["routes"] == []
    assert [entry["weight"] for entry in after[CART]["spec"]["weighted"]["services"]] == [90, 10]
    unnamed = desired(canary_with(None, stepWeight=10), Route(primary=90, canary=10), live)
    assert set(unnamed) == {SPLIT, CART}
    assert unnamed[SPLIT]["spec"]["weighted"]["services"] == whole


def test_tested_requests_speak_to_pods_as_all_others_do() -> None:
    """Traefik knows a backend once, in whatever TraefikService it is."""
    live = users(rule()) | desired(canary_with(stepWeight=10), Route(), {})
    live[CART]["spec"]["weighted"]["services"][0]["scheme"] = "https"
    canary = canary_with(iterations=5, match=[BETA])
    for _ in range(2):
        live |= desired(canary, LAST, live)
        for ref in (SPLIT, CART):
            (entry,) = live[ref]["spec"]["weighted"]["services"]
            assert entry["scheme"] == "https"


def test_a_traefik_service_of_the_user_is_no_leftover() -> None:
    theirs = {"metadata": {"name": "cart-canary", "namespace": "shop"}, "spec": {"weighted": {}}}
    assert set(desired(canary_with(stepWeight=10), LAST, {SPLIT: theirs})) == {CART}


def test_a_mirror_speaks_to_pods_as_the_apex_does_and_gives_that_back() -> None:
    canary = canary_with(stepWeight=10, mirror=True, mirrorWeight=20)
    live = desired(canary, Route(), {})
    (entry,) = live[CART]["spec"]["weighted"]["services"]
    entry |= {"scheme": "https", "kind": "Service"}
    live |= desired(canary, Route(mirrored=True), live)
    assert live[CART]["spec"]["weighted"]["services"] == [
        {
            "kind": "TraefikService",
            "name": "cart-mirror",
            "namespace": "shop",
            "scheme": "https",
            "weight": 100,
        }
    ]
    backend = {"namespace": "shop", "port": 80, "scheme": "https"}
    assert live[MIRROR]["spec"]["mirroring"] == {
        **backend,
        "name": "cart-primary",
        "mirrors": [{**backend, "name": "cart-canary", "percent": 20}],
    }
    assert TRAEFIK.read(canary, live) == Route(mirrored=True)
    live |= desired(canary, Route(), live)
    (entry,) = live[CART]["spec"]["weighted"]["services"]
    assert entry == {**backend, "name": "cart-primary", "weight": 100}


def test_all_requests_are_copied_without_a_percentage() -> None:
    """Traefik copies nothing where no percentage is given."""
    (copy,) = desired(canary_with(iterations=5, mirror=True), Route(mirrored=True), {})[MIRROR][
        "spec"
    ]["mirroring"]["mirrors"]
    assert copy["percent"] == 100


def test_expressions_are_anchored() -> None:
    ((pattern,),) = traefik_rules.LANGUAGE.all_of([{"headers": {"x": {"regex": "a|b"}}}])
    (expression,) = re.findall(r"`(\^.*)`", pattern)
    assert [bool(re.search(expression, text)) for text in ("a", "b", "ab", "xb")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("route", [Route(), LAST])
def test_a_run_goes_on_and_back_when_the_users_rules_vanish(route: Route) -> None:
    canary = canary_with(iterations=5, match=[BETA])
    live = desired(canary, LAST, users(rule()))
    status = canary.status.model_copy(update={"phase": Phase.PROGRESSING})
    found = desired(canary.model_copy(update={"status": status}), route, live)
    assert found[OURS] is live[OURS]
    assert TRAEFIK.read(canary, {**live, **found}) == route
    (entry,) = found[CART]["spec"]["weighted"]["services"]
    assert entry["name"] == "cart-primary"
