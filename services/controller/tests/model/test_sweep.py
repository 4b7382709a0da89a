"""Every write of a release fails in every way, and the release ends as if nothing had happened.

After Sieve (OSDI'22): a clean run of a scenario is recorded as its ordered writes; then for each
write one run in which the process is killed before it, killed after it, gets no reply, a conflict,
or an error. End state and invariants must be those of the clean run (architecture section 5).

A run with a fault begins at the last snapshot of the clean run before the write: all runs are the
same until then. It ends when it has rejoined the clean run: when everything that decides how it
goes on is as it was at some moment of that one, perhaps later.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from flagger_controller.api.status import CanaryStatus, Phase
from flagger_controller.cluster.client import ApiConflict, ApiUnavailable
from flagger_controller.cluster.fake import Killed, Write
from flagger_controller.rollout.evidence import Unmeasured

from . import kubelet
from .invariants import check_all
from .rig import PAUSE, Rig
from .snapshots import Snapshot
from .traffic import splits

pytestmark = pytest.mark.looptime

DONE = (Phase.SUCCEEDED, Phase.FAILED)


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
    return status.canary_weight == 25


RELEASE = (Act(initialized, push("2")),)
METRICS = [{"name": "errors", "query": "q", "thresholdRange": {"max": 1}}]
KNATIVE = "Knative Service"
ITERATIONS = {"interval": "10s", "threshold": 2, "iterations": 2}


@dataclass(frozen=True)
class Scenario:
    """A release."""

    spec: Mapping[str, Any] = field(default_factory=dict)
    acts: tuple[Act, ...] = RELEASE
    bad: bool = False
    """Metrics have no values."""
    broken: str = ""
    kind: str = "Deployment"
    first: bool = False
    """Also the writes of the first release fail; they are the same in the scenarios without."""


SCENARIOS: Mapping[str, Scenario] = {
    "promoted": Scenario(first=True),
    "promoted in steps": Scenario(
        {"analysis": {"interval": "10s", "stepWeights": [10, 50], "stepWeightPromotion": 50}}
    ),
    "metric rollback": Scenario(
        {"analysis": {"interval": "10s", "threshold": 2, "stepWeight": 25, "metrics": METRICS}},
        bad=True,
    ),
    "deadline rollback": Scenario(acts=(Act(initialized, push("broken")),)),
    "blue/green": Scenario({"analysis": ITERATIONS}),
    "kubernetes": Scenario({"analysis": ITERATIONS, "provider": "kubernetes"}, first=True),
    "skip analysis": Scenario({"skipAnalysis": True}, first=True),
    "failed promotion": Scenario(broken="primary-2"),
    "new revision midway": Scenario(acts=(*RELEASE, Act(first_step, push("3")))),
    "knative": Scenario(kind=KNATIVE, first=True),
    "knative blue/green": Scenario({"analysis": ITERATIONS}, kind=KNATIVE),
    "knative deadline rollback": Scenario(acts=(Act(initialized, push("broken")),), kind=KNATIVE),
    "knative skip analysis": Scenario({"skipAnalysis": True}, kind=KNATIVE, first=True),
    "knative new revision midway": Scenario(
        acts=(*RELEASE, Act(first_step, push("3"))), kind=KNATIVE
    ),
}


@dataclass(frozen=True)
class Point:
    """A moment between two ticks of a clean run."""

    writes: int
    """How many there were so far."""
    act: int
    """The next act."""
    rig: Snapshot
    situation: tuple[int, str]


def begin(scenario: Scenario) -> Rig:
    rig = Rig(broken=("broken", scenario.broken), kind=scenario.kind)
    if scenario.bad:
        rig.judge.values[0] = Unmeasured("no values")
    rig.deploy(**scenario.spec)
    return rig


async def play(
    rig: Rig, scenario: Scenario, act: int = 0, known: frozenset[tuple[int, str]] = frozenset()
) -> list[Point]:
    """Tick until all acts are done and the release is over, and once more.

    Or, from the second tick on, until the situation is a known one.
    """
    points: list[Point] = []
    for _ in range(40):
        if act < len(scenario.acts) and scenario.acts[act].when(rig.status):
            scenario.acts[act].do(rig)
            act += 1
        situation = (act, rig.situation())
        if points and situation in known:
            check_all(rig)
            return points
        points.append(Point(len(rig.api.writes), act, rig.snapshot(), situation))
        await rig.step()
        done = act == len(scenario.acts) and rig.status.phase in DONE
        if done and not rig.status.run.unannounced:
            await rig.pass_interval()
            check_all(rig)
            return points
        await asyncio.sleep(PAUSE)
    raise AssertionError(f"still {rig.status.phase}: {rig.log.events}")


VARIANTS = {
    "killed before": "before",
    "killed after": "after",
    "reply lost": "after",
    "conflict": "before",
    "unavailable": "before",
}


def _fail(kind: str) -> None:
    match kind:
        case "conflict":
            raise ApiConflict(409, "Conflict", "injected conflict")
        case "unavailable" | "reply lost":
            raise ApiUnavailable(503, "Unavailable", "injected failure")
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


def end_state(rig: Rig) -> dict[str, Any]:
    status, target = rig.status, rig.found(rig.target)
    return {
        "phase": status.phase,
        "weight": status.canary_weight,
        "route": status.run.route,
        "failedChecks": status.failed_checks,
        "applied": status.last_applied_spec,
        "promoted": status.last_promoted_spec,
        "primary": rig.production,
        "target pods": kubelet.wanted(target),
        "weights": splits(rig.api, rig.canary, rig.canary.spec.provider),
        "outcomes": {outcome.succeeded for outcome in rig.log.outcomes},
    }


async def fails(
    scenario: Scenario, points: list[Point], index: int, variant: str
) -> tuple[Rig, bool]:
    """The run in which one write fails, and whether it rejoined the clean one."""
    known = frozenset(point.situation for point in points)
    point = [point for point in points if point.writes <= index][-1]
    rig = Rig.restored(point.rig)
    hit = inject(rig, index, variant)
    try:
        await play(rig, scenario, point.act, known)
        rejoined = rig.status.phase not in DONE
    finally:
        await rig.stop()
    assert hit, "it did not happen"
    return rig, rejoined


@pytest.mark.parametrize("name", SCENARIOS)
async def test_every_write_may_fail(name: str) -> None:
    scenario = SCENARIOS[name]
    clean = begin(scenario)
    points = await play(clean, scenario)
    await clean.stop()
    expected, writes = end_state(clean), clean.api.writes
    first = 0 if scenario.first else next(point.writes for point in points if point.act)
    for write in writes[first:]:
        for variant in VARIANTS:
            label = f"write {write.index} ({write.verb} {write.ref}), {variant}"
            try:
                rig, rejoined = await fails(scenario, points, write.index, variant)
            except AssertionError as error:
                raise AssertionError(f"{label}: {error}") from error
            assert rejoined or end_state(rig) == expected, label
