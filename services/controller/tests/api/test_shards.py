"""Shards: each Canary is written by one controller, also while their number changes.

Two shards become three while releases are under way. Each process has a user of its own, by which
the audit log tells who wrote what.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from tools.cluster.audit import Request

from flagger_controller.operator.shards import Shard, placed

from .invariants import assert_never_early
from .process import Controller
from .scene import Object, Scene, World, image

pytestmark = [pytest.mark.api, pytest.mark.timeout(600)]

READS = ("get", "list", "watch")
OLD, NEW = 2, 3
MOVES = [(0, 0), (1, 1), (0, 2), (1, 2)]
"""Shards of a namespace before and after: all that there are, as only the new one gets any."""
TRIES = 200
INTERVAL = 2


@dataclass
class Resize:
    """What was seen of it, by the move of a namespace where it says so."""

    before: dict[tuple[int, int], list[Request]]
    """Writes until all Canaries were initialized."""
    after: dict[tuple[int, int], list[Request]]
    statuses: dict[tuple[int, int], list[Object]]
    images: list[str]
    """Of the primaries, at the end."""
    waiting: list[float]
    """Whether the new ones led when one of the old ones was left."""
    series: dict[int, set[str]]
    """Namespaces of Canaries in the metrics of the old ones."""
    namespaces: dict[tuple[int, int], str]


def users(count: int) -> list[str]:
    """Of the shards of a generation."""
    first = 0 if count == OLD else OLD
    return [f"shard{first + index}" for index in range(count)]


def chosen(world: World, stack: ExitStack) -> dict[tuple[int, int], Scene]:
    """A namespace for each move. Names are random, so some are made for nothing."""
    found: dict[tuple[int, int], Scene] = {}
    for _ in range(TRIES):
        if len(found) == len(MOVES):
            return dict(sorted(found.items()))
        with ExitStack() as attempt:
            scene = attempt.enter_context(world.scene("shard"))
            move = (placed(scene.namespace, OLD), placed(scene.namespace, NEW))
            if found.setdefault(move, scene) is scene:
                stack.push(attempt.pop_all())
    raise AssertionError(f"{TRIES} names, and none for each of {MOVES}: {found.keys()}")


def everywhere(scenes: dict[tuple[int, int], Scene], act: Callable[[Scene], None]) -> None:
    """Do the same in all namespaces at the same time."""
    with ThreadPoolExecutor(len(scenes)) as pool:
        list(pool.map(act, scenes.values()))


def set_up(scene: Scene) -> None:
    scene.deploy()
    gate = scene.gate("approve", "confirm-promotion", 403)
    scene.canary(analysis={"interval": f"{INTERVAL}s", "webhooks": [gate]})
    scene.wait_phase("Initialized")


def begin(scene: Scene) -> None:
    scene.release("2")
    scene.wait_seen(phase="Progressing", canaryWeight=25)


def finish(scene: Scene) -> None:
    scene.script.gate("approve", 200)
    scene.wait_phase("Succeeded")


def seen_by(controller: Controller) -> set[str]:
    """Namespaces that a controller has Canaries in, by its metrics."""
    family = "flagger_canary_total{"
    return {
        name.partition('namespace="')[2].partition('"')[0]
        for name in controller.metrics()
        if name.startswith(family)
    }


def shorten(leases: Scene, name: str) -> None:
    """As if the minute after which a dead holder may be followed were over soon."""
    body = {"spec": {"leaseDurationSeconds": 1}}
    leases.patch("coordination.k8s.io/v1", "leases", name, body)


def writes(world: World, scene: Scene, since: int) -> list[Request]:
    audit = world.plane.audit
    found = [
        request
        for user in users(OLD) + users(NEW)
        for request in audit.requests(since=since, user=user, namespace=scene.namespace)
        if request.verb not in READS
    ]
    return sorted(found, key=lambda request: request.at)


def started(
    world: World, stack: ExitStack, leases: Scene, names: str, count: int
) -> list[Controller]:
    """All shards of a generation; they are ready, whether they lead or not."""
    controllers = [
        world.controller(
            *(f"-shard={index}/{count}", f"-leader-election-namespace={leases.namespace}"),
            user=user,
            namespace=names,
        )
        for index, user in enumerate(users(count))
    ]
    for controller in controllers:
        stack.callback(controller.kill)
        controller.launch()
    for controller in controllers:
        controller.await_ready()
    return controllers


@pytest.fixture(scope="module")
def resize(world: World) -> Iterator[Resize]:
    with ExitStack() as stack:
        leases = stack.enter_context(world.scene("leases"))
        scenes = chosen(world, stack)
        names = ",".join(scene.namespace for scene in scenes.values())
        mark = world.plane.audit.mark()
        old = started(world, stack, leases, names, OLD)
        everywhere(scenes, set_up)
        before = {move: writes(world, scene, mark) for move, scene in scenes.items()}
        series = {index: seen_by(controller) for index, controller in enumerate(old)}
        mark = world.plane.audit.mark()
        new = started(world, stack, leases, names, NEW)
        everywhere(scenes, begin)
        assert old[0].stop() == 0
        waiting = [controller.metrics()["flagger_leader"] for controller in new]
        old[1].kill()
        shorten(leases, Shard(1, OLD).lease)
        everywhere(scenes, finish)
        yield Resize(
            before=before,
            after={move: writes(world, scene, mark) for move, scene in scenes.items()},
            statuses={move: scene.statuses() for move, scene in scenes.items()},
            images=[image(scene.now("Deployment/podinfo-primary")) for scene in scenes.values()],
            waiting=waiting,
            series=series,
            namespaces={move: scene.namespace for move, scene in scenes.items()},
        )


@pytest.mark.parametrize("move", MOVES)
def test_a_canary_is_written_by_its_shard_only(resize: Resize, move: tuple[int, int]) -> None:
    assert {request.user for request in resize.before[move]} == {users(OLD)[move[0]]}


def test_a_shard_counts_its_own_canaries_only(resize: Resize) -> None:
    for index, namespaces in resize.series.items():
        own = {name for move, name in resize.namespaces.items() if move[0] == index}
        assert namespaces == own


@pytest.mark.parametrize("move", MOVES)
def test_after_a_resize_another_one_goes_on(resize: Resize, move: tuple[int, int]) -> None:
    """First the old one alone, then the new one alone."""
    order = [request.user for request in resize.after[move]]
    old, new = users(OLD)[move[0]], users(NEW)[move[1]]
    assert order == [old] * order.count(old) + [new] * order.count(new)
    assert order.count(old) > 0
    assert order.count(new) > 0


def test_the_new_ones_wait_for_the_last_of_the_old_ones(resize: Resize) -> None:
    assert resize.waiting == [0] * NEW
    every = [request for each in resize.after.values() for request in each]
    last = max(request.at for request in every if request.user in users(OLD))
    first = min(request.at for request in every if request.user in users(NEW))
    assert last < first


@pytest.mark.parametrize("move", MOVES)
def test_no_release_is_lost_or_early(resize: Resize, move: tuple[int, int]) -> None:
    statuses = resize.statuses[move]
    assert statuses[-1]["phase"] == "Succeeded"
    assert [status for status in statuses if status.get("failedChecks")] == []
    assert_never_early(statuses, INTERVAL)
    assert resize.images == ["2"] * len(MOVES)
