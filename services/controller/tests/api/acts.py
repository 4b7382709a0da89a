"""What people do in releases, for the sweep and the take-over alike."""

from collections.abc import Callable
from typing import Final

from .scene import Object, Scene

Act = Callable[[Scene], None]
AUTOSCALER: Final = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "name": "podinfo",
}
ITERATIONS: Final[Object] = {"stepWeight": None, "maxWeight": None, "iterations": 2}
MATCH: Final[Object] = {"match": [{"headers": {"x-beta": {"exact": "1"}}}]}


def acts(*each: Act) -> Act:
    """One after the other, when the Canary is initialized."""

    def act(scene: Scene) -> None:
        scene.wait_phase("Initialized")
        for one in each:
            one(scene)

    return act


def opened(gate: str) -> Act:
    return lambda scene: scene.script.gate(gate, 200)


def answers(value: float) -> Act:
    """The success rate of the canary; the primary is not asked for."""
    return lambda scene: scene.script.answer(r"\* 100$", value)


def autoscaled(scene: Scene) -> None:
    scene.autoscale()
