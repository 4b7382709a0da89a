"""What people do in the releases that are swept."""

from collections.abc import Iterable
from typing import Any, Final

from .. import stateful
from ..acts import Act
from ..scene import FLAGGER, Scene

DEADLINE = 8
"""Seconds that pods may take to get ready where they never do. The others need one or two."""
SCALED: Final = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "podinfo"}
GATES: Final = (
    ("start", "confirm-rollout", 403),
    ("more", "confirm-traffic-increase", 403),
    ("approve", "confirm-promotion", 403),
)


def deployment(scene: Scene) -> None:
    scene.deploy(replicas=2)


def statefulset(scene: Scene) -> None:
    """Without volumes, which belong to no namespace."""
    stateful.create(scene, volumeClaimTemplates=[])


def application(
    *before: Act,
    workload: Act = deployment,
    hooks: Iterable[tuple[str, str, int]] = (),
    **spec: Any,
) -> Act:
    """An application under a Canary; hooks are names, types and codes."""

    def begin(scene: Scene) -> None:
        workload(scene)
        for act in before:
            act(scene)
        webhooks = [scene.gate(*hook) for hook in (*hooks, ("after", "post-rollout", 200))]
        analysis = {"webhooks": webhooks} | spec.get("analysis", {})
        scene.canary(**(spec | {"analysis": analysis}))

    return begin


def initialized(scene: Scene) -> None:
    scene.wait_phase("Initialized")


def push(tag: str) -> Act:
    return lambda scene: scene.release(tag)


def push_stateful(tag: str) -> Act:
    return lambda scene: stateful.released(scene, tag)


def seen(**status: Any) -> Act:
    return lambda scene: scene.wait_seen(**status)


def impatient(scene: Scene) -> None:
    """Pods of the Deployment, and so of the primary, must be ready in time."""
    spec = {"spec": {"progressDeadlineSeconds": DEADLINE}}
    scene.patch("apps/v1", "deployments", "podinfo", spec)


def service(scene: Scene) -> None:
    """The application had a Service before it had a Canary."""
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    spec = {"ports": ports, "selector": {"app": "podinfo"}}
    scene.create("v1", "Service", {"metadata": {"name": "podinfo"}, "spec": spec})


def recoloured(scene: Scene) -> None:
    scene.patch("v1", "configmaps", "podinfo", {"data": {"colour": "red"}})


def deleted(scene: Scene) -> None:
    scene.delete(FLAGGER, "canaries", "podinfo")


def remarked(scene: Scene) -> None:
    """Somebody adds to generated objects what must stay there."""
    note = {"metadata": {"annotations": {"example.org/remark": "mine"}}}
    scene.patch("apps/v1", "deployments", "podinfo-primary", note)
    scene.patch("v1", "services", "podinfo", note)
    scene.patch("traefik.io/v1alpha1", "traefikservices", "podinfo", note)


def scaled(scene: Scene) -> None:
    """By KEDA."""
    triggers = [{"type": "cpu", "metadata": {"value": "80"}}]
    spec = {"scaleTargetRef": {"name": "podinfo"}, "minReplicaCount": 2, "triggers": triggers}
    scene.create(
        SCALED["apiVersion"], "ScaledObject", {"metadata": {"name": "podinfo"}, "spec": spec}
    )
