"""Our objects against what upstream Flagger 1.44 wrote on a real API server.

`recorded/` holds the routing objects and Services of upstream's runs, one file a scenario, and
what upstream made the routes from.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Port, Selector, Traits
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.routing import kubernetes, router_for
from flagger_controller.routing.base import Router, RouterSettings

RECORDED = Path(__file__).with_name("recorded")
SCENARIOS = sorted(path.stem for path in RECORDED.glob("*.yaml"))
WITH_ROUTES = [name for name in SCENARIOS if name != "bluegreen-kubernetes"]


def load(name: str) -> Any:
    return yaml.safe_load((RECORDED / f"{name}.yaml").read_text())


def canary_of(scenario: Mapping[str, Any], status: Mapping[str, Any]) -> Canary:
    return Canary.from_api({**scenario["canary"], "status": status})


def traits_of(scenario: Mapping[str, Any]) -> Traits:
    ports = tuple(Port(port["name"], port["number"]) for port in scenario["ports"])
    return Traits(Selector("app", "podinfo"), ports)


def router_of(scenario: Mapping[str, Any]) -> Router:
    """Of the scenario's provider, with the flags that upstream had."""
    settings = RouterSettings(ingress_class="contour")
    return router_for(scenario["canary"]["spec"]["provider"], settings)


def by_ref(router: Router, canary: Canary, bodies: list[Object]) -> dict[Ref, Object]:
    refs = {(ref.resource.kind, ref.name): ref for ref in router.refs(canary)}
    return {refs[body["kind"], body["metadata"]["name"]]: body for body in bodies}


def base_of(scenario: Mapping[str, Any]) -> dict[Ref, Object]:
    """What the routes were made from, where a provider copies an object of the user."""
    canary = canary_of(scenario, {})
    return by_ref(router_of(scenario), canary, scenario.get("referenced", []))


def plain(body: Object) -> Object:
    """Without the uid of the owner, which the recordings do not have."""
    owners = [
        {key: value for key, value in owner.items() if key != "uid"}
        for owner in body["metadata"].get("ownerReferences", ())
    ]
    return body | {"metadata": body["metadata"] | {"ownerReferences": owners}}


@pytest.mark.parametrize("name", WITH_ROUTES)
def test_new_routes_are_those_of_upstream(name: str) -> None:
    scenario = load(name)
    router = router_of(scenario)
    for state in scenario["states"]:
        canary = canary_of(scenario, state.get("status", {}))
        route = Route.model_validate(state["route"])
        ours = router.desired(canary, traits_of(scenario), route, base_of(scenario))
        theirs = by_ref(router, canary, state["objects"])
        assert {ref: plain(body) for ref, body in ours.items()} == theirs, state["at"]


@pytest.mark.parametrize("name", WITH_ROUTES)
def test_routes_of_upstream_are_adopted_as_they_are(name: str) -> None:
    scenario = load(name)
    router = router_of(scenario)
    for state in scenario["states"]:
        canary = canary_of(scenario, state.get("status", {}))
        route = Route.model_validate(state["route"])
        live = by_ref(router, canary, state["objects"])
        assert router.read(canary, live) == route, state["at"]
        ours = router.desired(canary, traits_of(scenario), route, {**base_of(scenario), **live})
        assert all(ours[ref] is live[ref] for ref in live), state["at"]


@pytest.mark.parametrize("name", WITH_ROUTES)
def test_each_state_follows_from_the_one_before(name: str) -> None:
    scenario = load(name)
    router = router_of(scenario)
    live: Mapping[Ref, Object] = {}
    for state in scenario["states"]:
        canary = canary_of(scenario, state.get("status", {}))
        route = Route.model_validate(state["route"])
        live = router.desired(canary, traits_of(scenario), route, {**base_of(scenario), **live})
        theirs = by_ref(router, canary, state["objects"])
        assert {ref: plain(body) for ref, body in live.items()} == theirs, state["at"]


@pytest.mark.parametrize("name", SCENARIOS)
def test_services_are_those_of_upstream(name: str) -> None:
    scenario = load(name)
    canary = canary_of(scenario, {})
    traits = traits_of(scenario)
    refs = {ref.name: ref for ref in kubernetes.service_refs(canary)}
    theirs = {refs[body["metadata"]["name"]]: body for body in scenario["services"]}
    assert len(theirs) == 3
    ours = {
        **kubernetes.services(canary, traits, {}, which=kubernetes.Which.BACKENDS),
        **kubernetes.services(canary, traits, {}, which=kubernetes.Which.APEX),
    }
    assert {ref: plain(body) for ref, body in ours.items()} == theirs
    for which in kubernetes.Which:
        kept = kubernetes.services(canary, traits, theirs, which=which)
        assert all(body is theirs[ref] for ref, body in kept.items())
