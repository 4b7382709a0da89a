"""Contour: conditions, taken-over proxies, headers of others, what Contour says."""

import re
from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster.client import Object
from flagger_controller.errors import ConfigError
from flagger_controller.routing import contour_match, router_for
from flagger_controller.routing.base import RouterSettings

CONTOUR = router_for("contour", RouterSettings())
BETA = {"headers": {"x-beta": {"exact": "1"}}}
LAST = Route(primary=0, canary=100)


def canary_with(service: dict[str, Any] | None = None, **analysis: Any) -> Canary:
    return Canary.from_api(
        {
            "metadata": {"name": "cart", "namespace": "shop", "uid": "1"},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
                "service": {"port": 80, **(service or {})},
                "analysis": analysis,
            },
        }
    )


def proxy(*routes: Object, **members: Any) -> Object:
    metadata = {"name": "cart", "namespace": "shop", "generation": 2}
    return {"metadata": metadata, "spec": {"routes": list(routes)}, **members}


def desired(canary: Canary, route: Route, live: Object | None = None) -> Object:
    (ref,) = CONTOUR.refs(canary)
    return CONTOUR.desired(canary, Traits(None), route, {ref: live} if live else {})[ref]


def routes_of(canary: Canary, route: Route, live: Object | None = None) -> list[Object]:
    return list(desired(canary, route, live)["spec"]["routes"])


def read(canary: Canary, live: Object) -> Route | None:
    return CONTOUR.read(canary, {CONTOUR.refs(canary)[0]: live})


def settled(canary: Canary, status: Object) -> str:
    return CONTOUR.settled(canary, {CONTOUR.refs(canary)[0]: proxy(status=status)})


@pytest.mark.parametrize(
    ("operator", "value", "fits", "fits_not"),
    [
        ("prefix", "a.b", ["a.b", "a.bc"], ["xa.b", "aXb"]),
        ("suffix", "@b.c", ["@b.c", "a@b.c"], ["a@b.cd", "a@bXc"]),
        ("regex", "a+", ["a", "aa"], ["ab"]),
    ],
)
def test_headers_are_compared_as_the_user_says(
    operator: str, value: str, fits: list[str], fits_not: list[str]
) -> None:
    """Upstream: `prefix` and `suffix` anywhere in the value, `regex` everybody (S4, S24)."""
    ((condition,),) = contour_match.LANGUAGE.all_of([{"headers": {"x": {operator: value}}}])
    pattern = condition["header"]["regex"]
    assert all(re.fullmatch(pattern, text) for text in fits)
    assert not any(re.fullmatch(pattern, text) for text in fits_not)


def test_a_prefix_is_named_once_a_route() -> None:
    """Twice makes the whole proxy invalid (S24)."""
    both = {
        "headers": {"b": {"exact": "2"}, "a": {"exact": "1"}},
        "queryParams": {"q": {"prefix": "x"}},
    }
    canary = canary_with({"match": [{"uri": {"prefix": "/cart"}}]}, iterations=5, match=[both])
    assert routes_of(canary, LAST)[0]["conditions"] == [
        {"prefix": "/cart", "header": {"name": "a", "exact": "1"}},
        {"header": {"name": "b", "exact": "2"}},
        {"queryParameter": {"name": "q", "prefix": "x"}},
    ]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, r"spec\.analysis\.match\[1\] has no header or query parameter"),
        ({"headers": {}}, r"spec\.analysis\.match\[1\] has no header or query parameter"),
        ({"headers": {"x": {}}}, r"match\[1\]\.headers\.x: Contour has no empty operator"),
        ({"headers": {"x": None}}, r"match\[1\]\.headers\.x: Contour has no empty operator"),
        (
            {"queryParams": {"q": {"suffix": "x"}}},
            r"queryParams\.q: Contour has no suffix operator",
        ),
        ({"sourceLabels": {"app": "web"}}, r"match\[1\]\.sourceLabels does not exist in Contour"),
        ({**BETA, "sourceLabels": {"app": "web"}}, r"match\[1\]\.sourceLabels does not exist"),
    ],
)
def test_what_contour_cannot_express_is_refused(entry: Object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        desired(canary_with(iterations=5, match=[BETA, entry]), LAST)


@pytest.mark.parametrize(
    ("match", "prefixes"),
    [
        ([], ["/"]),
        ([{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}], ["/a", "/b"]),
        ([{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/a"}}, {"uri": {"exact": "/b"}}], ["/a"]),
        ([{"headers": {"x": {"exact": "1"}}}, {"uri": {"prefix": "/b"}}], ["/", "/b"]),
    ],
)
def test_paths_are_the_prefixes_of_the_service(match: list[Object], prefixes: list[str]) -> None:
    routes = routes_of(canary_with({"match": match}), Route())
    assert [route["conditions"] for route in routes] == [[{"prefix": text}] for text in prefixes]


@pytest.mark.parametrize(
    ("retries", "policy"),
    [
        ({"attempts": 3}, {"count": 3}),
        ({"attempts": 3, "retryOn": "", "perTryTimeout": ""}, {"count": 3}),
        ({"retryOn": "5xx, reset,"}, {"count": 0, "retryOn": ["5xx", "reset"]}),
    ],
)
def test_retries_name_conditions_that_exist(retries: Object, policy: Object) -> None:
    """Upstream writes a condition without a name, which the schema of Contour refuses."""
    assert routes_of(canary_with({"retries": retries}), Route())[0]["retryPolicy"] == policy


def test_routes_of_the_user_survive_unless_they_compete_with_ours() -> None:
    """Of two routes with the same conditions Contour takes either (S28)."""
    competing = {"services": [{"name": "cart", "port": 80}], "enableWebsockets": True}
    other = {"conditions": [{"prefix": "/static"}], "services": [{"name": "assets", "port": 80}]}
    canary = canary_with()
    taken = desired(canary, Route(), proxy(competing, other))
    ours, kept = taken["spec"]["routes"]
    assert kept is other
    assert ours["enableWebsockets"] is True
    assert [service["name"] for service in ours["services"]] == ["cart-primary", "cart-canary"]
    beta = canary_with(iterations=5, match=[BETA])
    assert [len(route["services"]) for route in routes_of(beta, LAST, taken)] == [2, 2, 1]


def test_conditions_are_the_same_in_any_order_of_their_members() -> None:
    canary = canary_with(iterations=5, match=[BETA])
    live = desired(canary, LAST)
    tested, rest = live["spec"]["routes"]
    turned = tested | {"conditions": [dict(reversed(tested["conditions"][0].items()))]}
    turned |= {"enableWebsockets": True}
    again = desired(canary, LAST, live | {"spec": {"routes": [turned, rest]}})
    assert again["spec"]["routes"][0] is turned


def test_headers_that_others_set_survive_and_our_cookie_goes() -> None:
    seen = {"name": "x-seen", "value": "yes"}
    cookies = {"cookieName": "ck", "primaryCookieName": "pk"}
    canary = canary_with(stepWeight=10, sessionAffinity=cookies)
    names = {"session_affinity_cookie": "ck=abc", "primary_session_affinity_cookie": "pk=def"}
    running = canary.model_copy(update={"status": canary.status.model_copy(update=names)})
    live = desired(running, Route(primary=90, canary=10))
    for route in live["spec"]["routes"]:
        for service in route["services"]:
            policy = service.get("responseHeadersPolicy") or {}
            service["responseHeadersPolicy"] = {"set": [*policy.get("set", ()), seen]}
    assert "Set-Cookie" in str(live)
    (route,) = routes_of(canary, Route(), live)
    assert [service["responseHeadersPolicy"]["set"] for service in route["services"]] == [
        [seen],
        [seen],
    ]


def test_a_mirror_is_spoken_to_as_its_pods_are() -> None:
    canary = canary_with(stepWeight=10, mirror=True)
    (route,) = routes_of(canary, Route())
    services = [service | {"protocol": "h2c"} for service in route["services"]]
    (mirrored,) = routes_of(canary, Route(mirrored=True), proxy(route | {"services": services}))
    assert mirrored["services"][2] == {
        "name": "cart-canary",
        "port": 80,
        "mirror": True,
        "protocol": "h2c",
    }


def test_routes_that_do_not_agree_are_no_split() -> None:
    canary = canary_with({"match": [{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}]})
    half = routes_of(canary, Route(primary=50, canary=50))
    assert read(canary, proxy(*half)) == Route(primary=50, canary=50)
    assert read(canary, proxy(half[0], routes_of(canary, Route())[1])) is None


def test_a_split_without_weights_is_none() -> None:
    """Contour then gives each service the same share (S33)."""
    services = [{"name": name, "port": 80} for name in ("cart-primary", "cart-canary")]
    assert read(canary_with(), proxy({"services": services})) is None


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({}, ""),
        (
            {"currentStatus": "valid", "conditions": [{"type": "Valid", "observedGeneration": 2}]},
            "",
        ),
        ({"currentStatus": "orphaned", "description": "not included"}, ""),
        (
            {"currentStatus": "valid", "conditions": [{"type": "Valid", "observedGeneration": 1}]},
            "HTTPProxy cart.shop is not in force: Contour has not seen the latest change yet",
        ),
        (
            {"currentStatus": "invalid", "description": "At least one error"},
            "HTTPProxy cart.shop is invalid: At least one error",
        ),
        (
            {
                "currentStatus": "invalid",
                "conditions": [
                    {"type": "Valid", "observedGeneration": 2, "errors": [{"message": "no port"}]}
                ],
            },
            "HTTPProxy cart.shop is invalid: no port",
        ),
    ],
)
def test_what_contour_says_about_the_proxy_counts(status: Object, reason: str) -> None:
    """Upstream asks nobody, and moves traffic that never arrives (S37)."""
    assert settled(canary_with(), status) == reason


def test_the_class_is_the_users_unless_a_flag_names_it() -> None:
    canary = canary_with()
    live = proxy()
    live["spec"]["ingressClassName"] = "edge"
    assert desired(canary, Route(), live)["spec"]["ingressClassName"] == "edge"
    (ref,) = CONTOUR.refs(canary)
    named = router_for("contour", RouterSettings(ingress_class="contour"))
    body = named.desired(canary, Traits(None), Route(), {ref: live})[ref]
    assert body["spec"]["ingressClassName"] == "contour"
