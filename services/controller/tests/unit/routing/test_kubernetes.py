"""Generated Services: take-over, ports, ownership, return; and the router without objects."""

import json
from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Port, Selector, Traits
from flagger_controller.cluster.client import Object
from flagger_controller.errors import ConfigError
from flagger_controller.routing import kubernetes, objects, router_for
from flagger_controller.routing.base import RouterSettings
from flagger_controller.routing.kubernetes import Which

TRAITS = Traits(Selector("app", "cart"))


def canary_with(service: dict[str, Any] | None = None, iterations: int = 0) -> Canary:
    return Canary.from_api(
        {
            "metadata": {"name": "cart", "namespace": "shop", "uid": "1"},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
                "service": {"port": 80, **(service or {})},
            },
            "status": {"iterations": iterations},
        }
    )


def apex(
    canary: Canary, live: Object | None = None, traits: Traits = TRAITS, *, to_target: bool = False
) -> Object:
    ref = kubernetes.service_refs(canary)[2]
    found = {ref: live} if live else {}
    return kubernetes.services(canary, traits, found, which=Which.APEX, to_target=to_target)[ref]


def reverted(canary: Canary, live: Object, traits: Traits = TRAITS) -> Object | None:
    ref = kubernetes.service_refs(canary)[2]
    return kubernetes.reverted_services(canary, traits, {ref: live}).get(ref)


def users(**spec: Any) -> Object:
    """A Service as the API server stores it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "cart", "namespace": "shop", "resourceVersion": "7"},
        "spec": {
            "selector": {"app": "cart"},
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
            "type": "ClusterIP",
            "clusterIP": "10.0.0.7",
            "clusterIPs": ["10.0.0.7"],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
            "sessionAffinity": "None",
            **spec,
        },
    }


def owned(canary: Canary, body: Object) -> Object:
    metadata = body["metadata"] | {"ownerReferences": [canary.owner_reference]}
    return body | {"metadata": metadata}


def stored(body: Object, **spec: Any) -> Object:
    """A Service of ours as the API server stores it."""
    defaults = users(**spec)["spec"]
    kept = {key: value for key, value in defaults.items() if key not in ("selector", "ports")}
    metadata = body["metadata"] | {"uid": "2", "resourceVersion": "7"}
    return body | {"metadata": metadata, "spec": {**kept, **body["spec"]}}


def test_defaults_of_the_server_are_no_drift() -> None:
    for service in ({}, {"headless": True}, {"trafficDistribution": "PreferClose"}):
        canary = canary_with(service)
        for which in Which:
            first = kubernetes.services(canary, TRAITS, {}, which=which)
            live = {ref: stored(body) for ref, body in first.items()}
            again = kubernetes.services(canary, TRAITS, live, which=which)
            assert all(again[ref] is live[ref] for ref in live)


def test_canary_comes_before_primary() -> None:
    found = kubernetes.services(canary_with(), TRAITS, {}, which=Which.BACKENDS)
    assert [ref.name for ref in found] == ["cart-canary", "cart-primary"]


def test_service_targets_have_no_generated_services() -> None:
    for which in Which:
        assert kubernetes.services(canary_with(), Traits(None), {}, which=which) == {}
    assert reverted(canary_with(), users(), Traits(None)) is None


def test_the_owner_is_always_set_on_creation_and_never_later() -> None:
    canary = canary_with()
    assert apex(canary)["metadata"]["ownerReferences"] == [canary.owner_reference]
    assert "ownerReferences" not in apex(canary, users())["metadata"]


def test_a_service_that_was_there_keeps_what_is_not_ours() -> None:
    canary = canary_with({"apex": {"labels": {"team": "x"}, "annotations": {"a": "b"}}})
    taken = apex(canary, users(trafficDistribution="PreferClose", type="LoadBalancer"))
    assert taken["spec"]["selector"] == {"app": "cart-primary"}
    assert taken["spec"]["type"] == "LoadBalancer"
    assert taken["spec"]["clusterIP"] == "10.0.0.7"
    assert taken["spec"]["trafficDistribution"] == "PreferClose"
    assert taken["metadata"]["annotations"] == objects.HANDS_OFF
    assert "labels" not in taken["metadata"]


@pytest.mark.parametrize(
    ("kind", "api", "name"),
    [("Canary", "flagger.app/v1beta1", "other"), ("Gateway", "example.com/v1", "cart")],
)
def test_a_service_of_another_controller_is_refused(kind: str, api: str, name: str) -> None:
    """Upstream takes it over, and both controllers overwrite each other for ever (T20)."""
    live = users()
    live["metadata"]["ownerReferences"] = [
        {"apiVersion": api, "kind": kind, "name": name, "uid": "9", "controller": True}
    ]
    with pytest.raises(ConfigError, match=rf"Service cart\.shop is controlled by {kind} {name}"):
        apex(canary_with(), live)


def test_our_labels_and_annotations_are_repaired_and_others_stay() -> None:
    canary = canary_with({"apex": {"labels": {"team": "shop"}, "annotations": {"a": "b"}}})
    live = owned(canary, users())
    live["metadata"] |= {"labels": {"team": "x", "other": "1"}, "annotations": {"c": "d"}}
    metadata = apex(canary, live)["metadata"]
    assert metadata["labels"] == {"app": "cart", "team": "shop", "other": "1"}
    assert metadata["annotations"] == {"a": "b", "c": "d", **objects.HANDS_OFF}


def test_unmanaged_keys_are_set_where_they_are_missing() -> None:
    service = {
        "apex": {"annotations": {"zone": "a"}},
        "unmanagedMetadata": {"annotations": ["zone"]},
    }
    canary = canary_with(service)
    assert apex(canary)["metadata"]["annotations"]["zone"] == "a"
    bare = owned(canary, users())
    assert apex(canary, bare)["metadata"]["annotations"]["zone"] == "a"
    bare["metadata"]["annotations"] = {"zone": "b"}
    assert apex(canary, bare)["metadata"]["annotations"]["zone"] == "b"


@pytest.mark.parametrize(
    ("before", "after"), [("", "PreferClose"), ("PreferClose", ""), ("PreferClose", "x")]
)
def test_traffic_distribution_follows_the_canary(before: str, after: str) -> None:
    """Upstream never changes it on a Service that exists (T21)."""
    live = stored(apex(canary_with({"trafficDistribution": before})))
    changed = apex(canary_with({"trafficDistribution": after}), live)
    assert changed["spec"].get("trafficDistribution", "") == after


def test_node_ports_are_kept_by_name_then_by_number() -> None:
    ports = [
        {"name": "web", "port": 8080, "protocol": "TCP", "targetPort": 1, "nodePort": 31000},
        {"name": "other", "port": 9102, "protocol": "TCP", "targetPort": 2, "nodePort": 31001},
        {"name": "gone", "port": 1, "protocol": "TCP", "targetPort": 3, "nodePort": 31002},
    ]
    canary = canary_with({"portName": "web", "portDiscovery": True})
    traits = Traits(TRAITS.selector, (Port("metrics", 9102),))
    assert apex(canary, users(type="NodePort", ports=ports), traits)["spec"]["ports"] == [
        {"name": "web", "port": 80, "protocol": "TCP", "targetPort": 80, "nodePort": 31000},
        {
            "name": "metrics",
            "port": 9102,
            "protocol": "TCP",
            "targetPort": 9102,
            "nodePort": 31001,
        },
    ]


def test_a_node_port_is_not_given_to_two_ports() -> None:
    ports = [{"name": "http", "port": 9102, "protocol": "TCP", "targetPort": 1, "nodePort": 31000}]
    canary = canary_with({"portDiscovery": True})
    traits = Traits(TRAITS.selector, (Port("metrics", 9102),))
    found = apex(canary, users(ports=ports), traits)["spec"]["ports"]
    assert [port.get("nodePort") for port in found] == [31000, None]


def test_the_order_of_ports_is_no_drift() -> None:
    canary = canary_with({"portDiscovery": True})
    traits = Traits(TRAITS.selector, (Port("a", 9000), Port("dns", 53, "UDP")))
    live = stored(apex(canary, traits=traits))
    live["spec"]["ports"] = live["spec"]["ports"][::-1]
    assert apex(canary, live, traits) is live


def test_ports_are_discovered_only_when_asked_for() -> None:
    traits = Traits(TRAITS.selector, (Port("a", 9000),))
    assert len(apex(canary_with(), traits=traits)["spec"]["ports"]) == 1


@pytest.mark.parametrize(
    ("service", "target_port"),
    [
        ({}, 80),
        ({"targetPort": 0}, 80),
        ({"targetPort": 8080}, 8080),
        ({"targetPort": "web"}, "web"),
    ],
)
def test_the_target_port_defaults_to_the_port(
    service: dict[str, Any], target_port: int | str
) -> None:
    assert apex(canary_with(service))["spec"]["ports"][0]["targetPort"] == target_port


def test_the_protocol_of_the_application_is_removed_again() -> None:
    live = stored(apex(canary_with({"appProtocol": "http2"})))
    assert "appProtocol" not in apex(canary_with(), live)["spec"]["ports"][0]


def test_after_a_failed_promotion_the_apex_selects_the_target() -> None:
    """Upstream leaves the apex on the dead primary (state-machine.md S28)."""
    canary = canary_with()
    live = stored(apex(canary))
    moved = apex(canary, live, to_target=True)
    assert moved["spec"]["selector"] == {"app": "cart"}
    assert moved["spec"] == live["spec"] | {"selector": {"app": "cart"}}
    assert apex(canary, moved)["spec"]["selector"] == {"app": "cart-primary"}


def test_reverting_restores_the_selector() -> None:
    canary = canary_with()
    back = reverted(canary, apex(canary, users()))
    assert back is not None
    assert back["spec"]["selector"] == {"app": "cart"}


def test_reverting_uses_what_kubectl_remembers() -> None:
    canary = canary_with()
    live = users(ports=[{"port": 1}])
    applied = {"spec": {"selector": {"run": "cart"}}}
    live["metadata"]["annotations"] = {objects.LAST_APPLIED: json.dumps(applied)}
    back = reverted(canary, live)
    assert back == live | {"spec": live["spec"] | {"selector": {"run": "cart"}}}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"spec": {"selector": null}}'])
def test_a_broken_kubectl_annotation_is_skipped(text: str) -> None:
    live = users(selector={"app": "cart-primary"})
    live["metadata"]["annotations"] = {objects.LAST_APPLIED: text}
    back = reverted(canary_with(), live)
    assert back is not None
    assert back["spec"]["selector"] == {"app": "cart"}


def test_reverting_leaves_services_that_go_away_or_are_gone() -> None:
    canary = canary_with()
    assert reverted(canary, apex(canary)) is None
    assert kubernetes.reverted_services(canary, TRAITS, {}) == {}


def test_the_router_has_no_objects_and_reads_the_status() -> None:
    router = router_for("kubernetes", RouterSettings())
    canary = canary_with()
    assert router.refs(canary) == ()
    assert router.desired(canary, TRAITS, Route(primary=0, canary=100), {}) == {}
    assert router.reverted(canary, {}) == {}
    assert router.settled(canary, {}) == ""
    assert router.read(canary, {}) == Route()
    assert router.read(canary_with(iterations=1), {}) == Route(primary=0, canary=100)
    assert not router.capabilities.weights
