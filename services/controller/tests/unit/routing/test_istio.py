"""Istio: take-over and return, TCP, delegation, conditions."""

import json
from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster.client import Object
from flagger_controller.errors import ConfigError
from flagger_controller.routing import istio, objects, router_for
from flagger_controller.routing.base import RouterSettings

NONE = Traits(None)
ISTIO = router_for("istio", RouterSettings())
USERS = {"hosts": ["cart"], "http": [{"route": [{"destination": {"host": "cart"}}]}]}


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


def with_cookie(canary: Canary) -> Canary:
    """The Canary during a run, which has a cookie."""
    status = canary.status.model_copy(update={"session_affinity_cookie": "ck=abc"})
    return canary.model_copy(update={"status": status})


def virtual_service(spec: Object, annotations: dict[str, str] | None = None) -> Object:
    return {
        "apiVersion": "networking.istio.io/v1beta1",
        "kind": "VirtualService",
        "metadata": {"name": "cart", "namespace": "shop", "annotations": annotations or {}},
        "spec": spec,
    }


def desired(canary: Canary, route: Route, live: Object | None = None) -> Object:
    ref = ISTIO.refs(canary)[2]
    return ISTIO.desired(canary, NONE, route, {ref: live} if live else {})[ref]


def reverted(canary: Canary, live: Object) -> Object | None:
    ref = ISTIO.refs(canary)[2]
    return ISTIO.reverted(canary, {ref: live}).get(ref)


def test_the_users_spec_is_remembered_once_and_returned() -> None:
    """Upstream overwrites it with its own at the next repair (S9)."""
    canary = canary_with()
    taken = desired(canary, Route(), virtual_service(USERS))
    assert json.loads(taken["metadata"]["annotations"][istio.ORIGINAL]) == USERS
    drifted = taken | {"spec": taken["spec"] | {"hosts": ["wrong"]}}
    repaired = desired(canary, Route(primary=90, canary=10), drifted)
    assert repaired["metadata"] == taken["metadata"]
    back = reverted(canary, repaired)
    assert back is not None
    assert back["spec"] == USERS
    again = desired(canary, Route(), back | {"spec": {**USERS, "hosts": ["new"]}})
    assert json.loads(again["metadata"]["annotations"][istio.ORIGINAL])["hosts"] == ["new"]


def test_what_we_created_is_never_remembered() -> None:
    canary = canary_with()
    drifted = desired(canary, Route()) | {"spec": USERS}
    assert istio.ORIGINAL not in desired(canary, Route(), drifted)["metadata"]["annotations"]
    elsewhere = router_for("istio", RouterSettings(own_references=False))
    ref = elsewhere.refs(canary)[2]
    live = elsewhere.desired(canary, NONE, Route(), {})[ref]
    live = live | {"spec": live["spec"] | {"hosts": ["wrong"]}}
    repaired = elsewhere.desired(canary, NONE, Route(), {ref: live})[ref]
    assert istio.ORIGINAL not in repaired["metadata"]["annotations"]


def test_kubectl_remembers_for_us() -> None:
    canary = canary_with()
    applied = json.dumps({"spec": USERS})
    taken = desired(
        canary, Route(), virtual_service({"hosts": ["x"]}, {objects.LAST_APPLIED: applied})
    )
    assert istio.ORIGINAL not in taken["metadata"]["annotations"]
    back = reverted(canary, taken)
    assert back is not None
    assert back["spec"] == USERS


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"spec": 1}', "{}"])
def test_a_broken_kubectl_annotation_is_skipped(text: str) -> None:
    ours = desired(canary_with(), Route())["spec"]
    original = {objects.LAST_APPLIED: text, istio.ORIGINAL: json.dumps(USERS)}
    back = reverted(canary_with(), virtual_service(ours, original))
    assert back is not None
    assert back["spec"] == USERS


@pytest.mark.parametrize("annotations", [{}, {istio.ORIGINAL: "{"}])
def test_nothing_to_return_to(annotations: dict[str, str]) -> None:
    ours = desired(canary_with(), Route())["spec"]
    assert reverted(canary_with(), virtual_service(ours, annotations)) is None


def test_there_may_be_nothing_to_give_back() -> None:
    """With upstream the deletion hangs until somebody makes a VirtualService (S10)."""
    assert ISTIO.reverted(canary_with(), {}) == {}


def test_a_user_spec_with_several_routes_becomes_ours_alone() -> None:
    http = [
        {"match": [{"uri": {"prefix": "/old"}}], "redirect": {"uri": "/new"}},
        {"name": "main", "delegate": {"name": "other"}},
    ]
    taken = desired(canary_with(), Route(), virtual_service({**USERS, "http": http, "tls": [{}]}))
    assert len(taken["spec"]["http"]) == 1
    assert set(taken["spec"]["http"][0]) == {"route"}
    assert taken["spec"]["tls"] == [{}]


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ([], ["cart"]),
        (["shop.example.org"], ["shop.example.org", "cart"]),
        (["cart", "x.org"], ["cart", "x.org"]),
        (["*"], ["*"]),
    ],
)
def test_the_apex_is_a_host_unless_it_is_covered(hosts: list[str], expected: list[str]) -> None:
    assert desired(canary_with({"hosts": hosts}), Route())["spec"]["hosts"] == expected


@pytest.mark.parametrize("member", [{"hosts": ["a"]}, {"gateways": ["b"]}])
def test_a_delegate_has_neither_hosts_nor_gateways(member: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"spec\.service\.delegation excludes"):
        desired(canary_with({"delegation": True, **member}), Route())


def test_delegation_removes_hosts_and_gateways_that_were_there() -> None:
    live = desired(canary_with({"hosts": ["a"], "gateways": ["b"]}), Route())
    spec = desired(canary_with({"delegation": True}), Route(), live)["spec"]
    assert spec["hosts"] == []
    assert "gateways" not in spec


@pytest.mark.parametrize(
    ("service", "numbered"),
    [
        ({"portDiscovery": True, "gateways": ["edge"]}, True),
        ({"portDiscovery": True, "gateways": ["edge", "mesh"]}, True),
        ({"portDiscovery": True, "gateways": ["mesh", "edge"]}, False),
        ({"portDiscovery": True}, False),
        ({"portDiscovery": True, "delegation": True}, True),
        ({"gateways": ["edge"]}, False),
    ],
)
def test_gateways_need_a_port_number_when_there_are_several(
    service: dict[str, Any], *, numbered: bool
) -> None:
    (route,) = desired(canary_with(service), Route())["spec"]["http"]
    assert all(("port" in entry["destination"]) == numbered for entry in route["route"])


def test_connections_are_matched_by_port_only_when_every_entry_has_one() -> None:
    def match_of(match: list[Object]) -> Any:
        canary = canary_with({"appProtocol": "tcp", "match": match})
        (route,) = desired(canary, Route())["spec"]["tcp"]
        return route.get("match")

    assert match_of([{"port": 80, "uri": {"prefix": "/"}}, {"port": 81}]) == [
        {"port": 80},
        {"port": 81},
    ]
    assert match_of([{"port": 80}, {"uri": {"prefix": "/"}}]) is None


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("match", [{"headers": {"a": {"exact": "1"}}}]),
        ("mirror", True),
        ("sessionAffinity", {"cookieName": "ck"}),
    ],
)
def test_connections_have_no_conditions_no_mirror_and_no_cookies(name: str, asked: Any) -> None:
    """Upstream ignores them; without its conditions a test gets every connection (S7)."""
    canary = canary_with({"appProtocol": "TCP"}, **{name: asked})
    with pytest.raises(ConfigError, match=rf"spec\.analysis\.{name} .*appProtocol tcp"):
        desired(canary, Route())


def test_a_change_of_protocol_moves_the_routes() -> None:
    http = desired(canary_with(), Route(primary=60, canary=40))
    tcp = desired(canary_with({"appProtocol": "tcp"}), Route(primary=60, canary=40), http)
    assert "http" not in tcp["spec"]
    assert "tcp" not in desired(canary_with(), Route(), tcp)["spec"]


def test_beside_one_cookie_changes_of_the_service_count_at_once() -> None:
    """Upstream takes every route with a match for one of cookies, and looks at none (S13)."""
    cookies = {"sessionAffinity": {"cookieName": "ck"}}
    match = [{"uri": {"prefix": "/cart"}}]
    some = Route(primary=90, canary=10)
    live = desired(with_cookie(canary_with({"match": match, "timeout": "5s"}, **cookies)), some)
    changed = with_cookie(canary_with({"match": match, "timeout": "9s"}, **cookies))
    routes = desired(changed, some, live)["spec"]["http"]
    assert [route["timeout"] for route in routes] == ["9s", "9s"]


def test_before_the_first_run_there_is_one_route() -> None:
    """Upstream writes it twice, and takes it back at the next tick (S15)."""
    canary = canary_with(sessionAffinity={"cookieName": "ck"})
    assert len(desired(canary, Route())["spec"]["http"]) == 1


def test_requests_that_are_not_tested_have_one_destination_without_a_weight() -> None:
    """Upstream gives it 0 while others are tested (S35)."""
    canary = canary_with(iterations=5, match=[{"headers": {"a": {"exact": "1"}}}])
    _, others = desired(canary, Route(primary=0, canary=100))["spec"]["http"]
    assert others["route"] == [{"destination": {"host": "cart-primary"}}]


def test_the_mirror_goes_away_and_its_share_with_it() -> None:
    canary = canary_with(mirror=True, mirrorWeight=10)
    mirrored = desired(canary, Route(mirrored=True))
    (route,) = desired(canary, Route(primary=90, canary=10), mirrored)["spec"]["http"]
    assert set(route) == {"route"}


def test_only_uri_and_authority_are_rewritten() -> None:
    rewrite = {"uri": "/x", "authority": "", "type": "ReplacePrefixMatch"}
    (route,) = desired(canary_with({"rewrite": rewrite}), Route())["spec"]["http"]
    assert route["rewrite"] == {"uri": "/x"}
    only_type = {"type": "ReplacePrefixMatch"}
    (route,) = desired(canary_with({"rewrite": only_type}), Route())["spec"]["http"]
    assert "rewrite" not in route


def test_a_route_of_the_user_without_weights_is_no_split() -> None:
    canary = canary_with()
    assert ISTIO.read(canary, {ISTIO.refs(canary)[2]: virtual_service(USERS)}) is None
