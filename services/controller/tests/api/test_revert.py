"""Deleting a Canary: with `revertOnDeletion` as it was before, without it as upstream leaves it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from .scene import FLAGGER, Object, Scene, World, image

pytestmark = [pytest.mark.api, pytest.mark.timeout(600)]

PROVIDERS = ("kubernetes", "traefik", "gatewayapi:v1")
FINALIZER = "finalizer.flagger.app"
GENERATED = (
    *("Deployment/podinfo-primary", "ConfigMap/podinfo-primary"),
    *("Service/podinfo-primary", "Service/podinfo-canary"),
)


@dataclass(frozen=True)
class Plot:
    """What happens before the Canary is deleted."""

    name: str
    provider: str = "traefik"
    revert: bool = True
    in_run: bool = False
    target_gone: bool = False
    opted_out: bool = False

    def __str__(self) -> str:
        return self.name


REVERTS = (
    *(Plot(f"idle-{provider.partition(':')[0]}", provider) for provider in PROVIDERS),
    Plot("in-run", in_run=True),
)
GONE = Plot("target-gone", target_gone=True)
PLAIN = Plot("plain", revert=False)
OPTED_OUT = Plot("opted-out", opted_out=True)
PLOTS = (*REVERTS, GONE, PLAIN, OPTED_OUT)


@pytest.fixture(scope="module")
def scenes(world: World) -> Iterator[dict[str, Scene]]:
    """All plots, played side by side by one controller until their Canaries are deleted."""
    found: dict[str, Scene] = {}
    with (
        world.scene("idle-kubernetes") as found["idle-kubernetes"],
        world.scene("idle-traefik") as found["idle-traefik"],
        world.scene("idle-gatewayapi") as found["idle-gatewayapi"],
        world.scene("in-run") as found["in-run"],
        world.scene("target-gone") as found["target-gone"],
        world.scene("plain") as found["plain"],
        world.scene("opted-out") as found["opted-out"],
        world.controller() as controller,
    ):
        for plot in PLOTS:
            _begin(found[plot.name], plot)
        for plot in PLOTS:
            _go_on(found[plot.name], plot)
        for plot in PLOTS:
            found[plot.name].delete(FLAGGER, "canaries", "podinfo")
        yield found
        assert controller.stop() == 0


def _begin(scene: Scene, plot: Plot) -> None:
    scene.deploy(replicas=2)
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    scene.create(
        "v1",
        "Service",
        {"metadata": {"name": "podinfo"}, "spec": {"ports": ports, "selector": {"app": "podinfo"}}},
    )
    analysis: Object = {"webhooks": [scene.gate("hold", "confirm-traffic-increase", 403)]}
    if plot.provider == "kubernetes":
        analysis |= {"stepWeight": None, "iterations": 2}
    scene.canary(provider=plot.provider, revertOnDeletion=plot.revert, analysis=analysis)


def _go_on(scene: Scene, plot: Plot) -> None:
    scene.wait_phase("Initialized")
    assert _finalizers(scene) == ([FINALIZER] if plot.revert else [])
    if plot.in_run:
        scene.script.gate("hold", [200, 403])
        scene.release("2")
        scene.wait_status(canaryWeight=25)
    if plot.target_gone:
        scene.delete("apps/v1", "deployments", "podinfo")
        scene.wait(lambda: scene.now("Deployment/podinfo") is None, "the target to go")
    if plot.opted_out:
        scene.patch(FLAGGER, "canaries", "podinfo", {"spec": {"revertOnDeletion": False}})
        scene.wait(lambda: _finalizers(scene) == [], "no finalizer")


def _finalizers(scene: Scene) -> list[str]:
    body: Any = scene.now("Canary.flagger.app/podinfo")
    return list(body["metadata"].get("finalizers") or [])


def _await_gone(scene: Scene, *keys: str) -> None:
    for key in keys:
        scene.wait(lambda key=key: scene.now(key) is None, f"{key} to be gone")  # type: ignore[misc]


def _service(scene: Scene) -> Object:
    body = scene.now("Service/podinfo")
    assert body is not None
    return body


@pytest.mark.parametrize("plot", REVERTS, ids=str)
def test_everything_is_as_it_was(scenes: dict[str, Scene], plot: Plot) -> None:
    scene = scenes[plot.name]
    _await_gone(scene, "Canary.flagger.app/podinfo", *GENERATED)
    target = scene.now("Deployment/podinfo")
    assert target is not None
    assert target["spec"]["replicas"] == 2
    assert image(target) == ("2" if plot.in_run else "1")
    service = _service(scene)
    assert service["spec"]["selector"] == {"app": "podinfo"}
    assert not service["metadata"].get("ownerReferences")
    if plot.provider != "kubernetes":
        scene.wait(lambda: scene.routing(plot.provider) is None, "the route to be gone")


@pytest.mark.parametrize("plot", REVERTS, ids=str)
def test_the_end_is_told_once(scenes: dict[str, Scene], plot: Plot) -> None:
    scene = scenes[plot.name]
    _await_gone(scene, "Canary.flagger.app/podinfo")
    last = "Normal Terminated canary podinfo.$ns"
    scene.wait_told(last)  # beside the tick that let the Canary go
    told = scene.told()
    assert told.count("Normal Terminating canary podinfo.$ns") == 1
    assert told.count(last) == 1


@pytest.mark.parametrize("plot", REVERTS, ids=str)
def test_clients_always_have_pods(scenes: dict[str, Scene], plot: Plot) -> None:
    """The Service goes back to the target only when that has pods."""
    scene = scenes[plot.name]
    _await_gone(scene, "Canary.flagger.app/podinfo")
    history = scene.world.mirror.history(scene.namespace, "Service/podinfo")
    reverted = max(revision for revision, body in history if body and _selects_target(body))
    before = scene.world.mirror.at(scene.namespace, reverted)["Deployment/podinfo"]
    assert before["status"].get("availableReplicas") == 2


def _selects_target(body: Object) -> bool:
    return bool(body["spec"]["selector"] == {"app": "podinfo"})


def test_a_canary_whose_target_is_gone_goes(scenes: dict[str, Scene]) -> None:
    _await_gone(scenes["target-gone"], "Canary.flagger.app/podinfo", *GENERATED)


@pytest.mark.parametrize("plot", [PLAIN, OPTED_OUT], ids=str)
def test_without_it_what_was_generated_goes(scenes: dict[str, Scene], plot: Plot) -> None:
    scene = scenes[plot.name]
    _await_gone(scene, "Canary.flagger.app/podinfo", "TraefikService.traefik.io/podinfo")
    _await_gone(scene, *GENERATED)
    target = scene.now("Deployment/podinfo")
    assert target is not None
    assert target["spec"]["replicas"] == 0
    assert "Normal Terminating canary podinfo.$ns" not in scene.told()
