"""Which writes promotions, rollbacks and the deletion of a Canary need, in which order."""

import uuid
from dataclasses import replace

import pytest

from flagger_controller.api.status import Obligation, Phase, Route, Run
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.tick.plan import Plan, plan

from ..scene import (
    APEX,
    NAME,
    NAMESPACE,
    PRIMARY,
    SETTINGS,
    TARGET,
    Scene,
    config_map,
    names,
    split,
)
from .scenes import (
    COPY,
    DAEMON,
    KEDA,
    PAUSED,
    PRIMARY_SCALER,
    SCALER,
    deleted,
    image,
    owing,
    replicas,
    scaled_to_zero,
    selector,
    weights,
)

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
