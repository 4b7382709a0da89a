"""Whatever kills the controller or fails its writes, and whenever: the outcome is the same.

Every plot is one release in a namespace of its own, with a controller of its own behind a proxy.
All run side by side; each test looks at one of them. `make sweep` is the whole of it: all faults
of all writes of many scenarios.
"""

import time
import typing
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pytest

from .acts import answers
from .faults import SWEPT, Fault, Write
from .scene import Object, Scene, World
from .sweep.acts import application
from .sweep.cases import Wanted, planned, steady
from .sweep.oracle import OURS, violations
from .sweep.outcome import Outcome
from .sweep.play import Beside, Cast, Disturbance, Staging, fail, play, strike, undisturbed
from .sweep.routes import Shares, shares
from .sweep.run import Run
from .sweep.scenarios import FAILURE, RELEASE, SUCCESS, Scenario
from .sweep.told import without_waiting

pytestmark = [pytest.mark.api, pytest.mark.timeout(900)]

AT_ONCE = 10
STATUS = "PATCH canaries/podinfo/status"
DRIFTED = {"podinfo-primary": 10, "podinfo-canary": 90}


def release(*, promoted: bool = True, gate: int = 200) -> Scenario:
    """A promotion or a rollback; the promotion gate answers so at first."""
    approve = ("approve", "confirm-promotion", gate)
    if promoted:
        return Scenario("promoted", application(hooks=[approve]), RELEASE, SUCCESS)
    return Scenario("rolled-back", application(answers(50), hooks=[approve]), RELEASE, FAILURE)


@dataclass(frozen=True)
class Plot:
    """A release and what disturbs it."""

    name: str
    promoted: bool = True
    interval: int = 1
    disturb: Disturbance = undisturbed
    early: bool = False
    """The disturbance is over before the release begins."""
    gate: int = 200
    """What the promotion gate answers at first."""
    extra: tuple[str, ...] = ()
    """What the undisturbed run does not tell."""
    sample: int | None = None
    """Instead of a disturbance: one of the faults, at one of the writes of the undisturbed run."""

    def __str__(self) -> str:
        return self.name

    @property
    def scenario(self) -> Scenario:
        return release(promoted=self.promoted, gate=self.gate)


# Disturbances


def kill_when(
    reached: Callable[[Object], bool],
    *,
    delay: float = 0.0,
    meanwhile: Callable[[Scene], None] = lambda scene: None,
) -> Disturbance:
    """Kill the controller when a status has been written, and start the next one."""

    def disturb(cast: Cast) -> Beside:
        def beside() -> None:
            cast.scene.wait(lambda: any(map(reached, cast.scene.statuses())), "the moment to kill")
            time.sleep(delay)
            cast.controller.kill()
            meanwhile(cast.scene)
            cast.controller.start()

        return beside

    return disturb


def kill_after_every_status_write(cast: Cast) -> Beside:
    def beside() -> None:
        seen: list[Object] = []
        while not cast.over:
            cast.scene.wait(partial(is_new, cast.scene, seen), "another status write")
            cast.controller.kill()
            seen = cast.scene.statuses()
            cast.controller.start()

    return beside


def is_new(scene: Scene, seen: list[Object]) -> bool:
    return scene.statuses() != seen


def open_gate_after_restart(cast: Cast) -> Beside:
    kill = kill_when(phase("WaitingPromotion"))(cast)

    def beside() -> None:
        kill()
        cast.scene.script.gate("approve", 200)

    return beside


def drift(scene: Scene) -> None:
    """What people do to generated objects while nobody looks."""
    services = [{"name": name, "port": 80, "weight": share} for name, share in DRIFTED.items()]
    spec = {"spec": {"weighted": {"services": services}}}
    scene.patch("traefik.io/v1alpha1", "traefikservices", "podinfo", spec)
    scene.patch("v1", "services", "podinfo", {"spec": {"selector": {"app": "podinfo"}}})
    scene.delete("v1", "services", "podinfo-canary")


def phase(name: str) -> Callable[[Object], bool]:
    return lambda status: status.get("phase") == name


def weight(percent: int, name: str = "Progressing") -> Callable[[Object], bool]:
    return lambda s: (s.get("phase"), s.get("canaryWeight")) == (name, percent)


def failed_once(status: Object) -> bool:
    return bool(status.get("failedChecks") == 1)


def owes(obligation: str) -> Callable[[Object], bool]:
    return lambda status: status.get("run", {}).get("obligation") == obligation


CLEAN = (Plot("clean-promoted"), Plot("clean-rolled-back", promoted=False))
KILLS = (
    Plot("every-write", disturb=kill_after_every_status_write),
    Plot("every-write-back", promoted=False, disturb=kill_after_every_status_write),
    Plot("initializing", disturb=kill_when(phase("Initializing")), early=True),
    Plot("initialized", disturb=kill_when(phase("Initialized")), early=True),
    Plot("started", disturb=kill_when(weight(0)), interval=3),
    Plot("weight-25", disturb=kill_when(weight(25)), interval=3),
    Plot("weight-50", disturb=kill_when(weight(50))),
    Plot(
        "waiting",
        disturb=open_gate_after_restart,
        gate=403,
        extra=(
            "Warning Halt podinfo.$ns advancement waiting for promotion approval approve",
            "Canary promotion is waiting for approval.",
        ),
    ),
    Plot("promotion-decided", disturb=kill_when(owes("promote")), interval=3),
    Plot("promoting", disturb=kill_when(phase("Promoting")), interval=3),
    Plot("return-decided", disturb=kill_when(owes("finalise")), interval=3),
    Plot("finalising", disturb=kill_when(phase("Finalising")), interval=3),
    Plot("succeeded", disturb=kill_when(phase("Succeeded"))),
    Plot("failed-check", promoted=False, disturb=kill_when(failed_once), interval=3),
    Plot("rolling-back", promoted=False, disturb=kill_when(owes("rollback"))),
    Plot("failed", promoted=False, disturb=kill_when(phase("Failed"))),
    Plot("between-ticks", disturb=kill_when(weight(25), delay=0.5)),
)
DRIFTS = (
    Plot("drift-idle", disturb=kill_when(phase("Initialized"), meanwhile=drift), early=True),
    Plot("drift-in-run", disturb=kill_when(weight(25), meanwhile=drift), interval=3),
)
FIRST_WRITE = (Plot("first-write-500", disturb=fail(Write(STATUS, 1), Fault.ERROR), early=True),)
SWEEP = tuple(
    Plot(f"fault-{number}{'' if number % 2 else '-back'}", bool(number % 2), sample=number)
    for number in range(len(SWEPT))
)
PLOTS = CLEAN + KILLS + DRIFTS + FIRST_WRITE + SWEEP


# The stage


class Stage:
    """Plays plots side by side."""

    def __init__(self, world: World, plots: list[Plot]) -> None:
        self._world = world
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self.faults: dict[str, Fault] = {}
        """By the name of the plot; known when it was played."""
        # The undisturbed runs come first: some others wait for them. Then the longest.
        chosen = [*CLEAN, *(plot for plot in PLOTS if plot in plots and plot not in CLEAN)]
        self._futures: dict[str, Future[Outcome]] = {}
        for plot in chosen:
            self._futures[plot.name] = self._pool.submit(self._play, plot)

    def of(self, plot: Plot) -> Outcome:
        return self._futures[plot.name].result()

    def clean(self, *, promoted: bool) -> Outcome:
        return self.of(next(plot for plot in CLEAN if plot.promoted is promoted))

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _play(self, plot: Plot) -> Outcome:
        staging, scenario = Staging(self._world, pace=plot.interval), plot.scenario
        if plot.sample is None:
            return play(staging, scenario, plot.disturb, label=plot.name, early=plot.early)
        writes = self.clean(promoted=plot.promoted).writes
        case = planned({scenario: steady(writes, writes)}, Wanted(), sample=1)[plot.sample]
        self.faults[plot.name] = case.fault
        return strike(staging, scenario, case.write, case.fault, label=plot.name)


# The tests


@pytest.fixture(scope="module")
def stage(world: World, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Plays what is selected."""
    plots: list[Plot] = [
        typing.cast("Plot", item.callspec.params["plot"])
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.path == request.path
        and "plot" in item.callspec.params
    ]
    stage = Stage(world, plots)
    yield stage
    stage.close()


DRIFTING = ("status first", "I2 pods")
UNDER_DRIFT = {name: check for name, check in OURS.items() if name not in DRIFTING}
"""What holds where somebody else moves traffic: also onto a target without pods."""


def check(stage: Stage, plot: Plot) -> None:
    """The end is that of the undisturbed run, and the way there was a safe one."""
    found, clean = stage.of(plot), stage.clean(promoted=plot.promoted)
    fault = stage.faults.get(plot.name)
    run = Run(
        plot.scenario,
        found,
        clean,
        killed=plot.disturb is not undisturbed or (fault is not None and fault.kills),
        raced=fault is Fault.PAUSED,
        pace=plot.interval,
        extra=plot.extra,
    )
    assert violations(run, UNDER_DRIFT if plot in DRIFTS else OURS) == []


@pytest.mark.parametrize("plot", CLEAN, ids=str)
def test_an_undisturbed_run(stage: Stage, plot: Plot) -> None:
    check(stage, plot)
    found = stage.of(plot)
    assert found.statuses[-1]["phase"] == plot.scenario.end.phase
    assert found.kube_events[plot.scenario.end.events[0]] == 1
    told = without_waiting(found.told)
    assert len(told) == len(set(told))


@pytest.mark.parametrize("plot", KILLS, ids=str)
def test_killed(stage: Stage, plot: Plot) -> None:
    check(stage, plot)


@pytest.mark.parametrize("plot", DRIFTS, ids=str)
def test_drift_while_nobody_looked(stage: Stage, plot: Plot) -> None:
    check(stage, plot)
    routes = versions_of_the_route(stage.of(plot))
    repaired = routes[routes.index(DRIFTED) + 1]
    in_run = {"podinfo-primary": 75, "podinfo-canary": 25}
    assert repaired == ({"podinfo-primary": 100} if plot.early else in_run)


def versions_of_the_route(outcome: Outcome) -> list[Shares]:
    history = outcome.history("TraefikService.traefik.io/podinfo")
    return [rule for _, body in history if body is not None for rule in shares(body)]


@pytest.mark.parametrize("plot", FIRST_WRITE, ids=str)
def test_the_first_status_write_fails(stage: Stage, plot: Plot) -> None:
    check(stage, plot)


@pytest.mark.parametrize("plot", SWEEP, ids=str)
def test_any_write_may_fail(stage: Stage, plot: Plot) -> None:
    check(stage, plot)
