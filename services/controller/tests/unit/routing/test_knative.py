"""Knative's traffic: the state of the routes, and what is read where (routing.md 7.14)."""

import pytest

from flagger_controller.api import knative
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus, Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.routing.base import RouterSettings
from flagger_controller.routing.knative import Knative

ROUTER = Knative(RouterSettings())
REF = Ref(resources.KNATIVE_SERVICES, "cart", "shop")
CANARY = Canary.from_api(
    {
        "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {
            "provider": "knative",
            "targetRef": {
                "apiVersion": "serving.knative.dev/v1",
                "kind": "Service",
                "name": "cart",
            },
            "analysis": {"stepWeight": 10},
        },
    }
)


def service(
    traffic: list[Object], status: Object | None = None, primary: str = "cart-00001"
) -> Object:
    annotations = {knative.PRIMARY_REVISION: primary} if primary else {}
    metadata = {"name": "cart", "generation": 2, "annotations": annotations}
    return {"metadata": metadata, "spec": {"traffic": traffic}, "status": status or {}}


def latest(percent: int | None) -> Object:
    return {"latestRevision": True, "percent": percent}


def pinned(percent: int | None, name: str = "cart-00001") -> Object:
    return {"latestRevision": False, "revisionName": name, "percent": percent}


@pytest.mark.parametrize(
    ("traffic", "found"),
    [
        ([latest(10), pinned(90)], Route(primary=90, canary=10)),
        ([pinned(90), latest(10)], Route(primary=90, canary=10)),
        ([latest(100)], Route(primary=0, canary=100)),
        ([pinned(100)], Route()),
        ([latest(None), pinned(100)], Route()),
        ([latest(10), pinned(90, "cart-00007")], None),
        ([latest(10), pinned(80)], None),
        ([latest(10), pinned(50), pinned(40)], Route(primary=90, canary=10)),
        ([], None),
    ],
)
def test_the_split_is_what_was_asked_for(traffic: list[Object], found: Route | None) -> None:
    """`status.traffic` says nothing here: after a promotion both are the same revision (S26)."""
    resolved = {"revisionName": "cart-00001", "percent": 33}
    status = {
        "latestCreatedRevisionName": "cart-00001",
        "traffic": [{**resolved, "latestRevision": True}, resolved],
    }
    assert ROUTER.read(CANARY, {REF: service(traffic, status)}) == found


def test_nothing_is_routed_before_there_is_a_primary() -> None:
    live = {REF: service([latest(0), pinned(100)], primary="")}
    assert ROUTER.desired(CANARY, Traits(None), Route(), live) == {}
    assert ROUTER.reverted(CANARY, live) == {}
    assert ROUTER.desired(CANARY, Traits(None), Route(), {}) == {}


@pytest.mark.parametrize("primary", ["cart-00001", ""])
def test_reverting_twice_is_reverting_once(primary: str) -> None:
    """Also when the mark is gone: upstream removes it, and then crashes (T17)."""
    live = {REF: service([latest(0), pinned(100)], primary=primary)}
    released = CANARY.model_copy(update={"status": CanaryStatus(last_promoted_spec="v2:1")})
    once = ROUTER.reverted(released, live)
    assert once[REF]["spec"]["traffic"] == [latest(100)]
    assert knative.primary(once[REF]) == ""
    assert ROUTER.reverted(released, once) == once


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({}, "Knative has not seen the latest change yet"),
        ({"observedGeneration": 1}, "Knative has not seen the latest change yet"),
        ({"observedGeneration": 2}, "no reason given"),
        (
            {"observedGeneration": 2, "conditions": [{"type": "RoutesReady", "status": "Unknown"}]},
            "no reason given",
        ),
        (
            {
                "observedGeneration": 2,
                "conditions": [
                    {"type": "Ready", "status": "True"},
                    {"type": "RoutesReady", "status": "False", "message": "no ingress"},
                ],
            },
            "no ingress",
        ),
    ],
)
def test_a_split_that_is_not_in_force_says_why(status: Object, why: str) -> None:
    live = {REF: service([latest(10), pinned(90)], status)}
    text = f"Service cart.shop: its traffic is not in force: {why}"
    assert ROUTER.settled(CANARY, live) == text


def test_a_split_is_in_force_when_knative_says_so() -> None:
    conditions = [{"type": "RoutesReady", "status": "True"}]
    status = {"observedGeneration": 2, "conditions": conditions}
    live = {REF: service([latest(10)], status)}
    assert ROUTER.settled(CANARY, live) == ""
