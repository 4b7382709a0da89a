"""Releases of StatefulSets on a real control plane: volumes, names, rollouts, and mistakes."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from .scene import FLAGGER, Object, Scene, World, condition, image
from .stateful import (
    BUDGET,
    PRIMARY,
    REFERENCE,
    SERVICE,
    TARGET,
    claim,
    deployed,
    released,
    statefulset,
)

pytestmark = [pytest.mark.api, pytest.mark.timeout(600)]

LABELS = ("promoted", "rolled-back", "broken", "made-anew", "reverted", "own-budget")
OTHER_BUDGET: Object = {
    "metadata": {"name": "podinfo-primary"},
    "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "podinfo-primary"}}},
}


@pytest.fixture(scope="module")
def scenes(world: World) -> Iterator[dict[str, Scene]]:
    """All scenes, played side by side by one controller until their ends."""
    with ExitStack() as stack:
        found = {label: stack.enter_context(world.scene(label)) for label in LABELS}
        mark = world.plane.audit.mark()
        stack.enter_context(world.controller())
        for label, scene in found.items():
            stack.enter_context(deployed(scene))
            if label == "own-budget":
                scene.create("policy/v1", "PodDisruptionBudget", OTHER_BUDGET)
            more: Object = {"progressDeadlineSeconds": 5} if label == "broken" else {}
            revert = label == "reverted"
            scene.canary(targetRef=REFERENCE, service=SERVICE, revertOnDeletion=revert, **more)
        for scene in found.values():
            scene.wait_phase("Initialized")
        found["rolled-back"].script.answer(r"\* 100$", 50)
        for label, tag in (("promoted", "2"), ("rolled-back", "2"), ("broken", "broken")):
            released(found[label], tag)
        found["reverted"].delete(FLAGGER, "canaries", "podinfo")
        for label, end in (("promoted", "Succeeded"), ("rolled-back", "Failed")):
            found[label].wait_phase(end)
        found["broken"].wait_phase("Failed")
        yield found
        refused = world.plane.audit.requests(since=mark, user="flagger", code=422)
        assert refused == []


def of(scene: Scene, key: str) -> Any:
    body = scene.now(key)
    assert body is not None, f"no {key}\n{scene.story()}"
    return body


def replicas(scene: Scene, key: str) -> int:
    return int(of(scene, key)["spec"]["replicas"])


def claims(scene: Scene) -> set[str]:
    kind = "PersistentVolumeClaim/"
    found = scene.world.mirror.at(scene.namespace)
    return {key.removeprefix(kind) for key in found if key.startswith(kind)}


OWN_CLAIMS = {
    *("data-podinfo-0", "data-podinfo-1"),
    *("data-podinfo-primary-0", "data-podinfo-primary-1"),
}


def test_a_release_is_promoted(scenes: dict[str, Scene]) -> None:
    scene = scenes["promoted"]
    assert image(of(scene, PRIMARY)) == "2"
    assert (replicas(scene, PRIMARY), replicas(scene, TARGET)) == (2, 0)
    status = of(scene, PRIMARY)["status"]
    assert status["updateRevision"] == status["currentRevision"]
    assert (status["updatedReplicas"], status["availableReplicas"]) == (2, 2)
    weights = [status.get("canaryWeight") for status in scene.statuses()]
    assert [weight for weight in dict.fromkeys(weights) if weight] == [25, 50]


def test_no_pod_of_the_primary_is_missing_while_it_serves(scenes: dict[str, Scene]) -> None:
    """It is rolled one pod after the other."""
    history = scenes["promoted"].world.mirror.history(scenes["promoted"].namespace, PRIMARY)
    counts = [(body or {}).get("status", {}).get("availableReplicas", 0) for _, body in history]
    served = counts[counts.index(2) :]
    assert min(served) >= 1


def test_volumes_are_separate_and_stay(scenes: dict[str, Scene]) -> None:
    scene = scenes["promoted"]
    assert claims(scene) == OWN_CLAIMS
    volumes = {
        of(scene, f"PersistentVolumeClaim/{name}")["spec"]["volumeName"] for name in OWN_CLAIMS
    }
    assert len(volumes) == len(OWN_CLAIMS)


def test_pods_of_the_primary_have_names(scenes: dict[str, Scene]) -> None:
    scene = scenes["promoted"]
    assert of(scene, PRIMARY)["spec"]["serviceName"] == "podinfo-primary"
    copied, own = of(scene, "Service/podinfo-primary"), of(scene, "Service/podinfo")
    assert copied["spec"]["clusterIP"] == "None"
    assert copied["spec"]["selector"] == {"app": "podinfo-primary"}
    assert copied["spec"]["publishNotReadyAddresses"] is True
    assert own["spec"]["selector"] == {"app": "podinfo"}
    assert "annotations" not in own["metadata"]
    assert of(scene, "Service/shop")["spec"]["selector"] == {"app": "podinfo-primary"}


def test_the_governing_service_is_followed(scenes: dict[str, Scene]) -> None:
    scene = scenes["broken"]
    scene.patch("v1", "services", "podinfo", {"spec": {"publishNotReadyAddresses": False}})
    scene.wait(
        lambda: not of(scene, "Service/podinfo-primary")["spec"].get("publishNotReadyAddresses"),
        "the copy to follow",
    )


OWN_BUDGET, COPY = "PodDisruptionBudget/podinfo", "PodDisruptionBudget/podinfo-primary"


def test_the_primary_is_under_a_disruption_budget(scenes: dict[str, Scene]) -> None:
    scene = scenes["promoted"]
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "podinfo-primary"}}}
    assert of(scene, COPY)["spec"] == spec
    # Its controller says which pods are under it.
    scene.wait(partial(counts, scene, COPY, 2), "two pods under the copy")
    scene.wait(partial(counts, scene, OWN_BUDGET, 0), "no pods under the original")


def counts(scene: Scene, key: str, pods: int) -> bool:
    status = of(scene, key)["status"]
    return bool(status.get("currentHealthy") == status.get("expectedPods") == pods)


def test_the_budget_of_the_primary_follows_and_goes(scenes: dict[str, Scene]) -> None:
    scene = scenes["rolled-back"]
    scene.patch("policy/v1", "poddisruptionbudgets", "podinfo", {"spec": {"minAvailable": 2}})
    scene.wait(lambda: of(scene, COPY)["spec"]["minAvailable"] == 2, "the copy to follow")
    scene.delete("policy/v1", "poddisruptionbudgets", "podinfo")
    scene.wait(lambda: scene.now(COPY) is None, "the copy to go")
    scene.create("policy/v1", "PodDisruptionBudget", BUDGET)
    scene.wait(lambda: scene.now(COPY), "a new copy")


def test_a_budget_that_somebody_made_is_never_touched(scenes: dict[str, Scene]) -> None:
    scene = scenes["own-budget"]
    history = scene.world.mirror.history(scene.namespace, COPY)
    assert all(body and body["spec"] == OTHER_BUDGET["spec"] for _, body in history)
    assert "ownerReferences" not in of(scene, COPY)["metadata"]
    scene.delete("policy/v1", "poddisruptionbudgets", "podinfo")
    released(scene, "2")
    scene.wait_phase("Succeeded")
    assert of(scene, COPY)["metadata"].get("deletionTimestamp") is None


def test_a_bad_release_is_rolled_back(scenes: dict[str, Scene]) -> None:
    scene = scenes["rolled-back"]
    assert image(of(scene, PRIMARY)) == "1"
    assert (replicas(scene, PRIMARY), replicas(scene, TARGET)) == (2, 0)
    assert claims(scene) == OWN_CLAIMS


def test_a_release_without_pods_ends_at_the_deadline(scenes: dict[str, Scene]) -> None:
    scene = scenes["broken"]
    text = (
        "Warning canary statefulset podinfo.$ns not ready: exceeded its progressDeadlineSeconds: 5"
    )
    scene.wait_told(text)
    assert image(of(scene, PRIMARY)) == "1"
    assert replicas(scene, TARGET) == 0


def test_a_target_that_was_made_anew_with_other_volumes(scenes: dict[str, Scene]) -> None:
    """Its primary cannot follow: that is told, and not tried."""
    scene = scenes["made-anew"]
    _make_anew(scene, volumeClaimTemplates=[{"metadata": {"name": "logs"}, "spec": claim(scene)}])
    text = "spec.volumeClaimTemplates cannot be changed in its primary"
    scene.wait(lambda: text in _blocked(scene), text)
    _make_anew(scene)
    scene.wait(lambda: condition(scene.status(), "Ready") is None, "no condition")


def _blocked(scene: Scene) -> str:
    found = condition(scene.status(), "Ready") or {}
    return str(found["message"]) if found.get("reason") == "Blocked" else ""


def _make_anew(scene: Scene, **spec: Any) -> None:
    scene.delete("apps/v1", "statefulsets", "podinfo")
    scene.wait(lambda: scene.now(TARGET) is None, "the target to go")
    scene.create("apps/v1", "StatefulSet", statefulset(scene, replicas=0, **spec))


def gone(scene: Scene, key: str) -> bool:
    return scene.now(key) is None


def test_a_revert_gives_the_target_its_size_back(scenes: dict[str, Scene]) -> None:
    scene = scenes["reverted"]
    for key in ("Canary.flagger.app/podinfo", PRIMARY, "Service/podinfo-primary", COPY):
        scene.wait(partial(gone, scene, key), f"{key} to be gone")
    assert replicas(scene, TARGET) == 2
    assert of(scene, "Service/podinfo")["spec"]["selector"] == {"app": "podinfo"}
    assert claims(scene) == OWN_CLAIMS
