"""Plays one release with a controller of its own behind a proxy, and with what disturbs it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from ..faults import Fault, Write
from ..process import OURS, Controller, Program
from ..proxy import FaultProxy
from ..replicas import ELECTED, Replicas
from ..scene import Scene, World
from .oracle import out_of_turn
from .outcome import Outcome, gathered
from .scenarios import Scenario

STRIKING = 60.0
"""Seconds that a fault takes at most, once its write has come."""
AFTERWARDS = 10.0
"""Seconds for which writes may come after the end of a release."""
LINES = 40
"""Of the log, to be shown with a failure."""


@dataclass(frozen=True)
class Staging:
    """How releases are played."""

    world: World
    program: Program = OURS
    pace: int = 1
    """Seconds of an analysis interval."""
    patience: float = 120.0
    """Seconds to wait for what must come."""


@dataclass
class Cast:
    """What a disturbance can act on."""

    staging: Staging
    scene: Scene
    scenario: Scenario
    controller: Controller
    proxy: FaultProxy
    more: list[Controller] = field(default_factory=list)
    """Further replicas."""

    @property
    def over(self) -> bool:
        """The release has ended."""
        return self.scenario.end.reached(self.scene)


Beside = Callable[[], None]
Disturbance = Callable[[Cast], Beside]
"""Gets ready before the release begins; what it returns runs beside the release."""


class NotMet(Exception):
    """The write that was to fail never came."""


def undisturbed(cast: Cast) -> Beside:
    """Nothing happens."""
    return lambda: None


def play(
    staging: Staging,
    scenario: Scenario,
    disturb: Disturbance = undisturbed,
    *,
    label: str,
    flags: tuple[str, ...] = (),
    early: bool = False,
) -> Outcome:
    """What comes of a release; with `early` the disturbance is over before people do anything.

    Raises:
        NotMet: this run had no write of the name that was to fail.
    """
    world = staging.world
    with (
        world.scene(label) as scene,
        FaultProxy(world.plane) as proxy,
        world.controller(
            "-master", proxy.url, *flags, namespace=scene.namespace, program=staging.program
        ) as controller,
    ):
        scene.pace, scene.patience = staging.pace, staging.patience
        cast = Cast(staging, scene, scenario, controller, proxy)
        try:
            return _played(cast, disturb, early=early)
        except AssertionError as error:
            error.add_note(_tail(cast))
            raise
        finally:
            for other in cast.more:
                other.kill()


def strike(
    staging: Staging, scenario: Scenario, write: Write, fault: Fault, *, label: str
) -> Outcome:
    """What comes of a release in which one write fails; raises `NotMet`."""
    flags = (ELECTED,) if fault is Fault.PAUSED else ()
    return play(staging, scenario, fail(write, fault), label=label, flags=flags)


def _played(cast: Cast, disturb: Disturbance, *, early: bool) -> Outcome:
    scene, scenario = cast.scene, cast.scenario
    beside = _started(disturb(cast))
    scenario.begin(scene)
    if early:
        beside.result()
    try:
        scenario.act(scene)
    except AssertionError:
        if beside.done():
            beside.result()  # perhaps the cause
        raise
    beside.result()
    scene.wait(lambda: cast.over, "the end")
    outcome = gathered(scene, scenario.end)
    codes = [each.stop() for each in (cast.controller, *cast.more)]
    outcome.exit_code = next((code for code in codes if code), 0)
    outcome.starts = [start for each in (cast.controller, *cast.more) for start in each.starts]
    outcome.writes = list(cast.proxy.writes)
    outcome.log = _tail(cast)
    return outcome


def _tail(cast: Cast) -> str:
    """The last that each controller logged."""
    logs = (each.log.splitlines()[-LINES:] for each in (cast.controller, *cast.more))
    return "\n".join("\n".join(lines) for lines in logs)


def _started(beside: Beside) -> "Future[None]":
    done: Future[None] = Future()

    def run() -> None:
        try:
            beside()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    threading.Thread(target=run, daemon=True).start()
    return done


# Disturbances


def fail(write: Write, fault: Fault) -> Disturbance:
    """Let one write fail; or what there is at the moment of this write."""
    return paused(write) if fault is Fault.PAUSED else _struck(write, fault)


def _struck(write: Write, fault: Fault) -> Disturbance:
    def disturb(cast: Cast) -> Beside:
        cast.proxy.plan(write, fault, cast.controller.kill)

        def beside() -> None:
            _await_strike(cast, write)
            if fault.kills:
                cast.controller.start()

        return beside

    return disturb


def paused(write: Write) -> Disturbance:
    """Stop the leader at a write; another one takes over; then the first one goes on."""

    def disturb(cast: Cast) -> Beside:
        scene, proxy = cast.scene, cast.proxy
        other = scene.world.controller(
            ELECTED, user="flagger2", namespace=scene.namespace, program=cast.staging.program
        )
        cast.more.append(other)
        replicas = Replicas(scene, cast.controller, other)
        replicas.leader = replicas.await_leader()
        other.start()
        proxy.plan(write, Fault.PAUSED, replicas.stop_leader)

        def beside() -> None:
            _await_strike(cast, write)
            before = len(proxy.writes)
            replicas.resume_leader()
            code = cast.controller.wait()
            late = [str(write) for write in out_of_turn(proxy.writes[before:])]
            assert not late, f"the leader that was away wrote {late}"
            assert code == 1, f"the leader that was away ended with code {code}"

        return beside

    return disturb


def _await_strike(cast: Cast, write: Write) -> None:
    met, struck = cast.proxy.met, cast.proxy.struck
    cast.scene.wait(lambda: met.is_set() or cast.over, f"{write}")
    if not met.wait(AFTERWARDS):
        raise NotMet(f"this run had no {write}")
    cast.scene.wait(struck.is_set, f"{write} to fail", seconds=STRIKING)
