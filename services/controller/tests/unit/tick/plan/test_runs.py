"""Which writes follow from spec and status, in which order, until a promotion."""

from dataclasses import replace
from typing import Any

import pytest

from flagger_controller.api.status import Obligation, Phase, Run
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.tick.plan import Patch, Plan, Put, plan, shown_route

from ..scene import (
    APEX,
    CANARY_SERVICE,
    NAME,
    PRIMARY,
    PRIMARY_SERVICE,
    ROUTE,
    SETTINGS,
    TARGET,
    Scene,
    names,
    split,
)
from .scenes import HPA, KEDA, PAUSED, SCALER, owing, replicas, selector, weights

# Before the first release


def test_nothing_is_written_before_the_canary_was_recorded() -> None:
    assert Scene.of(Phase.NEW).plan() == Plan()
    assert Plan().settled


def test_nothing_is_written_for_a_suspended_canary() -> None:
    assert Scene.of(Phase.PROGRESSING, suspend=True).plan() == Plan()


def test_first_the_primary_and_what_only_it_uses() -> None:
    scene = Scene.of(Phase.INITIALIZING, configs=True, autoscalerRef=KEDA)
    scene.dead.add(PRIMARY)
    found = scene.plan()
    assert names(found) == [
        "Service cart-canary",
        "Service cart-primary",
        "ConfigMap settings-primary",
        "Deployment cart-primary",
        "ScaledObject cart-primary",
    ]
    assert found.waiting == "the primary is not ready"
    assert not found.settled
    assert all(isinstance(write, Put) for write in found.writes)


@pytest.mark.parametrize("phase", [Phase.NEW, Phase.INITIALIZING, Phase.INITIALIZED])
def test_what_cannot_be_routed_is_refused_before_anything_is_written(phase: Phase) -> None:
    """Also while routes have to wait for the primary, or for the first status."""
    scene = Scene.of(phase, provider="gatewayapi:v1")
    scene.dead.add(PRIMARY)
    with pytest.raises(ConfigError, match="gatewayRefs is empty"):
        scene.plan()


@pytest.mark.parametrize("phase", [Phase.NEW, Phase.INITIALIZING])
@pytest.mark.parametrize("ref", [APEX, PRIMARY_SERVICE])
def test_services_of_others_are_refused_before_anything_is_written(phase: Phase, ref: Ref) -> None:
    scene = Scene.of(phase)
    scene.dead.add(PRIMARY)
    owner = {"apiVersion": "v1", "kind": "Chart", "name": "x", "uid": "1", "controller": True}
    scene.put(ref, {"metadata": {"ownerReferences": [owner]}, "spec": {"ports": []}})
    with pytest.raises(ConfigError, match="is controlled by Chart x"):
        scene.plan()


def test_nothing_that_serves_is_touched_before_the_primary_was_ready() -> None:
    scene = Scene.of(Phase.INITIALIZING, configs=True, autoscalerRef=KEDA)
    scene.put(APEX, {"spec": {"selector": {"app": NAME}, "ports": [{"port": 80}]}})
    scene.dead.add(PRIMARY)
    before = {ref: scene.get(ref) for ref in (APEX, SCALER, SETTINGS)}
    found = scene.settle()
    assert found == Plan(waiting="the primary is not ready")
    assert {ref: scene.get(ref) for ref in before} == before
    assert scene.get(ROUTE) is None
    assert replicas(scene) == 2


def test_a_ready_primary_takes_over_and_the_target_goes_last() -> None:
    scene = Scene.of(Phase.INITIALIZING, autoscalerRef=KEDA)
    scene.apply(scene.plan())
    routes = scene.plan()
    assert names(routes) == ["Service cart", "TraefikService cart"]
    assert routes.waiting == "routes come before scale"
    assert not routes.settled
    scene.apply(routes)
    scale = scene.plan()
    assert names(scale) == ["ScaledObject cart", "Deployment cart"], "KEDA takes pods, too"
    assert scale.waiting == ""
    scene.apply(scale)
    assert scene.plan().settled
    assert (replicas(scene), replicas(scene, PRIMARY)) == (0, 2)
    assert weights(scene) == {"cart-primary": 100}
    assert selector(scene) == "cart-primary"


def test_without_analysis_the_primary_is_not_waited_for() -> None:
    scene = Scene.of(Phase.INITIALIZING, skipAnalysis=True)
    scene.dead.add(PRIMARY)
    scene.apply(scene.plan())
    scene.settle()
    assert selector(scene) == "cart-primary"
    assert replicas(scene) == 0


def test_an_adopted_apex_service_keeps_what_its_owner_wrote() -> None:
    scene = Scene.of(Phase.INITIALIZING)
    spec = {"selector": {"app": NAME}, "ports": [{"port": 80}], "type": "NodePort"}
    scene.put(APEX, {"metadata": {"labels": {"team": "x"}}, "spec": spec})
    scene.settle()
    body = scene.memory.get(APEX)
    assert body["spec"]["type"] == "NodePort"
    assert body["metadata"]["labels"] == {"team": "x"}
    assert selector(scene) == "cart-primary"


# Between runs


@pytest.mark.parametrize("phase", [Phase.INITIALIZED, Phase.SUCCEEDED, Phase.FAILED])
def test_idle_phases_keep_services_and_routes_but_not_the_scale_of_the_target(phase: Phase) -> None:
    scene = Scene.of().release().become(phase)
    assert scene.plan().settled
    body = scene.memory.get(TARGET)
    scene.put(TARGET, {**body, "spec": {**body["spec"], "replicas": 3}})
    assert scene.plan().settled, "somebody scaled the target: not ours to undo"
    for ref in (APEX, CANARY_SERVICE, PRIMARY_SERVICE, ROUTE):
        scene.memory.delete(ref)
    assert set(names(scene.plan())) == {
        "Service cart-canary",
        "Service cart-primary",
        "Service cart",
        "TraefikService cart",
    }
    scene.settle()
    assert weights(scene) == {"cart-primary": 100}


def test_an_idle_primary_is_recreated_but_never_overwritten() -> None:
    scene = Scene.of().release()
    scene.push("cart:2")
    scene.become(Phase.FAILED)
    assert scene.plan().settled, "a failed revision stays out of the primary"
    scene.memory.delete(PRIMARY)
    assert names(scene.plan()) == ["Deployment cart-primary"]


def test_writes_that_build_on_live_objects_carry_their_version() -> None:
    scene = Scene.of().release().become(Phase.PROGRESSING, Run(route=split(25)))
    scene.settle()
    scene.become(run=Run(route=split(50)))
    (write,) = scene.plan().writes
    assert isinstance(write, Put)
    version = scene.memory.get(ROUTE)["metadata"]["resourceVersion"]
    assert write.body["metadata"]["resourceVersion"] == version
    scene.become(run=owing(Obligation.ROLLBACK))
    scene.apply(scene.plan())
    (scale,) = scene.plan().writes
    assert isinstance(scale, Patch)
    version = scene.memory.get(TARGET)["metadata"]["resourceVersion"]
    assert scale.patch == {"spec": {"replicas": 0}, "metadata": {"resourceVersion": version}}


# A run


@pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.WAITING_PROMOTION])
def test_a_run_scales_the_target_up_to_the_size_of_the_primary(phase: Phase) -> None:
    scene = Scene.of().release().become(phase)
    assert names(scene.plan()) == ["Deployment cart"]
    scene.settle()
    assert replicas(scene) == 2


@pytest.mark.parametrize("reference", [HPA, KEDA])
def test_with_an_autoscaler_it_scales_up_to_its_minimum(reference: dict[str, str]) -> None:
    scene = Scene.of(autoscalerRef=reference).release().become(Phase.PROGRESSING)
    scene.settle()
    assert replicas(scene) == 3


def test_with_a_missing_autoscaler_it_scales_up_to_one() -> None:
    scene = Scene.of(autoscalerRef=KEDA).release().become(Phase.PROGRESSING)
    scene.memory.delete(SCALER)
    scene.settle()
    assert replicas(scene) == 1


def test_with_an_empty_primary_it_scales_up_to_one() -> None:
    scene = Scene.of().release().become(Phase.PROGRESSING)
    body = scene.memory.get(PRIMARY)
    scene.put(PRIMARY, {**body, "spec": {**body["spec"], "replicas": 0}})
    scene.settle()
    assert replicas(scene) == 1


def test_the_autoscaler_is_paused_before_the_target_shrinks_and_resumed_before_it_grows() -> None:
    scene = Scene.of(autoscalerRef=KEDA).release()
    assert scene.memory.get(SCALER)["metadata"]["annotations"] == {PAUSED: "0"}
    scene.become(Phase.PROGRESSING)
    assert names(scene.plan()) == ["ScaledObject cart", "Deployment cart"]
    scene.settle()
    assert PAUSED not in scene.memory.get(SCALER)["metadata"].get("annotations", {})
    scene.become(run=owing(Obligation.ROLLBACK))
    assert names(scene.plan()) == ["ScaledObject cart", "Deployment cart"]


@pytest.mark.parametrize("autoscaler", [{}, {"autoscalerRef": KEDA}])
def test_a_run_scales_up_only_what_its_controller_has_seen(autoscaler: dict[str, Any]) -> None:
    """Else there would be pods of the old revision first."""
    scene = Scene.of(**autoscaler).release().push("cart:2").become(Phase.PROGRESSING)
    world = scene.world()
    late = replace(world, target_health=replace(world.target_health, observed=False))
    assert plan(late) == Plan(waiting="the target's controller has not seen its revision yet")
    assert "Deployment cart" in names(plan(world))


def test_routes_do_not_wait_for_the_controller_of_the_target() -> None:
    scene = Scene.of().release().push("cart:2").become(Phase.PROGRESSING)
    scene.memory.delete(ROUTE, scene.memory.get(ROUTE)["metadata"]["uid"])
    world = scene.world()
    late = replace(world, target_health=replace(world.target_health, observed=False))
    assert names(plan(late)) == ["TraefikService cart"]


def test_only_the_route_moves_when_the_weight_does() -> None:
    scene = Scene.of().release().become(Phase.PROGRESSING, Run(route=split(25)))
    scene.settle()
    assert weights(scene) == {"cart-primary": 75, "cart-canary": 25}
    scene.become(run=Run(route=split(50)))
    assert names(scene.plan()) == ["TraefikService cart"]


def test_the_split_that_upstream_left_is_kept() -> None:
    scene = Scene.of().release().become(Phase.PROGRESSING, Run(route=split(25)))
    scene.settle()
    scene.become(run=Run(route=None))
    assert scene.plan().settled
    assert weights(scene) == {"cart-primary": 75, "cart-canary": 25}


def test_routes_found_before_the_first_release_are_not_adopted() -> None:
    scene = Scene.of().release().become(Phase.PROGRESSING, Run(route=split(25)))
    scene.settle()
    scene.become(Phase.INITIALIZING, Run())
    scene.settle()
    assert weights(scene) == {"cart-primary": 100}


def test_no_traffic_for_a_backend_without_pods() -> None:
    scene = Scene.of().release().become(Phase.PROGRESSING, Run(route=split(25)))
    scene.settle()
    scene.dead = {TARGET}
    scene.settle()
    assert weights(scene) == {"cart-primary": 100}
    scene.dead = {PRIMARY}
    scene.settle()
    assert weights(scene) == {"cart-canary": 100}
    scene.dead = {PRIMARY, TARGET}
    assert shown_route(scene.world()) == split(25)
    scene.dead = set()
    scene.settle()
    assert weights(scene) == {"cart-primary": 75, "cart-canary": 25}
