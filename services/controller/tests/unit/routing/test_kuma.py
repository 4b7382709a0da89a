"""Kuma: one name in the whole cluster, the mesh, and what is read."""

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
REF = Ref(resources.TRAFFIC_ROUTES, "cart")
HALF = Route(primary=50, canary=50)


def canary_of(namespace: str = "shop", port: int = 80, mesh: str = "") -> Canary:
    annotations = {"kuma.io/mesh": mesh} if mesh else {}
    metadata = {"name": "cart", "namespace": namespace, "uid": "1", "annotations": annotations}
    return Canary.from_api(
        {
            "metadata": metadata,
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
                "service": {"port": port},
                "analysis": {"stepWeight": 10},
            },
        }
    )


def built(canary: Canary, live: Object | None = None) -> Object:
    objects = {} if live is None else {REF: live}
    return KUMA.desired(canary, Traits(None), HALF, objects)[REF]


def traffic_route(**spec: Any) -> Object:
    return {"kind": "TrafficRoute", "metadata": {"name": "cart"}, "spec": spec}


def split(*weights: tuple[str, int]) -> Object:
    entries = [
        {"weight": weight, "destination": {"kuma.io/service": name}} for name, weight in weights
    ]
    return traffic_route(conf={"split": entries})


def test_it_is_in_no_namespace() -> None:
    assert KUMA.refs(canary_of()) == (REF,)
    assert built(canary_of())["metadata"].keys() == {"name", "annotations"}


@pytest.mark.parametrize("namespace", ["other", "sho", "shop-svc"])
def test_a_route_for_another_namespace_is_not_overwritten(namespace: str) -> None:
    """With upstream the two Canaries overwrite each other for ever (S23)."""
    theirs = built(canary_of(namespace))
    with pytest.raises(ConfigError, match=rf"cart_{namespace}_svc_80, .*spec\.service\.name"):
        built(canary_of(), theirs)


@pytest.mark.parametrize("service", ["*", "cart"])
def test_a_route_for_more_than_this_namespace_is_not_overwritten(service: str) -> None:
    live = traffic_route(destinations=[{"match": {"kuma.io/service": service}}])
    with pytest.raises(ConfigError, match="is not in namespace shop"):
        built(canary_of(), live)


def test_a_route_of_this_namespace_follows_the_canary() -> None:
    live = built(canary_of())
    changed = built(canary_of(port=8080), live)
    tags = {"kuma.io/service": "cart_shop_svc_8080"}
    assert changed["spec"]["destinations"] == [{"match": tags}]
    assert "_svc_80'" not in str(changed)


def test_the_mesh_follows_the_annotation_and_stays_without_one() -> None:
    """Upstream sets it when it creates the route, and never again (S23)."""
    retail = canary_of(mesh="retail")
    assert built(canary_of())["mesh"] == "default"
    assert built(retail)["mesh"] == "retail"
    assert built(retail, built(canary_of()))["mesh"] == "retail"
    live = built(retail)
    assert built(canary_of(), live) is live


@pytest.mark.parametrize(
    ("live", "route"),
    [
        (
            split(("cart-primary_shop_svc_80", 90), ("cart-canary_shop_svc_80", 10)),
            Route(primary=90, canary=10),
        ),
        (
            split(("cart-primary_shop_svc_8080", 0), ("cart-canary_shop_svc_8080", 100)),
            Route(primary=0, canary=100),
        ),
        (split(("cart-primary_shop_svc_80", 100)), Route()),
        (split(("cart-primary_shop_svc_80", 90)), None),
        (split(("cart-primary_other_svc_80", 90), ("cart-canary_other_svc_80", 10)), None),
        (traffic_route(conf={"destination": {"kuma.io/service": "*"}}), None),
        (traffic_route(), None),
    ],
)
def test_the_split_is_that_of_our_services(live: Object, route: Route | None) -> None:
    assert KUMA.read(canary_of(), {REF: live}) == route


def test_a_reverted_canary_takes_its_route_with_it() -> None:
    assert KUMA.reverted(canary_of(), {REF: built(canary_of())}) == {REF: None}
    assert KUMA.reverted(canary_of(), {REF: built(canary_of("other"))}) == {}
    assert KUMA.reverted(canary_of(), {}) == {}
