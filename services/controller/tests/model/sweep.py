"""Every write of a release fails in every way, and the release ends as if nothing had happened.

After Sieve (OSDI'22): a clean run of a scenario is recorded as its ordered writes; then for each
write one run in which the process is killed before it, killed after it, gets no reply, a conflict,
or an error. End state and invariants must be those of the clean run (architecture section 5).

A run with a fault begins at the last snapshot of the clean run before the write: all runs are the
same until then. It ends when it has rejoined the clean run: when everything that decides how it
goes on is as it was at some moment of that one, perhaps later.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flagger_controller.api.base import Object
from flagger_controller.api.status import CanaryStatus, Phase
from flagger_controller.cluster.client import ApiConflict, ApiUnavailable, Ref
from flagger_controller.cluster.fake import Killed, Write
from flagger_controller.rollout.evidence import Unmeasured

from .invariants import check_all
from .monitor import Monitor, Noted
from .reach import Reach
from .rig import CANARY, PAUSE, Rig
from .snapshots import Snapshot, without_cookies

DONE = (Phase.SUCCEEDED, Phase.FAILED)
METRICS = [{"name": "errors", "query": "q", "thresholdRange": {"max": 1}}]


@dataclass(frozen=True)
class Act:
    """What a user does as soon as the release has come so far."""

    when: Callable[[CanaryStatus], bool]
    do: Callable[[Rig], None]


def push(tag: str) -> Callable[[Rig], None]:
    return lambda rig: rig.push(tag)


def initialized(status: CanaryStatus) -> bool:
    return status.phase is Phase.INITIALIZED


def first_step(status: CanaryStatus) -> bool:
    """A quarter of the traffic, or all of a test."""
    return status.canary_weight in (25, 100)


def succeeded(status: CanaryStatus) -> bool:
    return status.phase is Phase.SUCCEEDED and not status.run.unannounced


RELEASE = (Act(initialized, push("2")),)


@dataclass(frozen=True)
class Scenario:
    """A release."""

    spec: Mapping[str, Any] = field(default_factory=dict)
    acts: tuple[Act, ...] = RELEASE
    bad: bool = False
    """Metrics have no values."""
    broken: str = ""
    kind: str = "Deployment"
    own: Mapping[Ref, Object] = field(default_factory=dict)
    """What users have beside target and Canary."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Of the Canary."""
    first: bool = False
    """Also the writes of the first release fail; they are the same in the scenarios without."""


@dataclass(frozen=True)
class Point:
    """A moment between two ticks of a clean run."""

    writes: int
    """How many there were so far."""
    act: int
    """The next act."""
    rig: Snapshot
    noted: Noted
    situation: tuple[int, str]


@dataclass(frozen=True)
class Clean:
    """A run without faults."""

    scenario: Scenario
    rig: Rig
    points: list[Point]

    @property
    def swept(self) -> list[Write]:
        """The writes that are to fail."""
        begun = next(point.writes for point in self.points if point.act)
        return self.rig.api.writes[0 if self.scenario.first else begun :]


def begin(scenario: Scenario) -> Rig:
    rig = Rig(broken=("broken", scenario.broken), kind=scenario.kind)
    if scenario.bad:
        rig.judge.values[0] = Unmeasured("no values")
    for ref, body in scenario.own.items():
        rig.api.put(ref, body)
    rig.deploy(scenario.annotations, **scenario.spec)
    return rig


def watched(rig: Rig, noted: Noted | None = None) -> Monitor:
    """Check what must hold at every write."""
    Reach(rig)
    return Monitor(rig, noted)


def over(rig: Rig) -> bool:
    """The run has ended, or the Canary is gone."""
    body = rig.api.object(CANARY)
    if body is None:
        return True
    leaving = "deletionTimestamp" in body["metadata"]
    return rig.status.phase in DONE and not rig.status.run.unannounced and not leaving


async def play(
    rig: Rig,
    monitor: Monitor,
    scenario: Scenario,
    act: int = 0,
    known: frozenset[tuple[int, str]] = frozenset(),
) -> list[Point]:
    """Tick until all acts are done and the release is over, and once more.

    Or, from the second tick on, until the situation is a known one.
    """
    points: list[Point] = []
    for _ in range(40):
        if act < len(scenario.acts) and scenario.acts[act].when(rig.status):
            scenario.acts[act].do(rig)
            act += 1
        if rig.api.object(CANARY) is not None:
            situation = (act, rig.situation())
            if points and situation in known:
                check_all(rig)
                return points
            noted = monitor.noted
            points.append(Point(len(rig.api.writes), act, rig.snapshot(), noted, situation))
        await rig.step()
        if act == len(scenario.acts) and over(rig):
            await rest(rig)
            return points
        await asyncio.sleep(PAUSE)
    raise AssertionError(f"still {rig.status.phase}: {rig.log.events}")


async def rest(rig: Rig) -> None:
    """Once more, and then nothing is left to do (I8)."""
    await rig.pass_interval()
    if rig.api.object(CANARY) is not None:
        check_all(rig)
    writes = len(rig.api.writes)
    await rig.pass_interval()
    assert not rig.api.writes[writes:], f"I8: {rig.api.writes[writes:]}"


VARIANTS = {
    "killed before": "before",
    "killed after": "after",
    "reply lost": "after",
    "conflict": "before",
    "error": "before",
}


def _fail(kind: str) -> None:
    match kind:
        case "conflict":
            raise ApiConflict(409, "Conflict", "injected conflict")
        case "error":
            raise ApiUnavailable(500, "InternalError", "injected failure")
        case "reply lost":
            raise ApiUnavailable(0, "Unreachable", "injected loss")
        case _:
            raise Killed


def inject(rig: Rig, index: int, variant: str) -> list[int]:
    """Let one write fail; the returned list tells whether it happened."""
    hit: list[int] = []

    def hook(write: Write) -> None:
        if write.index == index and not hit:
            hit.append(index)
            _fail(variant)

    if VARIANTS[variant] == "before":
        rig.api.before_write(hook)
    else:
        rig.api.after_write(hook)
    return hit


def end_state(rig: Rig) -> Object:
    """All objects, and what became of the runs."""
    objects = json.dumps(rig.objects, sort_keys=True)
    if rig.api.object(CANARY) is not None:
        objects = without_cookies(objects, rig.status)
    outcomes = sorted({outcome.succeeded for outcome in rig.log.outcomes})
    return {**json.loads(objects), "outcomes": outcomes}


def unlike(found: Object, expected: Object) -> Object:
    """Where two end states differ."""
    names = sorted({*found, *expected})
    pairs = {name: (found.get(name), expected.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


async def played(scenario: Scenario) -> Clean:
    """The run in which nothing fails."""
    rig = begin(scenario)
    points = await play(rig, watched(rig), scenario)
    await rig.stop()
    return Clean(scenario, rig, points)


async def fails(clean: Clean, index: int, variant: str) -> tuple[Rig, bool]:
    """The run in which one write fails, and whether it rejoined the clean one."""
    known = frozenset(point.situation for point in clean.points)
    point = [point for point in clean.points if point.writes <= index][-1]
    rig = Rig.restored(point.rig)
    monitor = watched(rig, point.noted)
    hit = inject(rig, index, variant)
    try:
        await play(rig, monitor, clean.scenario, point.act, known)
    finally:
        await rig.stop()
    assert hit, "it did not happen"
    body = rig.api.object(CANARY)
    return rig, body is not None and not over(rig)


async def check_each(
    clean: Clean, writes: Iterable[Write], variants: Iterable[str] = tuple(VARIANTS)
) -> None:
    """Let each of these writes fail in each of these ways.

    Raises:
        AssertionError: a run ends in another way than the clean one, or breaks an invariant.
    """
    expected = end_state(clean.rig)
    for write in writes:
        for variant in variants:
            label = f"write {write.index} ({write.verb} {write.ref}), {variant}"
            try:
                rig, rejoined = await fails(clean, write.index, variant)
                other = {} if rejoined else unlike(end_state(rig), expected)
                assert other == {}, other
            except AssertionError as error:
                raise AssertionError(f"{label}: {error}") from error
