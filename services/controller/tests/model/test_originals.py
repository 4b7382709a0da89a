"""Whole releases whose routes are made from an object of the user, which vanishes on the way."""

from typing import Any

import pytest

from flagger_controller.api.status import Phase, Route
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.rollout import conditions
from flagger_controller.rollout.evidence import Unmeasured
from flagger_controller.routing import router_for
from flagger_controller.routing.base import RouterSettings

from .acts import METRICS, analysis, stopped
from .rig import TARGET, Rig
from .targets import NAME, NAMESPACE

pytestmark = pytest.mark.looptime
EDGE = Ref(resources.INGRESS_ROUTES, "edge", NAMESPACE)
MATCH = [{"headers": {"x-beta": {"exact": "1"}}}]


def ingress_route() -> Object:
    service = {"kind": "TraefikService", "name": NAME}
    rule = {"kind": "Rule", "match": "Host(`a`)", "services": [service]}
    return {"spec": {"entryPoints": ["web"], "routes": [rule]}}


async def start(**changes: Any) -> Rig:
    """An A/B test with Traefik is under way."""
    rig = Rig()
    rig.api.put(EDGE, ingress_route())
    reference = {"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "name": EDGE.name}
    tests = analysis(iterations=3, stepWeight=0, match=MATCH, metrics=METRICS)
    await rig.initialized(routeRef=reference, analysis=tests, **changes)
    rig.push("2")
    while shown(rig) != Route(primary=0, canary=100):
        await rig.pass_interval()
    return rig


def shown(rig: Rig) -> Route | None:
    router = router_for("traefik", RouterSettings())
    found = {ref: rig.api.object(ref) for ref in router.refs(rig.canary)}
    return router.read(rig.canary, {ref: body for ref, body in found.items() if body is not None})


async def test_an_original_that_vanishes_does_not_hold_back_the_rollback() -> None:
    rig = await start()
    rig.api.remove(EDGE)
    await rig.pass_interval()
    gone = "IngressRoute edge.default does not exist any more: create it again"
    assert conditions.told(rig.status).startswith(gone)
    assert any("does not exist any more" in event for event in rig.log.events)
    rig.judge.values[0] = Unmeasured("no values")
    await rig.until(Phase.FAILED)
    assert (shown(rig), rig.replicas(TARGET)) == (Route(), 0)
    await stopped(rig)


async def test_without_its_original_no_release_begins() -> None:
    rig = await start()
    await rig.until(Phase.SUCCEEDED)
    rig.api.remove(EDGE)
    rig.push("3")
    for _ in range(3):
        await rig.pass_interval()
    assert (rig.status.phase, shown(rig)) == (Phase.SUCCEEDED, Route())
    assert "does not exist: correct spec.routeRef" in conditions.told(rig.status)
    rig.api.put(EDGE, ingress_route())
    await rig.until(Phase.PROGRESSING)
    await stopped(rig)
