"""Which writes follow from spec and status, in which order, and when there is nothing to write."""

import itertools
import uuid
from dataclasses import replace
from typing import Any

import pytest

from flagger_controller.api.status import Obligation, Phase, Route, Run
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.tick.plan import Delete, Patch, Plan, Put, plan, shown_route

from .scene import (
    APEX,
    CANARY_SERVICE,
    NAME,
    NAMESPACE,
    PRIMARY,
    PRIMARY_SERVICE,
    ROUTE,
    SETTINGS,
    TARGET,
    Scene,
    config_map,
    names,
    split,
)

KEDA = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": NAME}
HPA = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": NAME}
SCALER = Ref(resources.SCALED_OBJECTS, NAME, NAMESPACE)
PRIMARY_SCALER = Ref(resources.SCALED_OBJECTS, f"{NAME}-primary", NAMESPACE)
COPY = Ref(resources.CONFIG_MAPS, "settings-primary", NAMESPACE)
PAUSED = "autoscaling.keda.sh/paused-replicas"
DAEMON = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": NAME}
STATEFUL = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": NAME}
SERVICE_TARGET = {"apiVersion": "v1", "kind": "Service", "name": NAME}


def weights(scene: Scene) -> dict[str, int]:
    body = scene.get(ROUTE)
    assert body is not None
    return {each["name"]: each["weight"] for each in body["spec"]["weighted"]["services"]}


def replicas(scene: Scene, ref: Ref = TARGET) -> int:
    body = scene.get(ref)
    assert body is not None
    return int(body["spec"]["replicas"])


def selector(scene: Scene) -> str:
    body = scene.get(APEX)
    assert body is not None
    return str(body["spec"]["selector"]["app"])


def image(scene: Scene, ref: Ref = PRIMARY) -> str:
    return str(scene.memory.get(ref)["spec"]["template"]["spec"]["containers"][0]["image"])


def scaled_to_zero(scene: Scene) -> Scene:
    body = scene.memory.get(TARGET)
    scene.put(TARGET, {**body, "spec": {**body["spec"], "replicas": 0}})
    return scene


def owing(obligation: Obligation, weight: int = 0, **run: Any) -> Run:
    return Run(obligation=obligation, route=split(weight), **run)


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
def test_idle_phases_keep_services_and_routes_but_not_the_scale_of_the_target(
    phase: Phase,
) -> None:
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


# Promotion


def test_promotion_copies_configs_first_and_keeps_traffic_and_scale() -> None:
    scene = Scene.of(configs=True, autoscalerRef=KEDA).release()
    scene.become(Phase.PROGRESSING, Run(route=split(50)))
    scene.put(SETTINGS, config_map("2"))
    scene.push("cart:2")
    scene.settle()
    scaler = scene.memory.get(SCALER)
    scene.put(SCALER, {**scaler, "spec": {**scaler["spec"], "minReplicaCount": 5}})
    assert scene.plan().settled, "the primary and what is its own wait for the promotion"
    scene.become(Phase.PROMOTING)
    assert names(scene.plan()) == [
        "ConfigMap settings-primary",
        "Deployment cart-primary",
        "ScaledObject cart-primary",
    ]
    scene.settle()
    container = scene.memory.get(PRIMARY)["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "cart:2"
    assert container["envFrom"] == [{"configMapRef": {"name": "settings-primary"}}]
    assert scene.memory.get(COPY)["data"] == {"v": "2"}
    assert scene.memory.get(PRIMARY_SCALER)["spec"]["minReplicaCount"] == 5
    assert weights(scene) == {"cart-primary": 50, "cart-canary": 50}
    assert scene.world().promoted


def test_a_target_that_moved_on_is_not_promoted() -> None:
    scene = Scene.of().release().become(Phase.PROGRESSING, Run(route=split(50)))
    scene.push("cart:2")
    analysed = scene.canary.status.last_applied_spec
    scene.push("cart:3")
    scene.become(Phase.PROMOTING, last_applied_spec=analysed)
    scene.settle()
    assert image(scene) == "cart:1"


@pytest.mark.parametrize("deleted", [False, True])
def test_nothing_is_made_from_a_target_whose_config_is_missing(deleted: bool) -> None:
    scene = Scene.of(configs=True).release().become(Phase.PROMOTING, Run(route=split(50)))
    scene.push("cart:2")
    if deleted:
        del scene.memory.objects[PRIMARY]
    assert "Deployment cart-primary" in names(scene.plan())
    assert "Deployment cart-primary" not in names(plan(replace(scene.world(), missing="gone")))


def test_configs_that_moved_on_are_not_promoted() -> None:
    scene = Scene.of(configs=True).release().become(Phase.PROMOTING, Run(route=split(50)))
    scene.push("cart:2")
    scene.put(SETTINGS, config_map("changed after its analysis"))
    assert not scene.world().promoting
    scene.settle()
    assert scene.memory.get(COPY)["data"] == {"v": "1"}


def test_a_promoted_primary_is_not_written_again() -> None:
    scene = Scene.of().release().become(Phase.PROMOTING, Run(route=split(50)))
    scene.push("cart:2")
    assert scene.world().promoting
    scene.settle()
    assert not scene.world().promoting
    promoted = scene.canary.status.last_applied_spec
    scene.push("cart:3")
    scene.become(last_applied_spec=promoted)
    assert scene.world().promoted, "its identity tells, though the target has moved on"
    assert scene.settle().settled
    assert image(scene) == "cart:2"


def test_between_runs_the_primary_tells_what_an_unknown_hash_means() -> None:
    scene = Scene.of().release().become(Phase.SUCCEEDED, last_applied_spec="6c9dbdd48d")
    primary = scene.memory.get(PRIMARY)
    primary["spec"]["template"]["metadata"]["annotations"]["flagger-id"] = str(uuid.uuid4())
    scene.put(PRIMARY, primary)
    assert scene.world().promoted
    assert not scene.become(Phase.PROGRESSING).world().promoted
    scene.push("cart:2")
    assert not scene.become(Phase.SUCCEEDED, last_applied_spec="6c9dbdd48d").world().promoted


# Finalising


def test_finalising_scales_the_target_down_when_the_interval_is_over() -> None:
    scene = Scene.of().release().become(Phase.PROGRESSING, Run(route=split(50)))
    scene.settle()
    scene.become(Phase.FINALISING, Run(route=Route()))
    scene.due = False
    assert names(scene.plan()) == ["TraefikService cart"], "routes move at once"
    scene.settle()
    assert replicas(scene) == 2, "connections to the target are drained for an interval"
    scene.due = True
    assert names(scene.plan()) == ["Deployment cart"]
    assert scene.settle().settled
    assert replicas(scene) == 0


def test_finalising_never_writes_routes_and_scale_in_one_plan() -> None:
    scene = Scene.of().release().become(Phase.PROGRESSING, Run(route=split(50)))
    scene.settle()
    scene.become(Phase.FINALISING, Run(route=Route()))
    found = scene.plan()
    assert names(found) == ["TraefikService cart"]
    assert found.waiting == "routes come before scale"


@pytest.mark.parametrize(("skip", "left"), [(False, 2), (True, 0)])
def test_finalising_waits_for_the_primary_unless_the_analysis_is_skipped(
    skip: bool, left: int
) -> None:
    scene = Scene.of(skipAnalysis=skip).release().become(Phase.PROGRESSING)
    scene.settle()
    body = scene.memory.get(PRIMARY)
    scene.put(PRIMARY, {**body, "spec": {**body["spec"], "replicas": 0}})
    scene.dead.add(PRIMARY)
    body = scene.memory.get(PRIMARY)
    scene.put(PRIMARY, {**body, "spec": {**body["spec"], "replicas": 2}})
    scene.become(Phase.FINALISING, Run(route=Route()))
    scene.settle()
    assert replicas(scene) == left


# Obligations


def test_a_rollback_moves_the_traffic_then_the_scale() -> None:
    scene = Scene.of().release().become(Phase.PROGRESSING, Run(route=split(50)))
    scene.settle()
    scene.become(run=owing(Obligation.ROLLBACK))
    found = scene.plan()
    assert names(found) == ["TraefikService cart"]
    assert found.waiting == "routes come before scale"
    scene.apply(found)
    assert names(scene.plan()) == ["Deployment cart"]
    assert scene.settle().settled
    assert (weights(scene), replicas(scene)) == ({"cart-primary": 100}, 0)


def test_a_rollback_without_a_primary_keeps_the_target_and_waits() -> None:
    scene = Scene.of().release().become(Phase.PROGRESSING, Run(route=split(50)))
    scene.settle()
    scene.dead = {PRIMARY}
    scene.become(run=owing(Obligation.ROLLBACK, 50))
    found = scene.settle()
    assert found.waiting == "traffic is still on the target: the primary has no pods"
    assert (weights(scene), replicas(scene)) == ({"cart-canary": 100}, 2)


def test_a_rollback_of_a_run_stranded_on_the_target_leaves_the_target_up() -> None:
    scene = Scene.of().release().become(Phase.PROGRESSING)
    scene.settle()
    scene.dead = {PRIMARY}
    scene.become(run=owing(Obligation.ROLLBACK, 100, promotion_failed=True))
    assert scene.settle().settled
    assert (weights(scene), replicas(scene)) == ({"cart-canary": 100}, 2)


def test_a_rollback_to_a_recovered_primary_scales_down_though_a_promotion_had_failed() -> None:
    scene = Scene.of().release().become(Phase.PROGRESSING)
    scene.settle()
    scene.become(run=owing(Obligation.ROLLBACK, 0, promotion_failed=True))
    assert scene.settle().settled
    assert (weights(scene), replicas(scene)) == ({"cart-primary": 100}, 0)


def test_keep_canary_moves_the_traffic_to_the_target_and_keeps_it_up() -> None:
    scene = Scene.of().release().become(Phase.PROGRESSING, Run(route=split(50)))
    scene.settle()
    run = owing(Obligation.KEEP_CANARY, 100, promotion_failed=True)
    scene.become(Phase.PROMOTING, run)
    assert names(scene.plan()) == ["TraefikService cart"]
    assert scene.settle().settled
    assert (weights(scene), replicas(scene)) == ({"cart-canary": 100}, 2)


def test_keep_canary_on_provider_kubernetes_points_the_apex_at_the_target() -> None:
    scene = Scene.of(provider="kubernetes").release().become(Phase.PROGRESSING)
    scene.settle()
    assert selector(scene) == "cart-primary"
    run = owing(Obligation.KEEP_CANARY, 100, promotion_failed=True)
    scene.become(Phase.PROMOTING, run)
    assert names(scene.plan()) == ["Service cart"]
    assert scene.settle().settled
    assert selector(scene) == "cart"
    scene.become(Phase.SUCCEEDED, Run(route=Route()))
    scene.settle()
    assert selector(scene) == "cart-primary"


def test_keep_canary_elsewhere_leaves_the_apex_alone() -> None:
    scene = Scene.of().release().become(Phase.PROGRESSING)
    scene.settle()
    scene.become(Phase.PROMOTING, owing(Obligation.KEEP_CANARY, 100, promotion_failed=True))
    scene.settle()
    assert selector(scene) == "cart-primary"


def test_skip_promotes_then_scales_down() -> None:
    scene = Scene.of(configs=True, skipAnalysis=True).release().become(Phase.PROGRESSING)
    scene.put(SETTINGS, config_map("2"))
    scene.push("cart:2")
    scene.settle()
    scene.writes.clear()
    scene.become(run=owing(Obligation.SKIP))
    assert scene.settle().settled
    assert scene.writes == [
        "ConfigMap settings-primary",
        "Deployment cart-primary",
        "Deployment cart",
    ]
    assert scene.world().promoted
    assert replicas(scene) == 0


# Deletion


def deleted(scene: Scene, phase: Phase = Phase.TERMINATING) -> Scene:
    metadata = scene.canary.metadata.model_copy(update={"deletion_timestamp": "2026-05-01"})
    scene.canary = scene.canary.model_copy(update={"metadata": metadata})
    return scene.become(phase)


@pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.INITIALIZED, Phase.NEW])
def test_a_deleted_canary_is_left_alone_until_it_is_recorded(phase: Phase) -> None:
    scene = deleted(scaled_to_zero(Scene.of().release()), phase)
    scene.memory.delete(APEX)
    assert scene.plan() == Plan()


def test_revert_brings_the_target_up_before_the_services_go_back() -> None:
    scene = Scene.of(Phase.INITIALIZING, autoscalerRef=KEDA)
    spec = {"selector": {"app": NAME}, "ports": [{"port": 80}]}
    scene.put(APEX, {"spec": spec})
    deleted(scene.release())
    found = scene.plan()
    assert names(found) == ["ScaledObject cart", "Deployment cart"]
    assert found.waiting == "the target comes up before routes go back"
    scene.apply(found)
    assert replicas(scene) == 2
    assert PAUSED not in scene.memory.get(SCALER)["metadata"].get("annotations", {})
    assert selector(scene) == "cart-primary"
    assert names(scene.plan()) == ["Service cart"]
    assert scene.settle().settled
    assert selector(scene) == "cart"


def test_revert_waits_for_the_target() -> None:
    scene = deleted(Scene.of().release())
    scene.dead.add(TARGET)
    found = scene.settle()
    assert found.waiting.startswith("canary deployment cart.shop not ready: ")
    assert not found.settled


def test_revert_leaves_alone_what_goes_away_with_the_canary() -> None:
    scene = deleted(Scene.of().release())
    assert scene.settle().settled
    assert scene.writes == ["Deployment cart"]


def test_revert_without_a_primary_uses_the_autoscalers_minimum() -> None:
    scene = deleted(Scene.of(autoscalerRef=KEDA).release())
    scene.memory.delete(PRIMARY)
    scene.settle()
    assert replicas(scene) == 3


def test_revert_of_a_daemonset_lets_its_pods_run_again() -> None:
    scene = deleted(Scene.of(targetRef=DAEMON).release())
    ref = Ref(resources.DAEMON_SETS, NAME, NAMESPACE)
    assert scene.memory.get(ref)["spec"]["template"]["spec"]["nodeSelector"]
    scene.settle()
    assert not scene.memory.get(ref)["spec"]["template"]["spec"].get("nodeSelector")


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
