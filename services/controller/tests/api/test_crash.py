"""Whatever kills the controller or fails its writes, and whenever: the outcome is the same.

Every plot is one release in a namespace of its own, with a controller of its own behind a proxy.
All run side by side; each test looks at one of them. FAULT_SAMPLES=1000 sweeps all faults.
"""

import contextlib
import math
import os
import threading
import time
import typing
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from .invariants import assert_never_early
from .process import Controller
from .proxy import Fault, FaultProxy, Write, pairs
from .scene import Object, Scene, World, image

pytestmark = [pytest.mark.api, pytest.mark.timeout(900)]

AT_ONCE = 10
SAMPLES = int(os.environ.get("FAULT_SAMPLES", "5"))
"""Faults for each of the two kinds of releases."""
STATUS = "PATCH canaries/podinfo/status"
DRIFTED = {"podinfo-primary": 10, "podinfo-canary": 90}
ENDS = {
    True: (
        "Normal Promotion completed! Scaling down podinfo.$ns",
        "Canary analysis completed successfully, promotion finished.",
        "Succeeded",
    ),
    False: (
        "Warning Canary failed! Scaling down podinfo.$ns",
        "Failed checks threshold reached 1",
        "Failed",
    ),
}
"""Last event, last alert and last phase of a promotion, and of a rollback."""
WAITING = (" not ready: ",)
"""Events that depend on how fast pods are."""


@dataclass
class Cast:
    """What a disturbance can act on."""

    scene: Scene
    controller: Controller
    proxy: FaultProxy
    clean: Callable[[], "Outcome"]
    """The undisturbed run with the same end."""


Disturbance = Callable[[Cast], None]


@dataclass(frozen=True)
class Plot:
    """A release and what disturbs it."""

    name: str
    promoted: bool = True
    interval: int = 1
    disturb: Disturbance = lambda cast: None
    early: bool = False
    """The disturbance is over before the release begins."""
    gate: int = 200
    """What the promotion gate answers at first."""
    extra: tuple[str, ...] = ()
    """Events that the undisturbed run does not have."""

    def __str__(self) -> str:
        return self.name


@dataclass
class Outcome:
    """What came of a plot."""

    statuses: list[Object]
    objects: dict[str, Object]
    told: list[str]
    kube_events: dict[str, int]
    alerts: list[str]
    routes: list[dict[str, int]]
    images: list[str]
    """Tags that the primary had, in order."""
    writes: list[Write] = field(default_factory=list)
    exit_code: int = 0


# Disturbances


def kill_when(
    reached: Callable[[Object], bool],
    *,
    delay: float = 0.0,
    meanwhile: Callable[[Scene], None] = lambda scene: None,
) -> Disturbance:
    """Kill the controller when a status has been written, and start the next one."""

    def disturb(cast: Cast) -> None:
        cast.scene.wait(lambda: any(map(reached, cast.scene.statuses())), "the moment to kill")
        time.sleep(delay)
        cast.controller.kill()
        meanwhile(cast.scene)
        cast.controller.start()

    return disturb


def kill_after_every_status_write(cast: Cast) -> None:
    seen: list[Object] = []
    while not finished(cast.scene):
        cast.scene.wait(partial(is_new, cast.scene, seen), "another status write")
        cast.controller.kill()
        seen = cast.scene.statuses()
        cast.controller.start()


def is_new(scene: Scene, seen: list[Object]) -> bool:
    return scene.statuses() != seen


def fail(write: Write, fault: Fault) -> Disturbance:
    """Let one write fail."""

    def disturb(cast: Cast) -> None:
        strike(cast, write, fault)
        assert cast.proxy.struck.is_set(), f"{write} never came"

    return disturb


def sampled(number: int) -> Disturbance:
    """One of all faults of all writes that the undisturbed run had; each number another one."""

    def disturb(cast: Cast) -> None:
        every = pairs(steady(cast.clean().writes))
        step = next(s for s in range(int(len(every) * 0.6), 2 * len(every)) if prime(s, len(every)))
        strike(cast, *every[number * step % len(every)])

    return disturb


def prime(one: int, other: int) -> bool:
    return math.gcd(one, other) == 1


def steady(writes: list[Write]) -> list[Write]:
    """Writes that every run has: how often waiting for pods is told depends on luck."""
    chosen = [write for write in writes if "events" not in write.what]
    return [*chosen, Write("POST events", 1), Write("POST events", 6)]


def strike(cast: Cast, write: Write, fault: Fault) -> None:
    cast.proxy.plan(write, fault, cast.controller.kill)
    struck = cast.proxy.struck
    cast.scene.wait(lambda: struck.is_set() or finished(cast.scene), f"{write}, {fault}")
    if struck.is_set() and fault.kills:  # else this run had no such write
        cast.controller.start()


def open_gate_after_restart(cast: Cast) -> None:
    kill_when(lambda status: status["phase"] == "WaitingPromotion")(cast)
    cast.scene.script.gate("approve", 200)


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


def rolling_back(status: Object) -> bool:
    return bool(status.get("run", {}).get("obligation") == "rollback")


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
    Plot("promoting", disturb=kill_when(phase("Promoting")), interval=3),
    Plot("finalising", disturb=kill_when(phase("Finalising")), interval=3),
    Plot("succeeded", disturb=kill_when(phase("Succeeded"))),
    Plot("failed-check", promoted=False, disturb=kill_when(failed_once), interval=3),
    Plot("rolling-back", promoted=False, disturb=kill_when(rolling_back)),
    Plot("failed", promoted=False, disturb=kill_when(phase("Failed"))),
    Plot("between-ticks", disturb=kill_when(weight(25), delay=0.5)),
)
DRIFTS = (
    Plot("drift-idle", disturb=kill_when(phase("Initialized"), meanwhile=drift), early=True),
    Plot("drift-in-run", disturb=kill_when(weight(25), meanwhile=drift), interval=3),
)
FIRST_WRITE = (Plot("first-write-500", disturb=fail(Write(STATUS, 1), Fault.ERROR), early=True),)
SWEEP = tuple(
    Plot(f"fault-{number}{'' if promoted else '-back'}", promoted, disturb=sampled(number))
    for promoted in (True, False)
    for number in range(SAMPLES)
)
PLOTS = CLEAN + KILLS + DRIFTS + FIRST_WRITE + SWEEP


# The stage


class Stage:
    """Plays plots side by side."""

    def __init__(self, world: World, plots: list[Plot]) -> None:
        self._world = world
        self._pool = ThreadPoolExecutor(AT_ONCE)
        # The undisturbed runs come first: some others wait for them. Then the longest.
        chosen = [*CLEAN, *(plot for plot in PLOTS if plot in plots and plot not in CLEAN)]
        self._futures = {plot.name: self._pool.submit(self._play, plot) for plot in chosen}

    def of(self, plot: Plot) -> Outcome:
        return self._futures[plot.name].result()

    def clean(self, *, promoted: bool) -> Outcome:
        return self.of(next(plot for plot in CLEAN if plot.promoted is promoted))

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _play(self, plot: Plot) -> Outcome:
        with (
            self._world.scene(plot.name) as scene,
            FaultProxy(self._world.plane) as proxy,
            self._world.controller("-master", proxy.url, namespace=scene.namespace) as controller,
        ):
            cast = Cast(scene, controller, proxy, lambda: self.clean(promoted=plot.promoted))
            disturbed = _start(plot.disturb, cast)
            _release(plot, scene, disturbed)
            disturbed.result()
            scene.wait(lambda: finished(scene), "the end")
            outcome = _outcome(plot, cast)
            outcome.exit_code = controller.stop()
            return outcome


def _start(disturb: Disturbance, cast: Cast) -> "Future[None]":
    done: Future[None] = Future()

    def run() -> None:
        try:
            disturb(cast)
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    threading.Thread(target=run, daemon=True).start()
    return done


def _release(plot: Plot, scene: Scene, disturbed: "Future[None]") -> None:
    if not plot.promoted:
        scene.script.answer(r"\* 100$", 50)
    scene.deploy(replicas=2)
    gate = scene.gate("approve", "confirm-promotion", plot.gate)
    after = scene.gate("after", "post-rollout")
    analysis = {"interval": f"{plot.interval}s", "webhooks": [gate, after]}
    scene.canary(analysis=analysis)
    if plot.early:
        disturbed.result()
    scene.wait_phase("Initialized")
    scene.release("2")


def finished(scene: Scene) -> bool:
    status = scene.status()
    over = status.get("phase") in ("Succeeded", "Failed")
    return over and not status["run"].get("unannounced")


def _outcome(plot: Plot, cast: Cast) -> Outcome:
    scene = cast.scene
    event, alert, _ = ENDS[plot.promoted]

    def announced() -> bool:
        everybody = (scene.told(), scene.kube_events())
        return alert in scene.alerts() and all({event, AFTER} <= set(told) for told in everybody)

    with contextlib.suppress(AssertionError):  # the test says so
        scene.wait(announced, "the announcement", seconds=30)
    history = scene.world.mirror.history(scene.namespace, "TraefikService.traefik.io/podinfo")
    primaries = scene.world.mirror.history(scene.namespace, "Deployment/podinfo-primary")
    return Outcome(
        statuses=scene.statuses(),
        objects={key: comparable(body) for key, body in scene.objects().items()},
        told=scene.told(),
        kube_events=scene.kube_events(),
        alerts=scene.alerts(),
        routes=[weights(body) for _, body in history if body],
        images=[image(body) for _, body in primaries if body],
        writes=list(cast.proxy.writes),
    )


def comparable(body: Object) -> Object:
    """An object without what differs between plots on purpose."""
    if body["kind"] == "Canary":
        body["spec"]["analysis"].pop("interval")
        body["spec"]["analysis"].pop("webhooks")
    return body


def weights(body: Object) -> dict[str, int]:
    services = body["spec"]["weighted"]["services"]
    return {entry["name"]: entry["weight"] for entry in services}


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


def check(stage: Stage, plot: Plot) -> None:
    """The end is that of the undisturbed run, and the way there was a safe one."""
    found, clean = stage.of(plot), stage.clean(promoted=plot.promoted)
    assert found.objects == clean.objects
    assert_announced(plot, found, clean)
    assert_never_early(found.statuses, plot.interval)
    assert all(sum(route.values()) == 100 for route in found.routes)
    if plot.promoted:
        assert found.images == sorted(found.images)
    else:
        assert set(found.images) == {"1"}
    assert found.exit_code == 0


def assert_announced(plot: Plot, found: Outcome, clean: Outcome) -> None:
    """Nothing new is said, the end is said, and at most what the crash swallowed is not."""
    event, alert, _ = ENDS[plot.promoted]
    assert event in found.told
    assert event in found.kube_events
    assert 1 <= found.alerts.count(alert) <= 2
    usual = set(clean.told) | set(plot.extra)
    told = without_waiting(found.told)
    assert set(told) <= usual
    assert set(without_waiting(found.kube_events)) <= usual
    assert set(found.alerts) <= set(clean.alerts) | set(plot.extra)
    order = [text for text in without_waiting(clean.told) if text in told]
    assert [text for text in dict.fromkeys(told) if text in order] == list(dict.fromkeys(order))


def without_waiting(texts: Any) -> list[str]:
    return [text for text in texts if not any(part in text for part in WAITING)]


@pytest.mark.parametrize("plot", CLEAN, ids=str)
def test_an_undisturbed_run(stage: Stage, plot: Plot) -> None:
    check(stage, plot)
    found = stage.of(plot)
    assert found.statuses[-1]["phase"] == ENDS[plot.promoted][2]
    assert found.alerts.count(ENDS[plot.promoted][1]) == 1
    assert found.kube_events[ENDS[plot.promoted][0]] == 1
    told = without_waiting(found.told)
    assert len(told) == len(set(told)) + told.count(AVAILABLE) - 1


AFTER = "Normal Post-rollout check after passed"
AVAILABLE = "Normal all the metrics providers are available!"


@pytest.mark.parametrize("plot", KILLS, ids=str)
def test_killed(stage: Stage, plot: Plot) -> None:
    check(stage, plot)


@pytest.mark.parametrize("plot", DRIFTS, ids=str)
def test_drift_while_nobody_looked(stage: Stage, plot: Plot) -> None:
    check(stage, plot)
    routes = stage.of(plot).routes
    repaired = routes[routes.index(DRIFTED) + 1]
    in_run = {"podinfo-primary": 75, "podinfo-canary": 25}
    assert repaired == ({"podinfo-primary": 100} if plot.early else in_run)


@pytest.mark.parametrize("plot", FIRST_WRITE, ids=str)
def test_the_first_status_write_fails(stage: Stage, plot: Plot) -> None:
    check(stage, plot)


@pytest.mark.parametrize("plot", SWEEP, ids=str)
def test_any_write_may_fail(stage: Stage, plot: Plot) -> None:
    check(stage, plot)
