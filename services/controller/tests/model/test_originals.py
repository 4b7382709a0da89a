"""Whole releases whose routes are made from an object of the user, which vanishes on the way."""

from collections.abc import Mapping
from typing import Any

import pytest

from flagger_controller.api.status import Phase, Route
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.rollout import conditions
from flagger_controller.rollout.evidence import Unmeasured

from .acts import METRICS, analysis, shown, stopped
from .rig import TARGET, Rig
from .targets import NAME, NAMESPACE

pytestmark = pytest.mark.looptime
MATCH = [{"headers": {"x-beta": {"exact": "1"}}}]
TESTS = {"iterations": 3, "stepWeight": 0, "match": MATCH}
BACKEND = {"service": {"name": NAME, "port": {"number": 80}}}
INGRESS_SPEC = {"rules": [{"http": {"paths": [{"path": "/", "backend": BACKEND}]}}]}
RULE = {"match": "Host(`a`)", "services": [{"kind": "TraefikService", "name": NAME}]}
INGRESS = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "edge"}
INGRESS_ROUTE = {"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "name": "edge"}
ORIGINALS: Mapping[str, tuple[Ref, Object, Object, Object]] = {
    "nginx": (
        Ref(resources.INGRESSES, "edge", NAMESPACE),
        INGRESS_SPEC,
        {"ingressRef": INGRESS},
        {},
    ),
    "skipper": (
        Ref(resources.INGRESSES, "edge", NAMESPACE),
        INGRESS_SPEC,
        {"ingressRef": INGRESS},
        {},
    ),
    "traefik": (
        Ref(resources.INGRESS_ROUTES, "edge", NAMESPACE),
        {"routes": [RULE]},
        {"routeRef": INGRESS_ROUTE},
        TESTS,
    ),
}
"""Provider to the original, its spec, the member of the Canary that names it, and the steps."""


async def start(provider: str) -> Rig:
    """A release is under way, and the canary has traffic."""
    ref, spec, named, steps = ORIGINALS[provider]
    rig = Rig()
    rig.api.put(ref, {"spec": spec})
    whole: dict[str, Any] = {**named, "analysis": analysis(metrics=METRICS, **steps)}
    await rig.initialized(provider=provider, **whole)
    rig.push("2")
    while rig.status.route.canary == 0:
        await rig.pass_interval()
    assert shown(rig, provider) == rig.status.route
    return rig


@pytest.mark.parametrize("provider", ORIGINALS)
async def test_an_original_that_vanishes_does_not_hold_back_the_rollback(provider: str) -> None:
    rig = await start(provider)
    ref, *_ = ORIGINALS[provider]
    rig.api.remove(ref)
    await rig.pass_interval()
    assert conditions.told(rig.status).startswith(f"{ref} does not exist any more: create it again")
    assert any("does not exist any more" in event for event in rig.log.events)
    rig.judge.values[0] = Unmeasured("no values")
    await rig.until(Phase.FAILED)
    assert (shown(rig, provider), rig.replicas(TARGET)) == (Route(), 0)
    await stopped(rig)


@pytest.mark.parametrize("provider", ORIGINALS)
async def test_without_its_original_no_release_begins(provider: str) -> None:
    rig = await start(provider)
    ref, spec, *_ = ORIGINALS[provider]
    await rig.until(Phase.SUCCEEDED)
    rig.api.remove(ref)
    rig.push("3")
    for _ in range(3):
        await rig.pass_interval()
    assert (rig.status.phase, shown(rig, provider)) == (Phase.SUCCEEDED, Route())
    assert "create it" in conditions.told(rig.status)
    rig.api.put(ref, {"spec": spec})
    await rig.until(Phase.PROGRESSING)
    await stopped(rig)
