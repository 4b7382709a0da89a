"""What the tests of plans look at, and the objects that they name."""

from typing import Any

from flagger_controller.api.status import Obligation, Phase, Run
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref

from ..scene import APEX, NAME, NAMESPACE, PRIMARY, ROUTE, TARGET, Scene, split

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


def deleted(scene: Scene, phase: Phase = Phase.TERMINATING) -> Scene:
    metadata = scene.canary.metadata.model_copy(update={"deletion_timestamp": "2026-05-01"})
    scene.canary = scene.canary.model_copy(update={"metadata": metadata})
    return scene.become(phase)
