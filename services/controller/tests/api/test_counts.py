"""What a controller costs the API server: nothing while idle, three writes for a step."""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from tools.cluster.audit import Request

from .scene import FLAGGER, Object, Scene, World
from .stateful import REFERENCE, SERVICE, deployed, released

pytestmark = [pytest.mark.api, pytest.mark.timeout(600)]

IDLE = 20
INTERVALS = 6
"""Analysis intervals, of a second each, in which an idle controller must be silent."""
PROVIDERS = ("kubernetes", "traefik", "gatewayapi:v1", "istio")
ROUTES = {"traefik": "traefikservices", "gatewayapi:v1": "httproutes", "istio": "virtualservices"}


@dataclass
class Fleet:
    """Canaries at rest in every way, and the requests of the time after that."""

    namespaces: dict[str, str]
    phases: dict[str, Counter[str]]
    silence: list[Request]

    def requests(self, label: str) -> list[str]:
        """What was asked about a namespace, or about none."""
        place = self.namespaces[label] if label else ""
        return [shown(r) for r in self.silence if r.namespace == place]


def shown(request: Request) -> str:
    return f"{request.at} {request.verb} {request.uri} {request.code}"


def settle_down(world: World) -> None:
    """Wait until no Canary of an earlier test is left; the end of a namespace may take minutes."""
    for namespace in {body["metadata"]["namespace"] for body in _canaries(world)}:
        world.api.delete(f"/apis/{FLAGGER}/namespaces/{namespace}/canaries")
    deadline = time.monotonic() + 120
    while left := _canaries(world):
        assert time.monotonic() < deadline, [body["metadata"]["namespace"] for body in left]
        time.sleep(0.2)


def _canaries(world: World) -> list[Object]:
    found: list[Object] = world.api.get(f"/apis/{FLAGGER}/canaries")["items"]
    return found


@pytest.fixture(scope="module")
def fleet(world: World) -> Fleet:
    settle_down(world)
    with (
        world.scene("idle") as idle,
        world.scene("failed") as failed,
        world.scene("suspended") as suspended,
        world.scene("succeeded") as succeeded,
        world.scene("stateful") as stateful,
        deployed(stateful),
        world.controller(),
    ):
        scenes = {"idle": idle, "failed": failed, "suspended": suspended, "succeeded": succeeded}
        stateful.canary(targetRef=REFERENCE, service=SERVICE)
        _bring_to_rest(scenes)
        scenes["stateful"] = stateful
        _release(stateful)
        mark = world.plane.audit.mark()
        time.sleep(INTERVALS)
        seen = world.plane.audit.requests(since=mark, user="flagger")
        return Fleet(
            {label: scene.namespace for label, scene in scenes.items()},
            {label: _phases(scene) for label, scene in scenes.items()},
            [request for request in seen if request.verb != "watch"],
        )


def _phases(scene: Scene) -> Counter[str]:
    place = f"/apis/{FLAGGER}/namespaces/{scene.namespace}/canaries"
    return Counter(body["status"]["phase"] for body in scene.api.get(place)["items"])


def _bring_to_rest(scenes: dict[str, Scene]) -> None:
    idle, failed, suspended, succeeded = scenes.values()
    for scene in (failed, succeeded):
        scene.deploy()
        scene.canary()
    for name in ("at-rest", "in-run"):
        suspended.deploy(name)
        suspended.canary(name)
    names = [f"app-{number}" for number in range(IDLE)]
    for number, name in enumerate(names):
        idle.deploy(name)
        more = {"autoscalerRef": idle.autoscale(name)} if number % 3 == 0 else {}
        idle.canary(name, provider=PROVIDERS[number % len(PROVIDERS)], **more)
    for scene, name in ((failed, "podinfo"), (succeeded, "podinfo"), (suspended, "in-run")):
        scene.wait_phase("Initialized", name)
    failed.script.answer(r"\* 100$", 50)
    for scene, name in ((failed, "podinfo"), (succeeded, "podinfo"), (suspended, "in-run")):
        scene.release("2", name)
    suspended.wait(lambda: suspended.status("in-run").get("canaryWeight") == 25, "a run")
    suspended.wait_phase("Initialized", "at-rest")
    for name in ("at-rest", "in-run"):
        suspended.patch(FLAGGER, "canaries", name, {"spec": {"suspend": True}})
        suspended.wait_event("skipping canary run as object is suspended", name)
    for name in names:
        idle.wait_phase("Initialized", name)
        idle.wait_event("Initialization done!", name)
    failed.wait_event("Canary failed!")
    succeeded.wait_event("Promotion completed!")
    _await_quiet(scenes.values())


def _release(stateful: Scene) -> None:
    stateful.wait_phase("Initialized")
    released(stateful, "2")
    stateful.wait_event("Promotion completed!")
    _await_quiet([stateful])


def _await_quiet(scenes: Any) -> None:
    """Wait until pods are where they must be: nothing that a canary refers to moves any more."""
    for scene in scenes:
        mirror, namespace = scene.world.mirror, scene.namespace
        while True:
            before = mirror.at(namespace)
            time.sleep(1)
            if mirror.at(namespace) == before:
                break


@pytest.mark.parametrize("label", ["idle", "failed", "suspended", "succeeded", "stateful", ""])
def test_canaries_at_rest_cost_nothing(fleet: Fleet, label: str) -> None:
    assert fleet.requests(label) == []


def test_what_is_at_rest(fleet: Fleet) -> None:
    assert fleet.phases == {
        "idle": {"Initialized": IDLE},
        "failed": {"Failed": 1},
        "suspended": {"Initialized": 1, "Progressing": 1},
        "succeeded": {"Succeeded": 1},
        "stateful": {"Succeeded": 1},
    }


@dataclass(frozen=True)
class Steps:
    """The requests of the advances of one run."""

    scene: Scene
    ticks: list[list[Request]]
    """From one status write to the next, the first and the last advance left out."""


@pytest.fixture(scope="module")
def steps(world: World) -> dict[str, Steps]:
    """A run with each provider, in ten-percent steps or in iterations."""
    settle_down(world)
    scenes: dict[str, Scene] = {}
    with (
        world.scene("steps-kubernetes") as scenes["kubernetes"],
        world.scene("steps-traefik") as scenes["traefik"],
        world.scene("steps-gateway") as scenes["gatewayapi:v1"],
        world.scene("steps-istio") as scenes["istio"],
        world.controller(),
    ):
        mark = world.plane.audit.mark()
        for provider, scene in scenes.items():
            scene.deploy()
            kind = {"stepWeight": None, "iterations": 4} if provider == "kubernetes" else {}
            analysis = {"interval": "2s", "stepWeight": 20, "maxWeight": 60} | kind
            scene.canary(provider=provider, analysis=analysis)
        for scene in scenes.values():
            scene.wait_phase("Initialized")
            scene.release("2")
        for scene in scenes.values():
            scene.wait_event("Promotion completed!")
        return {
            provider: Steps(scene, _ticks(world, scene, mark)) for provider, scene in scenes.items()
        }


def _ticks(world: World, scene: Scene, mark: int) -> list[list[Request]]:
    """All that is between the status write of the second advance and that of the promotion."""
    seen = world.plane.audit.requests(since=mark, user="flagger", namespace=scene.namespace)
    ordered = sorted((r for r in seen if r.verb != "watch"), key=lambda request: request.at)
    writes = [n for n, request in enumerate(ordered) if request.subresource == "status"]
    steps = [(status["canaryWeight"], status["iterations"]) for status in scene.statuses()]
    shows = [shown(ordered[n]) for n in writes]
    assert len(writes) == len(steps), f"not every status write changed something: {shows}, {steps}"
    advances = [n for n in range(1, len(steps)) if sum(steps[n]) > sum(steps[n - 1])][1:]
    return [ordered[writes[n] : writes[n + 1]] for n in advances]


def reads(request: Request) -> bool:
    """Is it the look at the target before its promotion?"""
    return (request.verb, request.resource) == ("get", "deployments")


def test_a_promotion_reads_its_target_once(steps: dict[str, Steps]) -> None:
    for found in steps.values():
        assert [sum(map(reads, tick)) for tick in found.ticks][-1] == 1
        assert not any(reads(request) for tick in found.ticks[:-1] for request in tick)


@pytest.mark.parametrize("provider", ["traefik", "gatewayapi:v1", "istio"])
def test_a_step_is_three_writes(steps: dict[str, Steps], provider: str) -> None:
    ticks = steps[provider].ticks
    assert len(ticks) == 2
    for tick in ticks:
        found = Counter((request.verb, request.resource) for request in tick if not reads(request))
        route = ("update", ROUTES[provider])
        assert found == {("patch", "canaries"): 1, route: 1, ("create", "events"): 1}


def test_an_iteration_is_at_most_two_writes(steps: dict[str, Steps]) -> None:
    ticks = steps["kubernetes"].ticks
    assert len(ticks) >= 2
    for tick in ticks:
        found = Counter((request.verb, request.resource) for request in tick if not reads(request))
        assert found <= Counter({("patch", "canaries"): 1, ("create", "events"): 1})
