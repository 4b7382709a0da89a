"""Gateway API: waiting for the gateway, filters, rewrites."""

from typing import Any

import pytest

from flagger_controller.api.canary import LONGEST, Canary, CanaryService
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster.client import Object
from flagger_controller.errors import ConfigError
from flagger_controller.routing import gateway_filters, router_for
from flagger_controller.routing.base import Router, RouterSettings

NONE = Traits(None)
V1 = router_for("gatewayapi:v1", RouterSettings())
BETA = router_for("gatewayapi:v1beta1", RouterSettings())


def canary_with(service: dict[str, Any], **analysis: Any) -> Canary:
    return Canary.from_api(
        {
            "metadata": {"name": "cart", "namespace": "shop", "uid": "1"},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
                "service": {"port": 80, "gatewayRefs": [{"name": "edge"}], **service},
                "analysis": analysis,
            },
        }
    )


def desired(router: Router, canary: Canary, route: Route | None = None) -> Object:
    (body,) = router.desired(canary, NONE, route or Route(), {}).values()
    return body


def reported(canary: Canary, conditions: list[Object], parent: Object) -> Object:
    body = desired(V1, canary)
    metadata = body["metadata"] | {"generation": 3}
    status = {"parents": [{"parentRef": parent, "conditions": conditions}]}
    return body | {"metadata": metadata, "status": status}


EDGE = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ({"type": "Accepted", "status": "True", "observedGeneration": 3}, ""),
        ({"type": "Accepted", "status": "True", "observedGeneration": 4}, ""),
        ({"type": "Programmed", "status": "False", "observedGeneration": 1}, ""),
        (
            {"type": "Accepted", "status": "True", "observedGeneration": 2},
            "HTTPRoute cart.shop is not accepted by edge: it has not seen the latest change yet",
        ),
        (
            {"type": "Accepted", "status": "False", "message": "no listener", "reason": "X"},
            "HTTPRoute cart.shop is not accepted by edge: no listener",
        ),
        (
            {"type": "Accepted", "status": "Unknown", "reason": "Pending"},
            "HTTPRoute cart.shop is not accepted by edge: Pending",
        ),
    ],
)
def test_the_gateway_must_have_accepted_this_generation(condition: Object, reason: str) -> None:
    canary = canary_with({})
    (ref,) = V1.refs(canary)
    assert V1.settled(canary, {ref: reported(canary, [condition], EDGE)}) == reason


def test_other_parents_and_silent_gateways_are_not_waited_for() -> None:
    canary = canary_with({})
    (ref,) = V1.refs(canary)
    refused = [{"type": "Accepted", "status": "False"}]
    assert V1.settled(canary, {ref: reported(canary, refused, {**EDGE, "name": "other"})}) == ""
    assert V1.settled(canary, {ref: desired(V1, canary)}) == ""
    assert V1.settled(canary, {ref: reported(canary, refused, {"name": "edge"})}) != ""


def test_v1beta1_does_not_wait() -> None:
    canary = canary_with({})
    body = reported(canary, [{"type": "Accepted", "status": "False"}], EDGE)
    assert BETA.settled(canary, {BETA.refs(canary)[0]: body}) == ""


def test_a_gateway_is_needed() -> None:
    with pytest.raises(ConfigError, match=r"spec\.service\.gatewayRefs is empty"):
        desired(V1, canary_with({"gatewayRefs": []}))


def test_v1beta1_has_neither_timeouts_nor_cors() -> None:
    canary = canary_with({"timeout": "5s", "corsPolicy": {"allowOrigin": ["https://x.org"]}})
    assert set(desired(BETA, canary)["spec"]["rules"][0]) == {"matches", "backendRefs"}
    assert set(desired(V1, canary)["spec"]["rules"][0]) == {
        "matches",
        "backendRefs",
        "timeouts",
        "filters",
    }


@pytest.mark.parametrize(
    ("match", "conditions", "possible"),
    [
        ([], [], True),
        ([{"uri": {"prefix": "/a"}}], [], True),
        ([{"uri": {"exact": "/a"}}], [], False),
        ([{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}], [], False),
        ([], [{"headers": {"a": {"exact": "1"}}}], True),
        ([], [{"headers": {"a": {"exact": "1"}}}, {"headers": {"b": {"exact": "1"}}}], False),
    ],
)
def test_prefixes_are_replaced_where_the_schema_allows_it(
    match: list[Object], conditions: list[Object], *, possible: bool
) -> None:
    """The API server accepts a prefix rewrite only in rules with one match by prefix (S38)."""
    rewrite = {"uri": "/", "type": "ReplacePrefixMatch"}
    canary = canary_with({"match": match, "rewrite": rewrite}, match=conditions)
    if possible:
        desired(V1, canary)
    else:
        with pytest.raises(ConfigError, match="ReplacePrefixMatch needs exactly one match"):
            desired(V1, canary)


def test_conditions_win_over_cookies() -> None:
    """Upstream puts the weighted rule between them: everybody goes to the canary (9.3)."""
    canary = canary_with(
        {},
        iterations=5,
        match=[{"headers": {"x-beta": {"exact": "1"}}}],
        sessionAffinity={"cookieName": "ck"},
    )
    status = canary.status.model_copy(update={"session_affinity_cookie": "ck=abc"})
    running = canary.model_copy(update={"status": status})
    tested, others = desired(V1, running, Route(primary=0, canary=100))["spec"]["rules"]
    assert tested["matches"][0]["headers"][0]["name"] == "x-beta"
    assert [backend["name"] for backend in others["backendRefs"]] == ["cart-primary"]


@pytest.mark.parametrize("analysis", [{"stepWeight": 10}, {"iterations": 5}], ids=str)
@pytest.mark.parametrize(("weight", "percent"), [(0, None), (20, 20), (100, None)])
def test_the_mirror_has_a_percentage(analysis: Object, weight: int, percent: int | None) -> None:
    mirroring = canary_with({}, mirror=True, mirrorWeight=weight, **analysis)
    (rule,) = desired(V1, mirroring, Route(mirrored=True))["spec"]["rules"]
    assert rule["filters"][0]["requestMirror"].get("percent") == percent


def test_a_static_mirror_is_no_step_of_the_analysis() -> None:
    canary = canary_with({"mirror": [{"backendRef": {"name": "shadow", "port": 80}}]})
    (ref,) = V1.refs(canary)
    assert V1.read(canary, {ref: desired(V1, canary)}) == Route()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("24h", 86400), ("1m30s", 90), ("1d", 5), ("", 5), ("500ms", 5), ("-5s", 5)),
        ("9" * 400 + "h", LONGEST),
    ],
)
def test_cors_max_age_is_in_whole_seconds(text: str, seconds: int) -> None:
    service = CanaryService.model_validate(
        {"port": 80, "corsPolicy": {"allowOrigin": ["https://x.org"], "maxAge": text}}
    )
    (cors,) = gateway_filters.service_filters(service, cors=True)
    assert cors == {
        "type": "CORS",
        "cors": {"allowOrigins": ["https://x.org"], "maxAge": seconds},
    }


def test_empty_operations_make_no_filter() -> None:
    service = CanaryService.model_validate(
        {"port": 80, "headers": {"request": {"add": {}}, "response": {}}, "rewrite": {"type": "x"}}
    )
    assert gateway_filters.service_filters(service, cors=True) == []


def test_a_cookie_joins_the_filter_that_is_there() -> None:
    """A rule with two ResponseHeaderModifiers is rejected by the API server (S8)."""
    service = CanaryService.model_validate(
        {"port": 80, "headers": {"response": {"add": {"set-cookie": "a=b", "x": "y"}}}}
    )
    filters = gateway_filters.service_filters(service, cors=True)
    (joined,) = gateway_filters.with_cookie(filters, "ck=abc; Max-Age=-1")
    assert joined["responseHeaderModifier"]["add"] == [
        {"name": "x", "value": "y"},
        {"name": "Set-Cookie", "value": "ck=abc; Max-Age=-1"},
    ]
    assert "ck=abc" not in str(filters)


def test_rules_for_the_apex_become_ours_and_others_stay() -> None:
    canary = canary_with({})
    rule = {
        "name": "main",
        "sessionPersistence": {"type": "Cookie"},
        "backendRefs": [{"name": "cart"}],
    }
    others = [{"name": "before", "backendRefs": [{"name": "x"}]}, {"name": "after", "filters": []}]
    rules = [others[0], rule, rule, others[1]]
    live = {
        "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {"parentRefs": [{"name": "other"}], "useDefaultGateways": "All", "rules": rules},
    }
    (ref,) = V1.refs(canary)
    taken = V1.desired(canary, NONE, Route(), {ref: live})[ref]
    ours = desired(V1, canary)["spec"]
    (split,) = ours["rules"]
    kept = {"name": "main", "sessionPersistence": {"type": "Cookie"}}
    assert taken["spec"] == {
        **ours,
        "useDefaultGateways": "All",
        "rules": [others[0], kept | split, others[1]],
    }


RETRIES = {"attempts": 3, "perTryTimeout": "2s", "retryOn": "gateway-error, 429,reset"}


def test_retries_are_for_clusters_that_have_them() -> None:
    canary = canary_with({"retries": RETRIES, "timeout": "9s"})
    (rule,) = desired(V1, canary)["spec"]["rules"]
    assert "retry" not in rule
    assert rule["timeouts"] == {"request": "9s"}
    annotations = {"flagger.app/gateway-retries": "enabled"}
    metadata = canary.metadata.model_copy(update={"annotations": annotations})
    canary = canary.model_copy(update={"metadata": metadata})
    (rule,) = desired(V1, canary)["spec"]["rules"]
    assert rule["retry"] == {"attempts": 3, "codes": [429, 502, 503, 504]}
    assert rule["timeouts"] == {"request": "9s", "backendRequest": "2s"}
    (rule,) = desired(BETA, canary)["spec"]["rules"]
    assert "retry" not in rule
