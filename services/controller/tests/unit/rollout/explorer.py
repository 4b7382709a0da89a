"""Walks the engine through everything that can happen: a model checker for the rule table.

Facts are chosen when a rule first looks at them. So each path through the table is walked once,
whatever the facts that no rule asked for, and all paths together cover the whole product of phases,
obligations, readiness, revisions, answers and so on. What the properties ask for is chosen, too.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar, cast

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus
from flagger_controller.rollout.case import Case
from flagger_controller.rollout.decision import Decision, Need
from flagger_controller.rollout.evidence import (
    Answer,
    Check,
    Evidence,
    Health,
    Measured,
    MetricCheck,
    Result,
    Revision,
    Seen,
    Unmeasured,
)
from flagger_controller.rollout.step import step

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PROMOTED, APPLIED, NEW = "promoted", "applied", "new"
"""Hashes: of the last promoted revision, of the one that the status is about, of any other."""

T = TypeVar("T")


class Choices:
    """Answers to questions, in the order in which they were asked; the same again when repeated."""

    def __init__(self, fixed: Sequence[int]) -> None:
        self._fixed = fixed
        self.trail: list[tuple[int, int]] = []
        self._made: dict[str, object] = {}

    def pick(self, question: str, options: Sequence[T]) -> T:
        """One of the options."""
        if question not in self._made:
            at = len(self.trail)
            index = self._fixed[at] if at < len(self._fixed) else 0
            self.trail.append((index, len(options)))
            self._made[question] = options[index]
        return cast("T", self._made[question])

    def flag(self, question: str) -> bool:
        """Yes or no."""
        return self.pick(question, (True, False))

    def made(self, question: str) -> object:
        """What was chosen; None when nobody asked."""
        return self._made.get(question)

    def __str__(self) -> str:
        return ", ".join(f"{question}={value}" for question, value in self._made.items())


def every(walk: Callable[[Choices], T]) -> Iterator[T]:
    """The results of all possible choices."""
    fixed: list[int] | None = []
    while fixed is not None:
        choices = Choices(fixed)
        yield walk(choices)
        fixed = _next(choices.trail)


def _next(trail: list[tuple[int, int]]) -> list[int] | None:
    while trail:
        index, options = trail.pop()
        if index + 1 < options:
            return [*(chosen for chosen, _ in trail), index + 1]
    return None


class ChosenHealth(Health):
    """Readiness, chosen when asked for."""

    def __init__(self, who: str, choices: Choices) -> None:
        self.__dict__ |= {"_who": who, "_choices": choices}

    def _flag(self, name: str) -> bool:
        choices: Choices = self.__dict__["_choices"]
        return choices.flag(f"{self.__dict__['_who']}.{name}")

    @property
    def ready(self) -> bool:
        return self._flag("ready")

    @property
    def retriable(self) -> bool:
        return self.ready or self._flag("retriable")

    @property
    def available(self) -> bool:
        return self._flag("available")

    @property
    def reason(self) -> str:
        return "" if self.ready else f"{self.__dict__['_who']} not ready"


@dataclass(frozen=True)
class World:
    """What may be chosen beyond the usual, as it multiplies the paths."""

    canary: Canary
    provider: str = "istio"
    problems: bool = False
    foreign: bool = False
    configs: bool = False
    lags: bool = False


class ChosenSeen(Seen):
    """The cluster, chosen when asked for."""

    def __init__(self, world: World, status: CanaryStatus, choices: Choices) -> None:
        self.__dict__ |= {
            "_world": world,
            "_status": status,
            "_choices": choices,
            "target": ChosenHealth("target", choices),
            "primary": ChosenHealth("primary", choices),
            "route": None,
        }

    @property
    def _choose(self) -> Choices:
        return cast("Choices", self.__dict__["_choices"])

    @property
    def _allowed(self) -> World:
        return cast("World", self.__dict__["_world"])

    @property
    def revision(self) -> Revision:
        status: CanaryStatus = self.__dict__["_status"]
        known = dict.fromkeys((status.last_applied_spec, status.last_promoted_spec, NEW))
        spec = self._choose.pick("revision", [name for name in known if name])
        if not self._allowed.configs:
            return Revision(spec)
        kept = dict(status.tracked_configs or {})
        return Revision(spec, self._choose.pick("configs", (kept, {"configmap/c": "changed"})))

    @property
    def promoted(self) -> bool:
        return self._choose.flag("promoted")

    @property
    def settled(self) -> bool:
        return self._choose.flag("settled")

    @property
    def foreign_hash(self) -> bool:
        return self._allowed.foreign and self._choose.flag("foreign hash")

    @property
    def problem(self) -> str:
        return self._choose.pick("problem", ("", "no target")) if self._allowed.problems else ""

    @property
    def warning(self) -> str:
        return self._choose.pick("warning", ("", "too short")) if self._allowed.problems else ""

    @property
    def lagging(self) -> str:
        return self._choose.pick("lagging", ("", "not programmed")) if self._allowed.lags else ""


class ChosenCase(Case):
    """A case with chosen facts."""

    def __init__(self, world: World, status: CanaryStatus, choices: Choices) -> None:
        self.__dict__ |= {
            "canary": world.canary.model_copy(update={"status": status}),
            "seen": ChosenSeen(world, status, choices),
            "evidence": Evidence(),
            "now": NOW,
            "provider": world.provider,
            "entropy": "abcdefghijklmnopqrst",
            "choices": choices,
        }

    def learn(self, check: Check, result: Result) -> None:
        """Add an answer to the evidence."""
        self.__dict__["evidence"] = self.evidence.having(check, result)

    @property
    def due(self) -> bool:
        choices: Choices = self.__dict__["choices"]
        return choices.flag("due")

    @property
    def announced(self) -> bool:
        choices: Choices = self.__dict__["choices"]
        return choices.flag("announced")


@dataclass
class Walked:
    """One decision, and how it came about."""

    case: ChosenCase
    decision: Decision
    choices: Choices
    asked: list[Check] = field(default_factory=list)

    @property
    def before(self) -> CanaryStatus:
        return self.case.status

    @property
    def after(self) -> CanaryStatus:
        return self.decision.status

    @property
    def seen(self) -> Seen:
        return self.case.seen

    def __str__(self) -> str:
        before, after = (
            status.model_dump(exclude_defaults=True, exclude={"conditions"})
            for status in (self.before, self.after)
        )
        return (
            f"rule {self.decision.rule} ({self.decision.reason})\n  from {before}\n  to   {after}"
            f"\n  because {self.choices}"
        )


def decisions(world: World, status: CanaryStatus) -> Iterator[Walked]:
    """Everything that can be decided in a status."""
    return every(lambda choices: _walk(world, status, choices))


def _walk(world: World, status: CanaryStatus, choices: Choices) -> Walked:
    """From a status to a decision, with all answers on the way chosen."""
    case, asked = ChosenCase(world, status, choices), list[Check]()
    while isinstance(outcome := step(case), Need):
        assert outcome.check not in asked, f"asked twice: {outcome.check}"
        asked.append(outcome.check)
        case.learn(outcome.check, _answer(outcome.check, choices))
    return Walked(case, outcome, choices, asked)


def _answer(check: Check, choices: Choices) -> Result:
    if isinstance(check, MetricCheck):
        values: Sequence[Result] = (Measured(1.0), Measured(1000.0), Unmeasured("no values"))
        return choices.pick(f"{check}", values)
    return choices.pick(f"{check}", (Answer(ok=True), Answer(ok=False, error="Forbidden")))


def key(status: CanaryStatus) -> Hashable:
    """Equal for equal situations.

    What was measured is no part of one: the engine tells it and does not read it.
    """
    configs = tuple(sorted((status.tracked_configs or {}).items()))
    left_out = ("tracked_configs", "checks")
    return (configs, *(value for name, value in status if name not in left_out))


def normal(status: CanaryStatus) -> CanaryStatus:
    """The status with its hashes renamed, so that equal situations are equal."""
    promoted, applied = status.last_promoted_spec, status.last_applied_spec
    if {applied, promoted} <= {PROMOTED, APPLIED} and (applied == PROMOTED) is (
        applied == promoted
    ):
        return status
    names = {promoted: PROMOTED} if promoted else {}
    if applied:
        names.setdefault(applied, APPLIED)
    if all(name == new for name, new in names.items()):
        return status
    return status.model_copy(
        update={
            "last_applied_spec": names.get(applied, ""),
            "last_promoted_spec": names.get(promoted, ""),
        }
    )
