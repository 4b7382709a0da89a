"""Kuma's MeshHTTPRoute: what is asked for, what it cannot say, and which parts of it are ours."""

from collections.abc import Mapping
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

KUMA = router_for("kuma", RouterSettings())
REF = Ref(resources.MESH_HTTP_ROUTES, "cart", "shop")
HALF = Route(primary=50, canary=50)
MIRRORED = Route(mirrored=True)
KIND, REFERENCES = "flagger.app/kuma-route", "flagger.app/kuma-references"
LABELS = {REFERENCES: "labels"}
NAMED = {"kind": "MeshService", "namespace": "shop"}
MATCHES = [{"path": {"type": "PathPrefix", "value": "/"}}]
OWNER = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "cart", "controller": True}


def canary_of(
    analysis: Mapping[str, Any] | None = None,
    annotations: Mapping[str, str] | None = None,
    **service: Any,
) -> Canary:
    given = {KIND: "MeshHTTPRoute", **(annotations or {})}
    return Canary.from_api(
        {
            "metadata": {"name": "cart", "namespace": "shop", "uid": "1", "annotations": given},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
                "service": {"port": 80, "appProtocol": "http", **service},
                "analysis": {"interval": "1m", "stepWeight": 10, **(analysis or {})},
            },
        }
    )


def built(canary: Canary, live: Object | None = None, route: Route = HALF) -> Object:
    found = {} if live is None else {REF: live}
    return KUMA.desired(canary, Traits(None), route, found)[REF]


def rules_of(body: Object) -> list[Object]:
    (entry,) = body["spec"]["to"]
    return list(entry["rules"])


def matches_of(canary: Canary) -> list[Object]:
    return list(rules_of(built(canary))[0]["matches"])


def rule(*weights: tuple[str, int | None]) -> Object:
    backends = [{**NAMED, "name": name, "port": 80, "weight": weight} for name, weight in weights]
    return {"matches": MATCHES, "default": {"backendRefs": backends}}


def live_with(*rules: Object, **metadata: Any) -> Object:
    target = {**NAMED, "name": "cart", "sectionName": "http"}
    place = {"name": "cart", "namespace": "shop"}
    return {
        "metadata": place | metadata,
        "spec": {"to": [{"targetRef": target, "rules": [*rules]}]},
    }


SPLIT = rule(("cart-primary", 90), ("cart-canary", 10))


def test_it_is_in_the_namespace_of_the_service() -> None:
    assert KUMA.refs(canary_of()) == (REF,)
    assert built(canary_of())["metadata"]["namespace"] == "shop"


@pytest.mark.parametrize("kind", ["", "TrafficRoute"])
def test_without_the_annotation_it_is_a_traffic_route(kind: str) -> None:
    canary = canary_of()
    annotations = {KIND: kind} if kind else {}
    metadata = canary.metadata.model_copy(update={"annotations": annotations})
    plain = canary.model_copy(update={"metadata": metadata})
    assert KUMA.refs(plain) == (Ref(resources.TRAFFIC_ROUTES, "cart"),)
    (body,) = KUMA.desired(plain, Traits(None), HALF, {}).values()
    assert body["kind"] == "TrafficRoute"


@pytest.mark.parametrize(
    ("annotation", "value", "use"),
    [(KIND, "MeshTCPRoute", "MeshHTTPRoute"), (REFERENCES, "tags", "labels")],
)
def test_values_that_nobody_knows_are_refused(annotation: str, value: str, use: str) -> None:
    with pytest.raises(ConfigError, match=f"{annotation}: {value} is unknown: use {use}"):
        KUMA.desired(canary_of(annotations={annotation: value}), Traits(None), HALF, {})


@pytest.mark.parametrize("protocol", ["", "tcp", "kafka", "kubernetes.io/h2c"])
def test_protocols_that_kuma_does_not_route_are_refused(protocol: str) -> None:
    with pytest.raises(ConfigError, match=rf"appProtocol is ({protocol or 'not set'}): use one of"):
        built(canary_of(appProtocol=protocol))


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("timeout", "5s", "MeshTimeout"),
        ("backendTimeout", "5s", "MeshTimeout"),
        ("retries", {"attempts": 3}, "MeshRetry"),
        ("corsPolicy", {"allowOrigin": ["*"]}, "in the application"),
        ("headless", True, "a MeshService of each pod"),
    ],
)
def test_what_a_mesh_http_route_does_not_have_is_refused(
    name: str, value: Any, remedy: str
) -> None:
    with pytest.raises(ConfigError, match=rf"spec\.service\.{name} does not exist .*{remedy}"):
        built(canary_of(**{name: value}))


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"headers": {"x-a": {"suffix": "b"}}}, "MeshHTTPRoute has no suffix .* prefix or regex"),
        ({"queryParams": {"a": {"prefix": "b"}}}, "MeshHTTPRoute has no prefix .* exact or regex"),
        ({"sourceLabels": {"a": "b"}}, "sourceLabels do not exist in a MeshHTTPRoute"),
        ({"headers": {}}, "would match every request"),
        ({"headers": {"X-A": {"exact": "1"}, "x-a": {"exact": "2"}}}, "x-a is named twice"),
    ],
)
def test_conditions_that_it_cannot_say_are_refused(condition: Object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        built(canary_of({"match": [condition]}))


def test_header_names_are_in_lower_case_and_may_be_compared_by_prefix() -> None:
    canary = canary_of({"match": [{"headers": {"X-Beta": {"prefix": "1"}}}]})
    headers = [{"type": "Prefix", "name": "x-beta", "value": "1"}]
    assert matches_of(canary) == [{**MATCHES[0], "headers": headers}]


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [("prefix", "/", "/"), ("prefix", "/a/", "/a"), ("exact", "/a/", "/a/"), ("regex", "/", "/")],
)
def test_a_prefix_has_no_slash_at_its_end(kind: str, value: str, wanted: str) -> None:
    (match,) = matches_of(canary_of(match=[{"uri": {kind: value}}]))
    assert match["path"]["value"] == wanted


def test_a_prefix_is_replaced_only_where_there_is_one() -> None:
    rewrite = {"uri": "/", "type": "ReplacePrefixMatch"}
    prefixes = [{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}]
    assert "replacePrefixMatch" in str(built(canary_of(rewrite=rewrite, match=prefixes)))
    with pytest.raises(ConfigError, match=r"needs a uri\.prefix in every match"):
        built(canary_of(rewrite=rewrite, match=[*prefixes, {"uri": {"exact": "/c"}}]))


@pytest.mark.parametrize(
    "backend",
    [
        {"group": "", "kind": "Service", "name": "audit"},
        {"group": "example.com", "kind": "Bucket", "name": "audit", "port": 80},
    ],
)
def test_a_static_mirror_is_a_port_of_a_service(backend: Object) -> None:
    with pytest.raises(ConfigError, match=r"spec\.service\.mirror: .* a port of a Service"):
        built(canary_of(mirror=[{"backendRef": backend}]))


@pytest.mark.parametrize(("weight", "wanted"), [(0, None), (20, 20), (100, None)])
def test_a_part_of_the_requests_is_mirrored(weight: int, wanted: int | None) -> None:
    canary = canary_of({"mirror": True, "mirrorWeight": weight})
    (only,) = rules_of(built(canary, route=MIRRORED))
    (entry,) = only["default"]["filters"]
    assert entry["requestMirror"].get("percentage") == wanted
    assert entry["requestMirror"]["backendRef"]["name"] == "cart-canary"


def test_the_mesh_is_a_label_that_follows_the_annotation_and_stays_without_one() -> None:
    retail = canary_of(annotations={"kuma.io/mesh": "retail"})
    assert "labels" not in built(canary_of())["metadata"]
    live = built(retail, built(canary_of()))
    assert live["metadata"]["labels"] == {"kuma.io/mesh": "retail"}
    assert built(canary_of(), live) is live


def test_other_ports_of_the_service_stay_as_they_are() -> None:
    live = built(canary_of())
    (ours,) = live["spec"]["to"]
    theirs = {"targetRef": {**NAMED, "name": "cart", "sectionName": "admin"}, "rules": [rule()]}
    spec = {"to": [theirs, ours]}
    assert built(canary_of(), live | {"spec": spec})["spec"] == spec


def test_a_port_with_another_name_is_followed() -> None:
    body = built(canary_of(portName="web"), built(canary_of()))
    assert body == built(canary_of(portName="web"))


@pytest.mark.parametrize("to", [LABELS, {}])
def test_references_change_their_form_and_keep_what_others_added(to: dict[str, str]) -> None:
    live = built(canary_of(annotations={} if to else LABELS))
    rules_of(live)[0]["default"]["backendRefs"][1]["foreign"] = "kept"
    wanted = built(canary_of(annotations=to))
    rules_of(wanted)[0]["default"]["backendRefs"][1]["foreign"] = "kept"
    assert built(canary_of(annotations=to), live) == wanted
    assert ("labels" in wanted["spec"]["to"][0]["targetRef"]) == bool(to)
    assert KUMA.read(canary_of(annotations=to), {REF: live}) == HALF


@pytest.mark.parametrize(
    ("rules", "route"),
    [
        ([SPLIT], Route(primary=90, canary=10)),
        ([rule(("cart-primary", 90), ("cart-canary", 9))], None),
        ([rule(("cart-primary", 99), ("cart-canary", None))], Route(primary=99, canary=1)),
        ([rule(("cart-primary", 100))], None),
        ([SPLIT, rule(("cart-primary", 100))], Route(primary=90, canary=10)),
        ([{"matches": MATCHES, "default": {}}], None),
        ([], None),
    ],
)
def test_the_split_is_that_of_the_last_rule_with_both(
    rules: list[Object], route: Route | None
) -> None:
    assert KUMA.read(canary_of(), {REF: live_with(*rules)}) == route


def test_a_route_that_we_created_goes_with_the_canary() -> None:
    live = built(canary_of())
    assert live["metadata"]["ownerReferences"][0].items() >= OWNER.items()
    assert KUMA.reverted(canary_of(), {REF: live}) == {}


def test_a_route_without_an_owner_is_deleted_unless_others_have_rules_in_it() -> None:
    theirs = rule(("old", 1))
    assert KUMA.reverted(canary_of(), {REF: live_with(SPLIT)}) == {REF: None}
    assert KUMA.reverted(canary_of(), {REF: live_with(theirs, SPLIT)}) == {REF: live_with(theirs)}


@pytest.mark.parametrize(
    "live",
    [
        live_with(rule(("cart", 1))),
        live_with(),
        live_with(SPLIT, ownerReferences=[{**OWNER, "name": "other"}]),
    ],
)
def test_a_route_that_we_never_wrote_is_left_alone(live: Object) -> None:
    assert KUMA.reverted(canary_of(), {REF: live}) == {}
