"""Namespaces as one controller left them, kept in files and set up again.

So that `make test` can take over what upstream wrote without having its binary.
"""

import json
import pathlib
from collections.abc import Iterable

import yaml

from ..scene import FLAGGER, Object, Scene

RECORDED = pathlib.Path(__file__).with_name("recorded")
RECEIVERS, NAMESPACE, UID = "$receivers", "$namespace", "$uid"
_SERVERS = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")
"""What an API server puts into every object."""
_ALLOCATED = ("clusterIP", "clusterIPs", "healthCheckNodePort")


def write(name: str, receivers: str, objects: Iterable[Object]) -> None:
    """Keep the objects of a namespace; the Canary comes first."""
    kept = [body for body in objects if "kube-root-ca" not in body["metadata"]["name"]]
    kept.sort(key=lambda body: (body["kind"] != "Canary", body["kind"], body["metadata"]["name"]))
    namespace = kept[0]["metadata"]["namespace"]
    text = json.dumps([_kept(body) for body in kept])
    text = text.replace(namespace, NAMESPACE).replace(receivers, RECEIVERS)
    RECORDED.mkdir(exist_ok=True)
    head = "# What upstream Flagger 1.44 left behind; refreshed by `make takeover ARGS=--record`.\n"
    body = yaml.safe_dump(json.loads(text), sort_keys=True, width=96)
    (RECORDED / f"{name}.yaml").write_text(head + body)


def names() -> list[str]:
    """The states that are kept."""
    return sorted(path.stem for path in RECORDED.glob("*.yaml"))


def read(name: str) -> list[Object]:
    """The objects of a state; the Canary comes first."""
    found: list[Object] = yaml.safe_load((RECORDED / f"{name}.yaml").read_text())
    return found


def restore(scene: Scene, name: str, interval: int) -> None:
    """Set up a namespace as it was, with a Canary of another interval."""
    canary, *others = json.loads(
        json.dumps(read(name))
        .replace(NAMESPACE, scene.namespace)
        .replace(RECEIVERS, scene.world.receivers.url)
    )
    canary["spec"]["analysis"]["interval"] = f"{interval}s"
    created = scene.create(FLAGGER, "Canary", canary)
    for body in others:
        for owner in body["metadata"].get("ownerReferences", ()):
            owner["uid"] = created["metadata"]["uid"]
        scene.create(body["apiVersion"], body["kind"], body)
    scene.api.patch(
        f"/apis/{FLAGGER}/namespaces/{scene.namespace}/canaries/podinfo/status",
        {"status": canary["status"]},
    )
    wanted = {_place(body) for body in (canary, *others)}

    def ready() -> bool:
        found = scene.world.mirror.at(scene.namespace).values()
        return wanted <= {_place(body) for body in found} and all(map(_ready, found))

    scene.wait(ready, "pods")


def _place(body: Object) -> tuple[str, str]:
    return body["kind"], body["metadata"]["name"]


def _ready(body: Object) -> bool:
    """All pods that a workload is to have serve; true for all other kinds."""
    status, spec = body.get("status", {}), body.get("spec", {})
    match body["kind"]:
        case "Deployment":
            missing = spec["replicas"] - int(status.get("availableReplicas", 0))
        case "DaemonSet":
            missing = status["desiredNumberScheduled"] - int(status.get("numberAvailable", 0))
        case _:
            return True
    return not missing and bool(status.get("observedGeneration") == body["metadata"]["generation"])


def _kept(body: Object) -> Object:
    metadata = {key: value for key, value in body["metadata"].items() if key not in _SERVERS}
    if owners := metadata.get("ownerReferences"):
        metadata["ownerReferences"] = [{**owner, "uid": UID} for owner in owners]
    kept = {**body, "metadata": metadata}
    if body["kind"] != "Canary":
        kept.pop("status", None)
    if body["kind"] == "Service":
        kept["spec"] = {key: v for key, v in body["spec"].items() if key not in _ALLOCATED}
    return kept
