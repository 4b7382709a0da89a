"""Plans for targets that are no Deployment, for budgets, and from any state."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Obligation, Phase, Run
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.routing.base import Capabilities, Objects, RouterSettings
from flagger_controller.routing.traefik import Traefik
from flagger_controller.tick.plan import Delete, Plan, plan
from flagger_controller.tick.world import World

from ..scene import APEX, NAME, NAMESPACE, PRIMARY, ROUTE, TARGET, Scene, names, split
from .scenes import DAEMON, HPA, KEDA, SERVICE_TARGET, STATEFUL, deleted, replicas, weights

# StatefulSets


def test_the_primary_is_named_by_a_service_before_it_is_made() -> None:
    scene = Scene.of(Phase.INITIALIZING, targetRef=STATEFUL)
    pods = Ref(resources.SERVICES, "pods", NAMESPACE)
    scene.put(pods, {"spec": {"clusterIP": "None", "selector": {"app": NAME}}})
    assert names(scene.plan()) == [
        "Service cart-canary",
        "Service cart-primary",
        "Service pods-primary",
        "StatefulSet cart-primary",
    ]
    scene.release()
    scene.put(pods, {"spec": {"clusterIP": "None", "selector": {"app": NAME, "tier": "db"}}})
    assert names(scene.plan()) == ["Service pods-primary"]
    assert scene.settle().settled
    copied = scene.memory.get(Ref(resources.SERVICES, "pods-primary", NAMESPACE))
    assert copied["spec"]["selector"] == {"app": "cart-primary", "tier": "db"}
    scene.memory.delete(pods)
    assert scene.plan().settled


def test_a_statefulset_is_scaled_to_zero_and_back() -> None:
    scene = Scene.of(targetRef=STATEFUL, autoscalerRef=HPA).release()
    target = Ref(resources.STATEFUL_SETS, NAME, NAMESPACE)
    primary = Ref(resources.STATEFUL_SETS, f"{NAME}-primary", NAMESPACE)
    assert (replicas(scene, target), replicas(scene, primary)) == (0, 2)
    scene.become(Phase.PROGRESSING, Run(route=split(0)))
    assert scene.settle().settled
    assert replicas(scene, target) == 3  # the autoscaler's minimum
    deleted(scene)
    scene.settle()
    assert replicas(scene, target) == 2


# Disruption budgets


@pytest.mark.parametrize("reference", [{}, {"targetRef": DAEMON}, {"targetRef": STATEFUL}])
def test_the_budget_of_the_primary_comes_follows_and_goes(reference: dict[str, Any]) -> None:
    scene = Scene.of(**reference).release()
    own, copied = (Ref(resources.DISRUPTION_BUDGETS, n, NAMESPACE) for n in ("b", "b-primary"))
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": NAME}}}
    scene.put(own, {"spec": spec})
    assert names(scene.plan()) == ["PodDisruptionBudget b-primary"]
    assert scene.settle().settled
    scene.put(own, {"spec": {**spec, "minAvailable": 2}})
    assert names(scene.plan()) == ["PodDisruptionBudget b-primary"]
    assert scene.settle().settled
    uid = scene.memory.get(copied)["metadata"]["uid"]
    scene.memory.delete(own)
    assert scene.plan().writes == (Delete(copied, uid),)
    assert scene.settle().settled
    assert scene.get(copied) is None


def test_a_suspended_or_reverted_canary_leaves_budgets_alone() -> None:
    scene = Scene.of().release()
    scene.put(
        Ref(resources.DISRUPTION_BUDGETS, "b", NAMESPACE),
        {"spec": {"selector": {"matchLabels": {"app": NAME}}}},
    )
    spec = scene.canary.spec.model_copy(update={"suspend": True})
    suspended = replace(scene, canary=scene.canary.model_copy(update={"spec": spec}))
    assert suspended.plan() == Plan()
    scene = deleted(scene)
    scene.settle()
    assert scene.writes == ["Deployment cart"]


# Service targets


def test_the_copy_of_a_service_target_follows_it_all_the_time() -> None:
    scene = Scene.of(Phase.INITIALIZING, targetRef=SERVICE_TARGET)
    assert names(scene.plan()) == ["Service cart-canary", "Service cart-primary"]
    scene.release()
    body = scene.memory.get(APEX)
    ports = [{"port": 80, "protocol": "TCP"}, {"port": 81, "protocol": "TCP"}]
    scene.put(APEX, {**body, "spec": {**body["spec"], "ports": ports}})
    assert names(scene.plan()) == ["Service cart-canary"]
    scene.become(Phase.PROGRESSING, Run(route=split(25)))
    scene.settle()
    scene.become(Phase.PROMOTING, last_applied_spec=scene.world().revision.spec)
    assert names(scene.plan()) == ["Service cart-primary"]
    assert scene.settle().settled
    assert scene.world().promoted


# From anywhere


TARGETS: list[dict[str, Any]] = [
    {},
    {"targetRef": DAEMON},
    {"targetRef": STATEFUL},
    {"targetRef": SERVICE_TARGET},
    {"autoscalerRef": HPA},
    {"autoscalerRef": KEDA},
]
HEALTHS: list[set[Ref]] = [set(), {PRIMARY}, {TARGET}, {PRIMARY, TARGET}]


@pytest.mark.parametrize("provider", ["traefik", "kubernetes", "istio", "gatewayapi:v1"])
@pytest.mark.parametrize("spec", TARGETS)
def test_planning_after_writing_finds_nothing_from_any_state(
    provider: str, spec: dict[str, Any]
) -> None:
    gateways = [{"name": "gateway"}]
    scene = Scene.of(provider=provider, service={"port": 80, "gatewayRefs": gateways}, **spec)
    scene.release()
    if "targetRef" not in spec:
        scene.push("cart:2")
    routes = [None, split(0), split(25), split(100)]
    for phase, obligation, route, dead in itertools.product(Phase, Obligation, routes, HEALTHS):
        scene.dead = dead
        scene.become(phase, Run(obligation=obligation, route=route))
        last = scene.settle()
        assert plan(scene.world()) == last
        if provider == "traefik" and phase not in (Phase.NEW, Phase.INITIALIZING):
            check_backends(scene, dead)


def check_backends(scene: Scene, dead: set[Ref]) -> None:
    """No weight above zero goes to a backend without pods while the other one has some (I2)."""
    if scene.canary.spec.target_ref.kind != "Deployment" or scene.canary.status.run.route is None:
        return
    shown, world = weights(scene), scene.world()
    assert sum(shown.values()) == 100
    if world.primary_health.available and not world.target_health.available:
        assert shown == {"cart-primary": 100}
    if world.target_health.available and not world.primary_health.available:
        assert len(shown) == 1


# Routers


class Meshed:
    """A router without whose objects pods get no proxy, and whose objects nothing can own."""

    capabilities = Capabilities(early=(resources.TRAEFIK_SERVICES,))

    def __init__(self) -> None:
        traefik = Traefik(RouterSettings())
        self.refs, self.referenced = traefik.refs, traefik.referenced
        self.desired, self.read, self.settled = traefik.desired, traefik.read, traefik.settled

    def reverted(self, canary: Canary, live: Objects) -> Mapping[Ref, Object | None]:
        return dict.fromkeys(self.refs(canary))


def meshed(scene: Scene) -> World:
    world = scene.world()
    return replace(world, parts=replace(world.parts, router=Meshed()))


def test_routes_that_pods_need_come_before_the_primary() -> None:
    scene = Scene.of(Phase.INITIALIZING)
    order = ["Service cart-canary", "Service cart-primary", "TraefikService cart"]
    assert names(plan(meshed(scene))) == [*order, "Deployment cart-primary"]
    assert names(scene.plan()) == [*order[:2], "Deployment cart-primary"]


def test_routes_that_nothing_owns_are_deleted_with_the_canary() -> None:
    scene = deleted(Scene.of().release())
    scene.settle()
    uid = scene.memory.get(ROUTE)["metadata"]["uid"]
    assert plan(meshed(scene)).writes == (Delete(ROUTE, uid),)
    scene.memory.delete(ROUTE)
    assert plan(meshed(scene)).settled
