"""One case and one decision: for tests of single rules."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus, Phase, Route, Run
from flagger_controller.rollout.case import Case
from flagger_controller.rollout.decision import Alert, Decision, Event, Need
from flagger_controller.rollout.evidence import (
    Answer,
    Check,
    Evidence,
    Health,
    HookCheck,
    Measured,
    MetricCheck,
    ProvidersCheck,
    Result,
    Revision,
    Seen,
)
from flagger_controller.rollout.step import step

from .scenario import canary

NOW = datetime(2026, 1, 1, 12, 0, 0, 123000, UTC)
STAMP = "2026-01-01T12:00:00Z"
TICKED = "2026-01-01T12:00:00.123Z"
BEFORE = "2026-01-01T11:59:50.000Z"
READY = Health(ready=True)
SLOW = Health(ready=False, reason="slow")
DEAD = Health(ready=False, retriable=False, reason="dead")
GONE = Health(ready=False, retriable=False, reason="dead", available=False)
DENIED = Answer(ok=False, error="Forbidden")


def status(phase: Phase, *, run: Mapping[str, Any] | None = None, **changes: Any) -> CanaryStatus:
    """A status between v1 in production and v2, or of v1 alone outside a run."""
    settled = phase in (Phase.NEW, Phase.INITIALIZING, Phase.INITIALIZED, Phase.SUCCEEDED)
    first = phase in (Phase.NEW, Phase.INITIALIZING)
    fields = {
        "last_applied_spec": "" if first else "v1" if settled or phase is Phase.WAITING else "v2",
        "last_promoted_spec": "" if first else "v1",
        "last_transition_time": "earlier",
        "run": Run(**{"route": Route(), "ticked_at": BEFORE, **(run or {})}),
        **changes,
    }
    return CanaryStatus(phase=phase, **fields)


def case(
    at: CanaryStatus,
    *,
    spec: Canary | None = None,
    live: str = "v2",
    configs: Mapping[str, str] | None = None,
    **changes: Any,
) -> Case:
    """A due case in which everything is healthy.

    Args:
        at: where the canary stands.
        spec: what it asks for.
        live: revision of the target.
        configs: checksums of its tracked configs.
        changes: fields of the case or of what is seen.
    """
    facts = {name: changes.pop(name) for name in set(changes) & set(Seen.__annotations__)}
    whole = Case(
        canary=(spec or canary()).model_copy(update={"status": at}),
        seen=replace(Seen(Revision(live, configs), READY, READY), **facts),
        evidence=Evidence(),
        now=NOW,
        due=True,
        provider="istio",
        entropy="abcdefghijklmnopqrst",
    )
    return replace(whole, **changes)


class Walk:
    """A decision and what was asked on the way."""

    def __init__(self, at: Case, answers: Mapping[str, Result] | None = None) -> None:
        self.case = at
        self.asked: list[str] = []
        known = answers or {}
        evidence = at.evidence
        while isinstance(outcome := step(replace(at, evidence=evidence)), Need):
            name = self._name(outcome.check)
            self.asked.append(name)
            answer = known.get(name.partition("(")[0], _healthy(outcome.check))
            evidence = evidence.having(outcome.check, answer)
        self.decision: Decision = outcome

    @property
    def status(self) -> CanaryStatus:
        return self.decision.status

    @property
    def rule(self) -> str:
        return self.decision.rule

    @property
    def events(self) -> list[str]:
        said = self.decision.announcements
        return [each.text.replace(".default", "") for each in said if isinstance(each, Event)]

    @property
    def warnings(self) -> list[str]:
        said = self.decision.announcements
        return [
            each.text.replace(".default", "")
            for each in said
            if isinstance(each, Event) and each.warning
        ]

    def told(self, beginning: str) -> Event:
        """The only event with such a text."""
        said = self.decision.announcements
        events = [each for each in said if isinstance(each, Event)]
        (found,) = (each for each in events if each.text.startswith(beginning))
        return found

    @property
    def alerts(self) -> list[str]:
        said = self.decision.announcements
        return [f"{each.severity} {each.text}" for each in said if isinstance(each, Alert)]

    @property
    def obeyed(self) -> CanaryStatus:
        """The status at the end of the tick, when the cluster did what was decided."""
        if not self.decision.again:
            return self.status
        canary = self.case.canary.model_copy(update={"status": self.status})
        seen = replace(self.case.seen, promoted=True, settled=True)
        return Walk(replace(self.case, canary=canary, seen=seen)).status

    def _name(self, check: Check) -> str:
        analysis = self.case.analysis
        match check:
            case HookCheck(kind, index, phase):
                return f"{analysis.hooks(kind)[index].name}({phase})"
            case MetricCheck(index, part):
                return f"{analysis.metrics[index].name}({part})"
            case ProvidersCheck():
                return "providers"


def _healthy(check: Check) -> Result:
    return Measured(1.0) if isinstance(check, MetricCheck) else Answer(ok=True)
