"""A StatefulSet with volumes, a governing Service and a disruption budget."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .scene import Object, Scene, deployment

REFERENCE = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "podinfo"}
TARGET = "StatefulSet/podinfo"
PRIMARY = "StatefulSet/podinfo-primary"
VOLUMES = "/api/v1/persistentvolumes"
SERVICE = {"name": "shop", "port": 80, "targetPort": "http"}
"""Clients do not reach a release by the Service that gives its pods their names."""


@contextmanager
def deployed(scene: Scene, *, tag: str = "1", replicas: int = 2) -> Iterator[None]:
    """The application, and its volumes for as long: they belong to no namespace."""
    names = [f"{scene.namespace}-{number}" for number in range(2 * replicas)]
    for name in names:
        scene.api.create(VOLUMES, _volume(scene, name))
    try:
        create(scene, tag, replicas)
        yield
    finally:
        for name in names:
            scene.api.delete(f"{VOLUMES}/{name}")


def create(scene: Scene, tag: str = "1", replicas: int = 2, **spec: Any) -> None:
    """The application alone."""
    scene.create("v1", "ConfigMap", {"metadata": {"name": "podinfo"}, "data": {"colour": "x"}})
    scene.create("v1", "Service", {"metadata": {"name": "podinfo"}, "spec": GOVERNING})
    scene.create("policy/v1", "PodDisruptionBudget", BUDGET)
    scene.create("apps/v1", "StatefulSet", statefulset(scene, tag, replicas, **spec))


BUDGET: Object = {
    "metadata": {"name": "podinfo"},
    "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "podinfo"}}},
}
GOVERNING: Object = {
    "clusterIP": "None",
    "selector": {"app": "podinfo"},
    "publishNotReadyAddresses": True,
}


def statefulset(scene: Scene, tag: str = "1", replicas: int = 2, **spec: Any) -> Object:
    """The pods of `deployment`, with a claim each."""
    body = deployment("podinfo", tag, replicas)
    claims = [{"metadata": {"name": "data"}, "spec": claim(scene)}]
    body["spec"] |= {"serviceName": "podinfo", "volumeClaimTemplates": claims} | spec
    return body


def claim(scene: Scene) -> Object:
    """What a pod asks for; the class keeps the volumes of tests apart."""
    return {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": scene.namespace,
    }


def released(scene: Scene, tag: str) -> None:
    """Push another revision."""
    template = deployment("podinfo", tag, 1)["spec"]["template"]
    scene.patch("apps/v1", "statefulsets", "podinfo", {"spec": {"template": template}})


def _volume(scene: Scene, name: str) -> Object:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "hostPath": {"path": "/nowhere"},
        "storageClassName": scene.namespace,
    }
    return {"metadata": {"name": name}, "spec": spec}
