"""Two replicas: one acts, the other takes over, and a leader that was away does no harm."""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from tools.cluster.audit import Request

from .invariants import assert_never_early
from .replicas import ELECTED, Replicas
from .scene import Object, World, image

pytestmark = [pytest.mark.api, pytest.mark.timeout(600)]

READS = ("get", "list", "watch")


@dataclass
class Change:
    """How leadership went from one replica to the other."""

    name: str
    statuses: list[Object]
    objects: dict[str, Object]
    told: list[str]
    code: int
    """Exit code of the first leader."""
    first: list[Request]
    """Writes of the first leader, Leases left out."""
    second: list[Request]
    late: list[Request]
    """Writes of the first leader after it was paused and went on, Leases included."""


@dataclass
class Leave:
    """How the first one went."""

    code: int
    late: int = 0
    """Where the audit log was when it went on, if it was only paused."""


def terminated(replicas: Replicas) -> Leave:
    return Leave(replicas.first.stop())


def killed(replicas: Replicas) -> Leave:
    replicas.first.kill()
    replicas.shorten_lease()
    return Leave(-signal.SIGKILL)


def paused(replicas: Replicas) -> Leave:
    replicas.stop_leader()
    late = replicas.scene.world.plane.audit.mark()
    replicas.resume_leader()
    return Leave(replicas.first.wait(), late)


def play(world: World, name: str, leave: Callable[[Replicas], Leave]) -> Change:
    """Start a release with the first replica, let it leave, and finish with the second."""
    with (
        world.scene(name) as scene,
        world.controller(ELECTED, user="flagger", namespace=scene.namespace) as first,
        world.controller(ELECTED, user="flagger2", namespace=scene.namespace) as second,
    ):
        return _change(name, Replicas(scene, first, second), leave)


def _change(name: str, replicas: Replicas, leave: Callable[[Replicas], Leave]) -> Change:
    scene = replicas.scene
    begin = scene.world.plane.audit.mark()
    replicas.leader = replicas.await_leader()
    if replicas.first.metrics()["flagger_leader"] == 0:  # the second one was faster
        replicas.first, replicas.second = replicas.second, replicas.first
    assert (
        replicas.first.metrics()["flagger_leader"],
        replicas.second.metrics()["flagger_leader"],
    ) == (1, 0)
    scene.deploy()
    scene.canary(analysis={"interval": "2s"})
    scene.wait_phase("Initialized")
    scene.release("2")
    scene.wait_status(canaryWeight=25)
    left = leave(replicas)
    scene.wait_told("Normal Promotion completed! Scaling down podinfo.$ns")
    scene.wait_phase("Succeeded")  # the mirror may hear of it later
    users = ["flagger", "flagger2"]
    if replicas.first.user != "flagger":
        users.reverse()
    late = _writes(replicas, users[0], left.late, leases=True) if left.late else []
    return Change(
        name=name,
        statuses=scene.statuses(),
        objects=scene.objects(),
        told=scene.told(),
        code=left.code,
        first=_writes(replicas, users[0], begin),
        second=_writes(replicas, users[1], begin),
        late=late,
    )


def _writes(replicas: Replicas, user: str, since: int, *, leases: bool = False) -> list[Request]:
    scene = replicas.scene
    audit = scene.world.plane.audit
    seen = audit.requests(since=since, user=user, namespace=scene.namespace)
    writes = [r for r in seen if r.verb not in READS and (leases or r.resource != "leases")]
    return sorted(writes, key=lambda request: request.at)


LEAVES = {"terminated": terminated, "killed": killed, "paused": paused}


@pytest.fixture(scope="module")
def changes(world: World) -> Iterator[dict[str, "Future[Change]"]]:
    with ThreadPoolExecutor(len(LEAVES)) as pool:
        yield {name: pool.submit(play, world, name, leave) for name, leave in LEAVES.items()}


@pytest.fixture(params=LEAVES)
def change(changes: dict[str, "Future[Change]"], request: pytest.FixtureRequest) -> Change:
    name: str = request.param
    return changes[name].result()


def test_the_other_finishes_the_release(change: Change) -> None:
    assert change.statuses[-1]["phase"] == "Succeeded"
    assert image(change.objects["Deployment/podinfo-primary"]) == "2"
    assert change.objects["Deployment/podinfo"]["spec"]["replicas"] == 0
    assert_never_early(change.statuses, 2)


def test_only_the_holder_writes(change: Change) -> None:
    assert change.first
    assert change.second
    done = [request for request in change.first if request.code < 400]
    assert change.second[0].at > done[-1].at


def test_how_the_first_one_ends(change: Change) -> None:
    codes = {"terminated": 0, "killed": -signal.SIGKILL, "paused": 1}
    assert change.code == codes[change.name]


def test_one_that_was_away_writes_nothing(changes: dict[str, "Future[Change]"]) -> None:
    """At most a request that was under way when it stopped is sent, and refused as too old."""
    for request in changes["paused"].result().late:
        assert request.code in (409, 504), request
