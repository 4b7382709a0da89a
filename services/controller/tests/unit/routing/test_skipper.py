"""What is special about Skipper (routing.md 7.6, edge S21)."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing.base import RouterSettings
from flagger_controller.routing.skipper import PREDICATES, WEIGHTS, Skipper

MAIN = Ref(resources.INGRESSES, "edge", "shop")
COPY = Ref(resources.INGRESSES, "edge-canary", "shop")
NONE, SOME, ALL = Route(), Route(primary=90, canary=10), Route(primary=0, canary=100)
ROUTER = Skipper(RouterSettings())


def canary(*match: Mapping[str, Any]) -> Canary:
    return Canary.from_api(
        {
            "metadata": {"name": "cart", "namespace": "shop", "uid": "1"},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
                "ingressRef": {
                    "apiVersion": "networking.k8s.io/v1",
                    "kind": "Ingress",
                    "name": "edge",
                },
                "service": {"port": 80},
                "analysis": {"iterations": 5, "match": list(match)},
            },
        }
    )


def path(place: str, service: str) -> Object:
    return {"path": place, "backend": {"service": {"name": service, "port": {"number": 80}}}}


def main(*paths: Object, **annotations: str) -> dict[Ref, Object]:
    named = {f"zalando.org/{key.replace('_', '-')}": text for key, text in annotations.items()}
    metadata: Object = {"name": "edge", "namespace": "shop"}
    if named:
        metadata["annotations"] = named
    rule = {"http": {"paths": list(paths or (path("/", "cart"),))}}
    return {MAIN: {"kind": "Ingress", "metadata": metadata, "spec": {"rules": [rule]}}}


def made(made_for: Canary, route: Route, live: Mapping[Ref, Object]) -> Object:
    return ROUTER.desired(made_for, Traits(None), route, live)[COPY]


def predicates(made_for: Canary, route: Route, own: str = "") -> str:
    live = main(skipper_predicate=own) if own else main()
    return str(made(made_for, route, live)["metadata"]["annotations"][PREDICATES])


def weights(route: Route, live: Mapping[Ref, Object]) -> Any:
    return json.loads(made(canary(), route, live)["metadata"]["annotations"][WEIGHTS])


def test_the_canary_stands_behind_all_paths() -> None:
    live = main(path("/", "cart"), path("/help", "help"), path("/v2", "cart"))
    (rule,) = made(canary(), NONE, live)["spec"]["rules"]
    assert rule["http"]["paths"] == [
        path("/", "cart-primary"),
        path("/help", "help"),
        path("/v2", "cart-primary"),
        path("/", "cart-canary"),
        path("/v2", "cart-canary"),
    ]


def test_an_ingress_without_the_apex_is_refused() -> None:
    with pytest.raises(ConfigError, match="backend cart not found in ingress edge"):
        made(canary(), NONE, main(path("/", "other")))


def test_a_path_that_the_apex_shares_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"at /: .*give cart a path of its own"):
        made(canary(), NONE, main(path("/", "cart"), path("/", "other"), path("/v2", "cart")))


@pytest.mark.parametrize(
    ("route", "own", "written"),
    [
        (NONE, "", "False()"),
        (SOME, "", "Weight(100)"),
        (ALL, "", "Weight(100)"),
        (SOME, 'Method("GET")', 'Weight(100) && Method("GET")'),
        (NONE, 'Method("GET")', 'False() && Method("GET")'),
        (SOME, "Weight(100)", "Weight(100) && Weight(100)"),
        (SOME, 'Header("a", "b&&c")', 'Weight(100) && Header("a", "b&&c")'),
    ],
)
def test_the_copy_is_in_force_while_the_canary_has_traffic(
    route: Route, own: str, written: str
) -> None:
    assert predicates(canary(), route, own) == written


@pytest.mark.parametrize(
    ("headers", "written"),
    [
        ({"x-a": {"exact": "1"}}, 'HeaderRegexp("x-a", "^1$")'),
        ({"x-a": {"exact": 'a.b"'}}, r'HeaderRegexp("x-a", "^a\\.b\"$")'),
        ({"x-a": {"prefix": "a"}}, 'HeaderRegexp("x-a", "^a")'),
        ({"x-a": {"suffix": "a"}}, 'HeaderRegexp("x-a", "a$")'),
        ({"x-a": {"regex": "a|b"}}, 'HeaderRegexp("x-a", "^(?:a|b)$")'),
        (
            {"x-b": {"exact": "2"}, "cookie": {"regex": ".*beta.*"}},
            'HeaderRegexp("cookie", "^(?:.*beta.*)$") && HeaderRegexp("x-b", "^2$")',
        ),
    ],
)
def test_headers_of_an_entry_are_required_together(
    headers: Mapping[str, Any], written: str
) -> None:
    tested = canary({"headers": headers})
    assert predicates(tested, SOME) == f"Weight(100) && {written}"
    assert predicates(tested, SOME, "True()") == f"Weight(100) && {written} && True()"
    assert predicates(tested, NONE) == "False()"


@pytest.mark.parametrize(
    ("match", "text"),
    [
        ([{"headers": {"a": {"exact": "1"}}}] * 2, "has 2 entries, and Skipper can serve one"),
        ([{}], r"match\[0\] has no header"),
        ([{"headers": {"a": {"exact": ""}}}], r"headers\.a says nothing"),
        ([{"headers": {"a": {"exact": "1"}, "A": {"exact": "2"}}}], "a header twice"),
        ([{"queryParams": {"a": {"exact": "1"}}}], r"match\[0\]\.queryParams"),
        (
            [{"headers": {"a": {"exact": "1"}}, "sourceLabels": {"a": "b"}}],
            r"match\[0\]\.sourceLabels",
        ),
    ],
)
def test_what_predicates_cannot_express_is_refused(match: list[Object], text: str) -> None:
    for route in (NONE, ALL):
        with pytest.raises(ConfigError, match=text):
            made(canary(*match), route, main())


def test_weights_of_other_services_stay() -> None:
    live = main(path("/", "cart"), path("/help", "help"), backend_weights='{"cart":1,"help":2}')
    assert weights(SOME, live) == {"cart-canary": 10, "cart-primary": 90, "help": 2}


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_weights_that_cannot_be_read_do_not_matter(text: str) -> None:
    assert weights(SOME, main(backend_weights=text)) == {"cart-canary": 10, "cart-primary": 90}


def test_what_the_original_says_no_more_goes_and_others_keys_stay() -> None:
    live = main(skipper_filter="status(418)", skipper_predicate="True()")
    live[COPY] = made(canary({"headers": {"a": {"exact": "1"}}}), SOME, live)
    live[COPY]["metadata"]["annotations"]["example.com/seen"] = "yes"
    annotations = made(canary(), SOME, {**main(), COPY: live[COPY]})["metadata"]["annotations"]
    assert annotations["example.com/seen"] == "yes"
    assert {key for key in annotations if key.startswith("zalando.org/")} == {PREDICATES, WEIGHTS}
    assert annotations[PREDICATES] == "Weight(100)"
