"""What is special about APISIX (routing.md 7.8, edges S7, S27 and S33)."""

from collections.abc import Mapping
from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing.apisix import Apisix
from flagger_controller.routing.base import RouterSettings

MAIN = Ref(resources.APISIX_ROUTES, "edge", "shop")
COPY = Ref(resources.APISIX_ROUTES, "edge-cart-canary", "shop")
NONE, SOME, ALL = Route(), Route(primary=90, canary=10), Route(primary=0, canary=100)
ROUTER = Apisix(RouterSettings())


def canary(*match: Mapping[str, Any]) -> Canary:
    return Canary.from_api(
        {
            "metadata": {"name": "cart", "namespace": "shop", "uid": "1"},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
                "routeRef": {
                    "apiVersion": "apisix.apache.org/v2",
                    "kind": "ApisixRoute",
                    "name": "edge",
                },
                "service": {"port": 80},
                "analysis": {"iterations": 5, "match": list(match)},
            },
        }
    )


def backend(service: str, **members: Any) -> Object:
    return {"serviceName": service, "servicePort": 80, **members}


def rule(name: str, *backends: Object, **members: Any) -> Object:
    return {"name": name, "match": {"paths": [f"/{name}"]}, "backends": list(backends), **members}


def main(*rules: Object, **spec: Any) -> dict[Ref, Object]:
    metadata = {"name": "edge", "namespace": "shop"}
    http = list(rules or (rule("all", backend("cart")),))
    return {MAIN: {"kind": "ApisixRoute", "metadata": metadata, "spec": {"http": http, **spec}}}


def made(made_for: Canary, route: Route, live: Mapping[Ref, Object]) -> Object:
    return ROUTER.desired(made_for, Traits(None), route, live)[COPY]


def http(made_for: Canary, route: Route, live: Mapping[Ref, Object]) -> list[Object]:
    return list(made(made_for, route, live)["spec"]["http"])


def test_every_rule_that_leads_to_the_apex_is_copied() -> None:
    live = main(
        rule("a", backend("cart", subset="v1", weight=3)),
        rule("help", backend("help"), backend("faq")),
        rule("b", backend("cart", resolveGranularity="service"), priority=5, websocket=True),
    )
    first, second = http(canary(), SOME, live)
    assert first == {
        "name": "a",
        "match": {"paths": ["/a"]},
        "priority": 10000,
        "websocket": False,
        "backends": [
            backend("cart-primary", subset="v1", weight=90),
            backend("cart-canary", subset="v1", weight=10),
        ],
    }
    assert (second["name"], second["priority"], second["websocket"]) == ("b", 10000, True)
    granularities = [entry["resolveGranularity"] for entry in second["backends"]]
    assert granularities == ["service", "service"]


def test_what_upstream_does_not_know_is_copied() -> None:
    live = main(rule("all", backend("cart", new=1), new=2), new=3, stream=[{"name": "tcp"}])
    spec = made(canary(), SOME, live)["spec"]
    assert (spec["new"], spec["stream"]) == (3, [{"name": "tcp"}])
    assert spec["http"][0]["new"] == 2
    assert [entry["new"] for entry in spec["http"][0]["backends"]] == [1, 1]


def test_what_the_original_has_no_more_goes() -> None:
    plugins = [{"name": "cors", "enable": True}]
    before = main(
        rule("all", backend("cart", subset="v1"), plugins=plugins), stream=[{"name": "x"}]
    )
    live = {**main(), COPY: made(canary(), SOME, before)}
    assert made(canary(), SOME, live) == made(canary(), SOME, main()) | {
        "metadata": live[COPY]["metadata"]
    }


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ([rule("a", backend("other"))], "backend cart not found in apisixroute edge"),
        ([rule("a", backend("cart"), backend("other"))], "http route a only one http backend"),
        ([rule("a", backend("cart"), upstreams=[{"name": "x"}])], "a only one http backend"),
        ([rule("a", backend("cart")), rule("b", backend("cart"), backend("x"))], "http route b"),
    ],
)
def test_routes_that_cannot_be_split_are_refused(rules: list[Object], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        made(canary(), NONE, main(*rules))


def test_a_route_without_rules_is_refused() -> None:
    live = main()
    live[MAIN]["spec"]["http"] = []
    with pytest.raises(ConfigError, match=r"edge\.shop's spec\.http is empty"):
        made(canary(), NONE, live)


def test_entries_are_rules_and_conditions_of_an_entry_go_together() -> None:
    own = {"subject": {"scope": "Cookie", "name": "tenant"}, "op": "Equal", "value": "a"}
    match = {"paths": ["/*"], "exprs": [own]}
    live = main(rule("a", backend("cart")) | {"match": match}, rule("b", backend("cart")))
    tested = canary(
        {"headers": {"x-b": {"exact": "1"}, "x-a": {"regex": "a|b"}}},
        {"queryParams": {"beta": {"prefix": "t."}}},
    )
    rules = http(tested, ALL, live)
    assert [each["name"] for each in rules] == ["a-0", "a-1", "b-0", "b-1"]
    headers = [
        {"subject": {"scope": "Header", "name": "x-a"}, "op": "RegexMatch", "value": "^(?:a|b)$"},
        {"subject": {"scope": "Header", "name": "x-b"}, "op": "Equal", "value": "1"},
    ]
    query = {"subject": {"scope": "Query", "name": "beta"}, "op": "RegexMatch", "value": r"^t\."}
    assert [each["match"]["exprs"] for each in rules] == [
        [own, *headers],
        [own, query],
        headers,
        [query],
    ]
    assert [each["match"]["paths"] for each in rules] == [["/*"], ["/*"], ["/b"], ["/b"]]
    assert {each["priority"] for each in rules} == {10000}


def test_conditions_go_with_the_strategy() -> None:
    tested = canary({"headers": {"x-a": {"exact": "1"}}})
    live = {**main(), COPY: made(tested, ALL, main())}
    assert http(canary(), NONE, live) == http(canary(), NONE, main())


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({}, r"match\[0\] says nothing"),
        ({"headers": {"a": {"exact": ""}}}, r"match\[0\]\.headers\.a says nothing"),
        ({"headers": {"a": {"exact": "1"}}, "sourceLabels": {"a": "b"}}, r"match\[0\]\.source"),
    ],
)
def test_what_expressions_cannot_say_is_refused(entry: Object, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        made(canary(entry), NONE, main())


def split(*weights: tuple[int | None, int | None]) -> dict[Ref, Object]:
    rules = [
        rule(
            str(index), backend("cart-primary", weight=primary), backend("cart-canary", weight=ours)
        )
        for index, (primary, ours) in enumerate(weights)
    ]
    return {COPY: {"spec": {"http": rules}}}


def test_all_rules_must_say_the_same_split() -> None:
    assert ROUTER.read(canary(), split((90, 10), (90, 10))) == SOME
    assert ROUTER.read(canary(), split((90, 10), (80, 20))) is None
    assert ROUTER.read(canary(), split((90, 0))) is None
    assert ROUTER.read(canary(), split((None, 0))) == NONE
    assert ROUTER.read(canary(), split()) is None
    assert ROUTER.read(canary(), {COPY: {"spec": {"http": [rule("a", backend("x"))]}}}) is None
