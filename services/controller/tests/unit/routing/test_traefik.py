"""Traefik: weights as Traefik reads them."""

from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster.client import Object
from flagger_controller.routing import router_for
from flagger_controller.routing.base import RouterSettings

TRAEFIK = router_for("traefik", RouterSettings())
CANARY = Canary.from_api(
    {
        "metadata": {"name": "cart", "namespace": "shop", "uid": "1"},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
            "service": {"port": 80},
            "analysis": {"stepWeight": 10},
        },
    }
)
REF = TRAEFIK.refs(CANARY)[-1]


def traefik_service(*services: Object) -> Object:
    return {
        "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {"weighted": {"services": list(services)}},
    }


def entry(name: str, **members: Any) -> Object:
    return {"name": name, "namespace": "shop", "port": 80, **members}


@pytest.mark.parametrize(
    ("services", "route"),
    [
        ([entry("cart-primary", weight=100)], Route()),
        ([entry("cart-canary", weight=100)], Route(primary=0, canary=100)),
        (
            [entry("cart-primary", weight=0), entry("cart-canary", weight=100)],
            Route(primary=0, canary=100),
        ),
        ([entry("cart-primary"), entry("cart-canary", weight=99)], Route(primary=1, canary=99)),
        ([entry("cart-primary"), entry("cart-canary", weight=100)], None),
        ([entry("cart-primary", weight=100), entry("cart-canary", weight=100)], None),
        ([entry("cart", weight=100)], None),
        ([], None),
    ],
)
def test_a_missing_entry_is_zero_and_a_missing_weight_one(
    services: list[Object], route: Route | None
) -> None:
    """Upstream reads (0, 100) and (100, 0) where Traefik sends 1 % and 50 % elsewhere (S6, S2)."""
    assert TRAEFIK.read(CANARY, {REF: traefik_service(*services)}) == route


def test_upstreams_damage_is_repaired() -> None:
    """After a repair by upstream both entries have weight 100, a split of 50/50 (S2)."""
    live = traefik_service(entry("cart-primary", weight=100), entry("cart-canary", weight=100))
    (body,) = TRAEFIK.desired(
        CANARY, Traits(None), Route(primary=80, canary=20), {REF: live}
    ).values()
    weights = [service["weight"] for service in body["spec"]["weighted"]["services"]]
    assert weights == [80, 20]


def test_a_new_entry_speaks_to_its_pods_as_the_other_one_does() -> None:
    live = traefik_service(entry("cart-primary", weight=100, scheme="https", kind="Service"))
    (body,) = TRAEFIK.desired(
        CANARY, Traits(None), Route(primary=0, canary=100), {REF: live}
    ).values()
    assert body["spec"]["weighted"]["services"] == [
        entry("cart-canary", weight=100, scheme="https", kind="Service")
    ]
