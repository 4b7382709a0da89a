"""Plays one hand-over: a controller brings a Canary into a state, goes, and another one comes."""

from collections.abc import Callable
from dataclasses import dataclass

from tools.cluster.audit import Request

from ..process import OURS, Controller, Program
from ..replicas import ELECTED, Replicas
from ..scene import FLAGGER, Object, Scene, World
from .oracle import CANARY, Handover
from .states import State

INTERVAL = 10
"""Seconds of an analysis interval; upstream knows no shorter one."""
PATIENCE = 400.0
"""Seconds to wait for what must come."""
READS = ("get", "list", "watch")
LINES = 60
"""Of each log, to be shown with a failure."""
PROMOTED = "Promotion completed!"


@dataclass(frozen=True)
class Direction:
    """Who hands over to whom."""

    first: Program
    second: Program


Leave = Callable[[Replicas], None]


def stopped(replicas: Replicas) -> None:
    """As Kubernetes stops it: the Lease is given back."""
    replicas.first.stop()


def killed(replicas: Replicas) -> None:
    """SIGKILL: the Lease has to run out."""
    replicas.first.kill()
    replicas.shorten_lease()


LEAVES = {"stopped": stopped, "killed": killed}


def play(world: World, state: State, direction: Direction, leave: Leave) -> Handover:
    """What came of a hand-over."""
    with (
        world.scene(state.name) as scene,
        _controller(scene, direction.first, "flagger") as first,
    ):
        scene.pace, scene.patience = INTERVAL, PATIENCE
        replicas = Replicas(scene, first, _controller(scene, direction.second, "flagger2"))
        try:
            return _played(replicas, state, leave, ours=direction.second is OURS)
        except AssertionError as error:
            error.add_note(_logs(replicas))
            raise
        finally:
            replicas.second.kill()


def left(scene: Scene) -> dict[str, Object]:
    """All objects, when the watch has shown the Canary as it is."""
    path = f"/apis/{FLAGGER}/namespaces/{scene.namespace}/canaries/podinfo"
    version = scene.api.get(path)["metadata"]["resourceVersion"]

    def shown() -> bool:
        return bool((scene.now(CANARY) or {})["metadata"]["resourceVersion"] == version)

    scene.wait(shown, "the Canary as it was left")
    return scene.world.mirror.at(scene.namespace)


def go_on(scene: Scene, handover: Handover, second: Controller, mark: int) -> None:
    """Let the second controller go on, then push another revision.

    Args:
        scene: where it happens.
        handover: what is known so far; gets the rest.
        second: it runs, or is about to lead.
        mark: where the audit log was when it began.
    """
    state, revision, said = handover.state, _newest(handover.before), handover.heard
    state.resume(scene)
    if state.settled:
        scene.wait(lambda: _looked(second, scene), "a look at the Canary")
    else:
        scene.wait(lambda: scene.phase() in ("Succeeded", "Failed"), "the end of the run")
        scene.wait(lambda: any(PROMOTED in text for text in scene.told()[said:]), PROMOTED)
    handover.objects = [
        (key, [(at, body) for at, body in history if at > revision])
        for key, history in scene.world.mirror.histories(scene.namespace)
    ]
    handover.told = scene.told()[said:]
    handover.writes = _writes(scene, second, mark)
    _push(scene, handover)


def _controller(scene: Scene, program: Program, user: str) -> Controller:
    return scene.world.controller(ELECTED, user=user, namespace=scene.namespace, program=program)


def _played(replicas: Replicas, state: State, leave: Leave, *, ours: bool) -> Handover:
    scene, audit = replicas.scene, replicas.scene.world.plane.audit
    replicas.leader = replicas.await_leader()
    mark = audit.mark()
    replicas.second.start()
    state.begin(scene)
    state.reach(scene)
    leave(replicas)
    handover = Handover(state, left(scene), ours)
    assert handover.found["phase"] == state.phase, "it went on before it was stopped"
    handover.heard = len(scene.told())
    handover.standby = _writes(scene, replicas.second, mark)
    mark = audit.mark()
    replicas.await_leader(other_than=replicas.leader)
    go_on(scene, handover, replicas.second, mark)
    return handover


def _newest(objects: dict[str, Object]) -> int:
    """The revision of the object that was written last."""
    return max(int(body["metadata"]["resourceVersion"]) for body in objects.values())


def _looked(controller: Controller, scene: Scene) -> bool:
    """It has ticked the Canary, and told so in its series."""
    wanted = f'flagger_canary_status{{name="podinfo",namespace="{scene.namespace}"}}'
    return wanted in controller.metrics()


def _push(scene: Scene, handover: Handover) -> None:
    """Another revision, and what becomes of it."""
    said = len(scene.told())
    handover.state.push(scene, "3")

    def through() -> bool:
        told = " ".join(scene.told()[said:])
        return PROMOTED in told or "Canary failed!" in told

    scene.wait(through, "the end of the next revision")
    scene.wait(lambda: scene.phase() in ("Succeeded", "Failed"), "the phase of the end")
    handover.last = scene.phase()
    handover.analysed = any("Advance" in text for text in scene.told()[said:])


def _writes(scene: Scene, controller: Controller, since: int) -> list[Request]:
    """Of one controller, Leases left out."""
    audit = scene.world.plane.audit
    seen = audit.requests(since=since, user=controller.user, namespace=scene.namespace)
    return [r for r in seen if r.verb not in READS and r.resource != "leases"]


def _logs(replicas: Replicas) -> str:
    each = (replicas.first, replicas.second)
    return "\n".join("\n".join(one.log.splitlines()[-LINES:]) for one in each)
