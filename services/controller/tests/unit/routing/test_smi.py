"""TrafficSplits: weights in each version, and what the split is for."""

import json
from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster.client import Object
from flagger_controller.routing import router_for
from flagger_controller.routing.base import RouterSettings
from flagger_controller.routing.smi import GATEWAYS

HALF = Route(primary=50, canary=50)


def canary_of(**service: Any) -> Canary:
    return Canary.from_api(
        {
            "metadata": {"name": "cart", "namespace": "shop", "uid": "1"},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
                "service": {"port": 80, **service},
                "analysis": {"stepWeight": 10},
            },
        }
    )


def built(provider: str, canary: Canary, route: Route = HALF) -> Object:
    router = router_for(provider, RouterSettings())
    (body,) = router.desired(canary, Traits(None), route, {}).values()
    return body


@pytest.mark.parametrize(
    ("provider", "version", "half"),
    [
        ("linkerd", "v1alpha1", "50"),
        ("osm", "v1alpha2", 50),
        ("smi:v1alpha1", "v1alpha1", "50"),
        ("smi:v1alpha1:istio", "v1alpha1", "50"),
        ("smi:v1alpha2", "v1alpha2", 50),
        ("smi:v1alpha3", "v1alpha3", 50),
    ],
)
def test_each_version_has_its_weights(provider: str, version: str, half: str | int) -> None:
    body = built(provider, canary_of())
    assert body["apiVersion"] == f"split.smi-spec.io/{version}"
    assert body["spec"]["backends"] == [
        {"service": "cart-canary", "weight": half},
        {"service": "cart-primary", "weight": half},
    ]


def backends(*weights: Any) -> Object:
    names = ("cart-canary", "cart-primary")
    entries = [
        {"service": name, "weight": weight} for name, weight in zip(names, weights, strict=False)
    ]
    return {"metadata": {"name": "cart"}, "spec": {"service": "cart", "backends": entries}}


@pytest.mark.parametrize(
    ("live", "route"),
    [
        (backends("10", "90"), Route(primary=90, canary=10)),
        (backends(10, 90), Route(primary=90, canary=10)),
        (backends("100"), Route(primary=0, canary=100)),
        (backends("100", None), Route(primary=0, canary=100)),
        (backends("0", "0"), None),
        (backends("500m", "100"), None),
        (backends("-1", "101"), None),
        (backends(), None),
    ],
)
def test_what_is_read(live: Object, route: Route | None) -> None:
    router, canary = router_for("smi:v1alpha1", RouterSettings()), canary_of()
    (ref,) = router.refs(canary)
    assert router.read(canary, {ref: live}) == route


def test_the_first_host_is_what_is_split() -> None:
    """Kept from upstream, and documented."""
    spec = built("smi:v1alpha2", canary_of(hosts=["shop.example.org", "example.org"]))["spec"]
    assert spec["service"] == "shop.example.org"
    assert built("smi:v1alpha2", canary_of())["spec"]["service"] == "cart"


def test_gateways_are_told_to_istios_adapter_only() -> None:
    canary = canary_of(gateways=["mesh", "public"])
    metadata = built("smi:v1alpha1:istio", canary)["metadata"]
    assert json.loads(metadata["annotations"][GATEWAYS]) == ["mesh", "public"]
    for provider in ("smi:v1alpha1", "smi:v1alpha1:consul", "linkerd"):
        assert "annotations" not in built(provider, canary)["metadata"]
    assert "annotations" not in built("smi:v1alpha1:istio", canary_of())["metadata"]
