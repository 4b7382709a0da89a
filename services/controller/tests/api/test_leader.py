"""Two replicas: one acts, the other takes over, and a leader that was away does no harm.

Leases last a minute. The tests shorten a Lease whose holder cannot, so as not to wait for its end.
"""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from tools.cluster.audit import Request

from .invariants import assert_never_early
from .process import Controller
from .scene import Object, Scene, World, image

pytestmark = [pytest.mark.api, pytest.mark.timeout(600)]

LEASE = "flagger-leader-election"
RENEW_DEADLINE = 15.0
"""Seconds after which a leader that could not renew must not write any more."""
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
class Replicas:
    """Two controllers of one namespace, the first of which leads."""

    world: World
    scene: Scene
    first: Controller
    second: Controller
    leader: str = ""
    late: int = 0
    """Where the audit log was when the first one went on."""

    def lease(self) -> Object:
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self.scene.namespace}/leases/{LEASE}"
        body: Object = self.world.api.find(path) or {"spec": {}}
        spec: Object = body["spec"]
        return spec

    def await_leader(self, other_than: str = "") -> str:
        def found() -> str:
            holder = str(self.lease().get("holderIdentity") or "")
            return holder if holder != other_than else ""

        self.scene.wait(found, f"a leader other than {other_than!r}")
        return found()

    def shorten_lease(self) -> None:
        """As if the minute were over soon."""
        body = {"spec": {"leaseDurationSeconds": 1}}
        self.scene.patch("coordination.k8s.io/v1", "leases", LEASE, body)


def terminated(replicas: Replicas) -> int:
    return replicas.first.stop()


def killed(replicas: Replicas) -> int:
    replicas.first.kill()
    replicas.shorten_lease()
    return -signal.SIGKILL


def paused(replicas: Replicas) -> int:
    replicas.first.send(signal.SIGSTOP)
    stopped = time.monotonic()
    replicas.shorten_lease()
    replicas.await_leader(other_than=replicas.leader)
    time.sleep(max(0.0, stopped + RENEW_DEADLINE + 1 - time.monotonic()))
    replicas.late = replicas.world.plane.audit.mark()
    replicas.first.send(signal.SIGCONT)
    return replicas.first.wait()


def play(world: World, name: str, leave: Callable[[Replicas], int]) -> Change:
    """Start a release with the first replica, let it leave, and finish with the second."""
    with world.scene(name) as scene:
        flag = "-enable-leader-election"
        with (
            world.controller(flag, user="flagger", namespace=scene.namespace) as first,
            world.controller(flag, user="flagger2", namespace=scene.namespace) as second,
        ):
            return _change(name, Replicas(world, scene, first, second), leave)


def _change(name: str, replicas: Replicas, leave: Callable[[Replicas], int]) -> Change:
    scene, world = replicas.scene, replicas.world
    begin = world.plane.audit.mark()
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
    code = leave(replicas)
    scene.wait_event("Promotion completed!")
    users = ["flagger", "flagger2"]
    if replicas.first.user != "flagger":
        users.reverse()
    late = _writes(replicas, users[0], replicas.late, leases=True) if replicas.late else []
    return Change(
        name=name,
        statuses=scene.statuses(),
        objects=scene.objects(),
        told=scene.told(),
        code=code,
        first=_writes(replicas, users[0], begin),
        second=_writes(replicas, users[1], begin),
        late=late,
    )


def _writes(replicas: Replicas, user: str, since: int, *, leases: bool = False) -> list[Request]:
    place = replicas.scene.namespace
    seen = replicas.world.plane.audit.requests(since=since, user=user, namespace=place)
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
    assert change.second[0].at > change.first[-1].at


def test_how_the_first_one_ends(change: Change) -> None:
    codes = {"terminated": 0, "killed": -signal.SIGKILL, "paused": 1}
    assert change.code == codes[change.name]


def test_one_that_was_away_writes_nothing(changes: dict[str, "Future[Change]"]) -> None:
    """At most it asks to renew its Lease, and is refused: too old, or half sent when it stopped."""
    for request in changes["paused"].result().late:
        assert (request.resource, request.code) in {("leases", 409), ("leases", 504)}
