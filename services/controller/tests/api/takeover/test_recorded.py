"""Our controller takes over what upstream left behind; the states were recorded.

`make takeover` does the same with upstream's real binary, and back.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.targets import target_for
from flagger_controller.targets.base import TargetSettings

from ..process import Controller
from ..scene import Scene, World
from . import oracle, record
from .oracle import Handover
from .play import go_on, left
from .states import STATES

pytestmark = [pytest.mark.api, pytest.mark.timeout(600)]

AT_ONCE = 6
PACE = 1
"""Seconds of an analysis interval."""
REPLAYED = record.names()
HASHED = [name for name in REPLAYED if STATES[name].phase != "Waiting"]
"""Where `lastAppliedSpec` is the hash of the target that was recorded."""


@pytest.fixture(scope="module")
def handovers(world: World) -> Iterator[dict[str, "Future[Handover]"]]:
    """One controller takes over all of them at once."""
    with ExitStack() as stack, ThreadPoolExecutor(AT_ONCE) as pool:
        scenes = {name: stack.enter_context(world.scene(name)) for name in REPLAYED}
        restored = [pool.submit(record.restore, scenes[name], name, PACE) for name in REPLAYED]
        for each in restored:
            each.result()
        before = {name: left(scenes[name]) for name in REPLAYED}
        mark = world.plane.audit.mark()
        controller = stack.enter_context(world.controller())
        yield {
            name: pool.submit(
                _taken_over, Handover(STATES[name], before[name]), scene, controller, mark
            )
            for name, scene in scenes.items()
        }


def _taken_over(handover: Handover, scene: Scene, controller: Controller, mark: int) -> Handover:
    go_on(scene, handover, controller, mark)
    return handover


def test_every_state_is_recorded() -> None:
    assert sorted(STATES) == REPLAYED


@pytest.mark.parametrize("name", REPLAYED)
def test_what_upstream_left_is_taken_over(
    handovers: dict[str, "Future[Handover]"], name: str
) -> None:
    assert oracle.wrong(handovers[name].result()) == []


@pytest.mark.parametrize("name", HASHED)
def test_our_hash_is_upstreams(name: str) -> None:
    canary, *others = record.read(name)
    reference = canary["spec"]["targetRef"]
    (body,) = (
        body
        for body in others
        if (body["kind"], body["metadata"]["name"]) == (reference["kind"], reference["name"])
    )
    target = target_for(Canary.from_api(canary), TargetSettings())
    assert target.upstream(body) == canary["status"]["lastAppliedSpec"]
