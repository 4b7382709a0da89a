"""All of the engine: every status that it can reach, and from there everything that can happen.

Starting with a Canary that nobody has seen, each tick is taken with every possible combination of
facts and answers (see `explorer`); new statuses are explored in turn until there are none. So these
tests do not sample: what they find impossible is impossible.
"""

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from flagger_controller.api.status import CanaryStatus, Phase, Route
from flagger_controller.rollout.case import ACTIVE, STARTING
from flagger_controller.rollout.evidence import Answer, Health, Measured
from flagger_controller.rollout.rules import RULES
from flagger_controller.tick.tick import WALKS

from .explorer import APPLIED, NEW, NOW, PROMOTED, Walked, World, decisions, key, normal
from .properties import TRANSITIONS, check
from .scenario import Scenario, canary, hook

HOOKS = [
    hook(kind)
    for kind in (
        *("confirm-rollout", "pre-rollout", "rollout", "confirm-traffic-increase"),
        *("confirm-promotion", "post-rollout", "rollback"),
    )
]
METRICS = [{"name": "m", "query": "q", "thresholdRange": {"max": 10}}]
MATCH = [{"headers": {"x": {"exact": "1"}}}]
WEIGHTS: dict[str, Any] = {"stepWeight": 50, "maxWeight": 100, "stepWeightPromotion": 50}


def spec(*, plain: bool = False, skip: bool = False, **analysis: Any) -> Any:
    """A Canary that asks every kind of hook, or none."""
    asks = {} if plain else {"webhooks": HOOKS, "metrics": METRICS}
    return canary(
        analysis={"interval": "10s", "threshold": 2, **asks, **analysis}, skipAnalysis=skip
    )


WORLDS: Mapping[str, World] = {
    "weights": World(spec(**WEIGHTS)),
    "weights and mirror": World(spec(stepWeights=[10, 60], mirror=True)),
    "a/b": World(spec(iterations=2, match=MATCH)),
    "blue/green": World(spec(iterations=1)),
    "blue/green and mirror": World(spec(iterations=2, mirror=True)),
    "kubernetes": World(spec(iterations=2, mirror=True), provider="kubernetes"),
    "skip": World(spec(stepWeight=50, skip=True)),
    "configs": World(spec(plain=True, stepWeight=100), configs=True),
    "lagging route": World(spec(plain=True, stepWeight=100), lags=True),
    "taken over": World(spec(plain=True, stepWeight=100), foreign=True),
    "problems": World(spec(plain=True, stepWeight=100), problems=True),
}

STRATEGIES = {"without_weights", "ab_testing", "blue_green", "progressive"}
ELSEWHERE = {"terminating", "suspended", "skip", "blocked", "route_lagging", "opened"}
"""Rules of other worlds."""
DECIDES: Mapping[str, set[str]] = {
    "weights": {"progressive"},
    "a/b": {"ab_testing"},
    "blue/green": {"blue_green"},
    "kubernetes": {"blue_green"},
}


@dataclass
class Explored:
    """What can happen in a world."""

    statuses: dict[Any, CanaryStatus] = field(default_factory=dict)
    transitions: set[tuple[Phase, Phase]] = field(default_factory=set)
    rules: set[str] = field(default_factory=set)
    continued: dict[Any, set[Any]] = field(default_factory=lambda: defaultdict(set))
    """Which status follows which one in the same tick."""

    def longest(self) -> int:
        """The most decisions that one tick can take."""

        @cache
        def length(start: Any) -> int:
            return 1 + max((length(after) for after in self.continued[start]), default=0)

        return max(length(start) for start in list(self.continued))


def explore(world: World) -> Explored:
    """All of a world, with every property checked on every decision."""
    found = Explored()
    queue = deque([CanaryStatus()])
    while queue:
        status = queue.popleft()
        for walked in decisions(world, status):
            if (fresh := _note(found, walked)) is not None:
                queue.append(fresh)
    return found


def _note(found: Explored, walked: Walked) -> CanaryStatus | None:
    """Remember a decision; its status when it is a new one."""
    check(walked)
    found.rules.add(walked.decision.rule)
    if walked.after is walked.before:
        return None
    found.transitions.add((walked.before.phase, walked.after.phase))
    status = normal(walked.after)
    if walked.decision.again or walked.after.run.unannounced:
        found.continued[key(normal(walked.before))].add(key(status))
    if key(status) in found.statuses:
        return None
    found.statuses[key(status)] = status
    return status


@pytest.mark.parametrize("name", WORLDS)
def test_every_situation_is_handled(name: str) -> None:
    """Every property holds for every decision, and nothing hangs.

    From everywhere a good revision ends in production. Also when the primary is dead, as then the
    revision is its repair.
    """
    world = WORLDS[name]
    found = explore(world)
    moves = {(before, after) for before, after in found.transitions if before is not after}
    assert moves <= TRANSITIONS.keys()
    if not world.foreign:  # renaming takes an adopted hash for another foreign one
        assert found.longest() < WALKS, "a tick that does not come to an end"
    if name in DECIDES:
        expected = {rule.__name__ for rule in RULES} - ELSEWHERE - STRATEGIES
        assert found.rules - {"promotion_superseded"} == (
            expected - {"promotion_superseded"} | DECIDES[name]
        )
    end = Ending(world)
    for status in found.statuses.values():
        end.check(status, PROMOTED, dead=False)
        if status.phase not in STARTING:
            end.check(status, APPLIED, dead=True)


@dataclass
class Hopeful(Scenario):
    """A world in which the new revision is healthy and every gate is open."""

    dead: bool = False

    def tick(self, *, due: bool = True) -> list[str]:
        broken = self.dead and self.on_primary != self.target
        self.primary_health = Health(
            ready=not broken, retriable=not broken, reason="dead", available=not broken
        )
        self.now = NOW - timedelta(seconds=10)  # the clock stands still
        return super().tick(due=due)


@dataclass
class Ending:
    """Checks that a new revision gets into production."""

    world: World
    good: set[Any] = field(default_factory=set)
    """Situations that are known to end well."""

    def check(self, status: CanaryStatus, on_primary: str, *, dead: bool) -> None:
        """From this status, with that revision on the primary."""
        scenario = self._scenario(status, on_primary, dead=dead)
        passed = set()
        for _ in range(30):
            scenario.tick()
            at = (key(scenario.status), scenario.on_primary, scenario.pods, dead)
            passed.add(at)
            if at in self.good or self._finished(scenario):
                self.good |= passed
                return
        raise AssertionError(f"{status!r} ends as {scenario.status!r}: {scenario.log}")

    def _scenario(self, status: CanaryStatus, on_primary: str, *, dead: bool) -> Hopeful:
        return Hopeful(
            self.world.canary.model_copy(update={"status": status}),
            provider=self.world.provider,
            target=NEW,
            on_primary=on_primary,
            dead=dead,
            answers={"rollback": Answer(ok=False)},
            metrics={0: Measured(1.0)},
            configs=status.tracked_configs if self.world.configs else None,
        )

    def _finished(self, scenario: Hopeful) -> bool:
        status = scenario.status
        if status.phase is Phase.INITIALIZED and status.last_promoted_spec == NEW:
            return True  # the primary was made from the target
        if status.phase is not Phase.SUCCEEDED or scenario.on_primary != NEW:
            return False
        assert status.last_promoted_spec == NEW
        assert status.route == Route()
        return True


PLAIN: Mapping[str, World] = {
    "weights": World(spec(plain=True, **WEIGHTS)),
    "weights and mirror": World(spec(plain=True, stepWeights=[10, 60], mirror=True)),
    "a/b": World(spec(plain=True, iterations=2, match=MATCH)),
    "fewer iterations": World(spec(plain=True, iterations=1, match=MATCH)),
    "blue/green and mirror": World(spec(plain=True, iterations=2, mirror=True)),
    "kubernetes": World(spec(plain=True, iterations=1), provider="kubernetes"),
    "skip": World(spec(plain=True, stepWeight=50, skip=True)),
}


@cache
def plain(name: str) -> tuple[CanaryStatus, ...]:
    """Every status of a world without hooks and metrics."""
    return tuple(explore(PLAIN[name]).statuses.values())


@pytest.mark.parametrize("after", PLAIN)
def test_the_strategy_may_change_at_any_moment(after: str) -> None:
    """Whatever the analysis was when the run began (S15, S31)."""
    world = PLAIN[after]
    end = Ending(world)
    for before in PLAIN.keys() - {after}:
        for status in plain(before):
            if status.phase not in ACTIVE or status.run.obligation:
                continue
            for walked in decisions(world, status):
                check(walked)
            end.check(status, PROMOTED, dead=False)


def test_a_suspended_canary_is_frozen_wherever_it_stands() -> None:
    """Only what a finished run still has to tell is told."""
    world = PLAIN["weights"]
    frozen = world.canary.spec.model_copy(update={"suspend": True})
    suspended = replace(world, canary=world.canary.model_copy(update={"spec": frozen}))
    for status in plain("weights"):
        for walked in decisions(suspended, status):
            rule = "announce" if status.run.unannounced else "suspended"
            assert walked.decision.rule == rule
            told = {"ticked_at": "", "halted": "", "unannounced": False, "reason": ""}
            told["started_at"] = ""
            assert _without(walked.after, told) == _without(status, told)


def _without(status: CanaryStatus, run: dict[str, Any]) -> CanaryStatus:
    return status.model_copy(update={"run": status.run.model_copy(update=run)})


def test_the_same_case_gives_the_same_answer() -> None:
    world = WORLDS["weights"]
    for status in plain("weights")[::10]:
        first, second = ([walked.decision for walked in decisions(world, status)] for _ in range(2))
        assert first == second
