"""Releases of Knative Services on a real API server, with a stand-in for Knative's controllers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from flagger_controller.api import knative

from .faults import Fault, Write
from .process import Controller
from .proxy import FaultProxy
from .scene import FLAGGER, SECONDS, Object, Scene, World
from .scene import canary as usual
from .serving import API, REFERENCE, TARGET, Knative, deployed, of, released, traffic

pytestmark = [pytest.mark.api, pytest.mark.timeout(600)]

LABELS = ("promoted", "rolled-back", "broken", "skipped", "reverted", "unmarked")
FIRST, SECOND = "podinfo-00001", "podinfo-00002"
PINNED = {"latest": 0, FIRST: 100}
PROMOTED = {"latest": 0, SECOND: 100}
RELEASE = [
    PINNED,
    {"latest": 25, FIRST: 75},
    {"latest": 50, FIRST: 50},
    {"latest": 50, SECOND: 50},  # of which the canary is the primary by now
    PROMOTED,
]
"""The splits from the first release to the end of a promotion."""


def canary(scene: Scene, **spec: Any) -> None:
    body = usual(provider="knative", targetRef=REFERENCE, **spec)
    del body["spec"]["service"]
    scene.create(FLAGGER, "Canary", body)


@pytest.fixture(scope="module")
def scenes(world: World) -> Iterator[dict[str, Scene]]:
    """All scenes, played side by side by one controller until their ends."""
    more: dict[str, Object] = {
        "broken": {"progressDeadlineSeconds": 5},
        "skipped": {"skipAnalysis": True},
        "reverted": {"revertOnDeletion": True},
    }
    with ExitStack() as stack:
        found = {label: stack.enter_context(world.scene(label)) for label in LABELS}
        mark = world.plane.audit.mark()
        own = ",".join(scene.namespace for scene in found.values())
        stack.enter_context(world.controller(namespace=own))  # the faults have others
        for label, scene in found.items():
            stack.enter_context(Knative(scene))
            deployed(scene)
            canary(scene, **more.get(label, {}))
        for scene in found.values():
            scene.wait_phase("Initialized")
        found["rolled-back"].script.answer(r"\* 100$", 50)
        for label, tag in (("promoted", "2"), ("rolled-back", "2"), ("broken", "broken")):
            released(found[label], tag)
        released(found["skipped"], "2")
        found["reverted"].delete(FLAGGER, "canaries", "podinfo")
        for label in ("promoted", "skipped"):
            found[label].wait_phase("Succeeded")
        for label in ("rolled-back", "broken"):
            found[label].wait_phase("Failed")
        yield found
        refused = world.plane.audit.requests(since=mark, user="flagger", code=422)
        assert refused == []


def splits(scene: Scene) -> list[dict[str, int]]:
    """Every split that there was, without the defaults at the beginning."""
    history = scene.world.mirror.history(scene.namespace, TARGET)
    found = [traffic(body) for _, body in history if body and knative.primary(body)]
    return [split for before, split in zip([{}, *found], found, strict=False) if split != before]


def test_a_release_is_promoted(scenes: dict[str, Scene]) -> None:
    scene = scenes["promoted"]
    body = of(scene)
    assert (knative.primary(body), traffic(body)) == (SECOND, PROMOTED)
    weights = [status.get("canaryWeight") for status in scene.statuses()]
    assert [weight for weight in dict.fromkeys(weights) if weight] == [25, 50]
    assert splits(scene)[1:] == RELEASE
    assert "trackedConfigs" not in scene.status()


def test_only_the_mark_and_the_traffic_are_changed(scenes: dict[str, Scene]) -> None:
    scene = scenes["promoted"]
    body = of(scene)
    assert body["metadata"]["labels"] == {"team": "web"}
    assert body["metadata"]["annotations"] == {knative.PRIMARY_REVISION: SECOND}
    assert body["spec"].keys() == {"template", "traffic"}
    made = {key.partition("/")[0] for key in scene.world.mirror.at(scene.namespace)}
    assert not made & {"Deployment", "Service", "TraefikService.traefik.io"}


def test_metrics_are_about_the_latest_revision(scenes: dict[str, Scene]) -> None:
    scene = scenes["promoted"]
    names = {f"{scene.namespace}/{SECOND}"}
    asked = {query for query in scene.script.queries if "envoy_cluster_name" in query}
    assert asked
    assert all(any(name in query for name in names) for query in asked)


def test_a_bad_release_is_rolled_back(scenes: dict[str, Scene]) -> None:
    scene = scenes["rolled-back"]
    body = of(scene)
    assert (knative.primary(body), traffic(body)) == (FIRST, PINNED)
    assert knative.latest(body) == SECOND


def test_a_release_that_is_never_ready_ends_at_the_deadline(scenes: dict[str, Scene]) -> None:
    scene = scenes["broken"]
    text = (
        f"Warning Knative Revision {SECOND}.$ns is not ready: "
        "exceeded its progressDeadlineSeconds: 5: Deploying"
    )
    scene.wait_told(text)
    assert splits(scene)[1:] == [PINNED]


def test_without_analysis_the_traffic_follows(scenes: dict[str, Scene]) -> None:
    body = of(scenes["skipped"])
    assert (knative.primary(body), traffic(body)) == (SECOND, PROMOTED)


def test_a_deleted_canary_gives_the_traffic_back(scenes: dict[str, Scene]) -> None:
    scene = scenes["reverted"]
    scene.wait(lambda: scene.now("Canary.flagger.app/podinfo") is None, "the Canary to go")
    assert not knative.primary(of(scene))
    assert traffic(of(scene)) == {"latest": 100}


def test_a_lost_mark_is_set_again(scenes: dict[str, Scene]) -> None:
    """As by a tool that replaces the object by its manifest."""
    scene = scenes["unmarked"]
    patch = {"metadata": {"annotations": None}, "spec": {"traffic": None}}
    scene.patch(API, "services", "podinfo", patch)
    scene.wait(lambda: traffic(of(scene)) == PINNED, "the traffic to be pinned again")
    assert knative.primary(of(scene)) == FIRST


MARK, ROUTE = Write("PUT services/podinfo", 5), Write("PUT services/podinfo", 7)
FAULTS = [
    *((Write("PUT services/podinfo", number), Fault.AFTER) for number in (1, 2, 4)),
    *((MARK, fault) for fault in (Fault.BEFORE, Fault.AFTER, Fault.CONFLICT)),
    *((ROUTE, fault) for fault in (Fault.BEFORE, Fault.LOST)),
]
"""Mark and traffic of the first release, a step, and the first and last write of the promotion."""


@dataclass(frozen=True)
class Outcome:
    """What came of a release."""

    body: Object
    splits: list[dict[str, int]]
    alerts: list[str]


def play(world: World, write: Write, fault: Fault) -> Outcome:
    """A release during which one write fails."""
    with (
        world.scene(f"fault-{write.number}") as scene,
        FaultProxy(world.plane) as proxy,
        Knative(scene),
        world.controller("-master", proxy.url, namespace=scene.namespace) as controller,
    ):
        proxy.plan(write, fault, controller.kill)
        deployed(scene)
        canary(scene)
        with ThreadPoolExecutor(1) as other:
            restarted = other.submit(restart, scene, proxy, controller, fault)
            scene.wait_phase("Initialized")
            released(scene, "2")
            restarted.result()
        scene.wait_phase("Succeeded")
        scene.wait(lambda: COMPLETED in scene.alerts(), "the alert")
        return Outcome(of(scene), splits(scene), scene.alerts())


COMPLETED = "Canary analysis completed successfully, promotion finished."


def restart(scene: Scene, proxy: FaultProxy, controller: Controller, fault: Fault) -> None:
    """Start the next controller after the first was killed."""
    scene.wait(proxy.struck.is_set, "the write that fails", seconds=4 * SECONDS)
    if fault.kills:
        controller.start()


@pytest.fixture(scope="module")
def outcomes(world: World) -> Iterator[dict[tuple[Write, Fault], Any]]:
    """All of them, side by side."""
    with ThreadPoolExecutor(4) as pool:
        yield {pair: pool.submit(play, world, *pair) for pair in FAULTS}


@pytest.mark.parametrize(("write", "fault"), FAULTS, ids=str)
def test_a_release_survives_a_fault(
    outcomes: dict[tuple[Write, Fault], Any], write: Write, fault: Fault
) -> None:
    outcome = outcomes[write, fault].result()
    assert (knative.primary(outcome.body), traffic(outcome.body)) == (SECOND, PROMOTED)
    assert outcome.splits[1:] == RELEASE
    # The end is told at least once: a process that is killed may not know that it was.
    assert 1 <= outcome.alerts.count(COMPLETED) <= (2 if fault.kills else 1)
