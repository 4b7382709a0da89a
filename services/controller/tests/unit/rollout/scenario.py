"""A rollout on paper: the pure engine and a world that obeys it at once.

No I/O and no cluster: one `tick()` walks the engine as the shell does, answers its questions from
tables, and applies its decisions to the few facts that the engine can see.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus, Obligation, Phase
from flagger_controller.rollout.case import Case
from flagger_controller.rollout.decision import Alert, Decision, Event, Need, Outcome
from flagger_controller.rollout.evidence import (
    Answer,
    Check,
    Evidence,
    Health,
    HookCheck,
    Measured,
    MetricCheck,
    Result,
    Revision,
    Seen,
    Unmeasured,
)
from flagger_controller.rollout.step import step

READY = Health(ready=True)
NAMES = {"podinfo.default": "", "podinfo-primary.default": ""}


def canary(**spec: Any) -> Canary:
    """A Canary `podinfo` in `default`; keywords replace parts of `spec` (camelCase)."""
    body: dict[str, Any] = {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
        "service": {"port": 80},
        "analysis": {"interval": "10s", "threshold": 2, "stepWeight": 20, "maxWeight": 50},
    }
    body.update(spec)
    metadata = {"name": "podinfo", "namespace": "default", "uid": "u-1"}
    return Canary.from_api({"metadata": metadata, "spec": body})


def hook(kind: str, name: str = "", **extra: Any) -> dict[str, Any]:
    """A webhook of one type, named like it unless said otherwise."""
    return {"name": name or kind, "type": kind, "url": "http://hooks/", **extra}


@dataclass
class Scenario:
    """One canary over time."""

    canary: Canary
    provider: str = "istio"
    target: str = "v1"
    configs: Mapping[str, str] | None = None
    on_primary: str = "v1"
    pods: int = 0
    target_health: Health = READY
    primary_health: Health = READY
    answers: dict[str, Answer] = field(default_factory=dict)
    metrics: dict[int, Measured | Unmeasured] = field(default_factory=dict)
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    asked: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    """The same with the phase that event hooks are told."""
    alerts: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    statuses: list[CanaryStatus] = field(default_factory=list)
    settled: bool = True

    @property
    def status(self) -> CanaryStatus:
        return self.canary.status

    def initialized(self) -> "Scenario":
        """Bring the canary to Initialized and forget how."""
        self.tick()
        assert self.status.phase is Phase.INITIALIZED
        for past in (self.asked, self.log, self.alerts, self.statuses):
            past.clear()
        return self

    def push(self, revision: str) -> "Scenario":
        self.target = revision
        return self

    def tick(self, *, due: bool = True) -> list[str]:
        """One tick; returns the event texts it announced."""
        before = len(self.log)
        self.now += timedelta(seconds=10)
        evidence = Evidence()
        for _ in range(40):
            outcome = step(self._case(evidence, due=due))
            if isinstance(outcome, Need):
                evidence = evidence.having(outcome.check, self._answer(outcome.check))
                continue
            self._apply(outcome)
            evidence = Evidence()
            if not outcome.again and not self._unannounced():
                return self.log[before:]
        raise AssertionError("the engine did not come to an end")

    def run(self, ticks: int = 30) -> "Scenario":
        """Tick until the run is over."""
        for _ in range(ticks):
            self.tick()
            if self.status.phase in (Phase.SUCCEEDED, Phase.FAILED):
                return self
        raise AssertionError(f"still {self.status.phase} after {ticks} ticks")

    def _unannounced(self) -> bool:
        return self.status.run.unannounced

    def _case(self, evidence: Evidence, *, due: bool) -> Case:
        promoted = self.on_primary == (self.status.last_applied_spec or self.target)
        target = self.target_health
        if target.ready and self.pods == 0:
            target = replace(target, available=False)
        seen = Seen(
            revision=Revision(self.target, self.configs),
            target=target,
            primary=self.primary_health,
            promoted=promoted,
            settled=self.settled,
        )
        return Case(
            canary=self.canary,
            seen=seen,
            evidence=evidence,
            now=self.now,
            due=due,
            provider=self.provider,
            entropy="abcdefghijklmnopqrst",
        )

    def _answer(self, check: Check) -> Result:
        match check:
            case MetricCheck(index, _):
                self.asked.append(f"metric {index}")
                return self.metrics.get(index, Measured(100.0))
            case HookCheck(kind, index, phase):
                name = self.canary.analysis.hooks(kind)[index].name
                self.asked.append(f"{name}({phase})")
                return self.answers.get(name, Answer(ok=True))
            case _:
                self.asked.append("providers")
                return self.answers.get("providers", Answer(ok=True))

    def _apply(self, decision: Decision) -> None:
        before = self.status.phase
        self.canary = self.canary.model_copy(update={"status": decision.status})
        self.statuses.append(decision.status)
        for announcement in decision.announcements:
            match announcement:
                case Event(text):
                    self.log.append(text.replace(".default", ""))
                    phase = before if announcement.phase is None else announcement.phase
                    self.heard.append(f"{phase} {self.log[-1]}")
                case Alert(text, severity):
                    self.alerts.append(f"{severity} {text}")
                case Outcome() as outcome:
                    self.outcomes.append(outcome)
        self._obey()

    def _obey(self) -> None:
        """What the converge would do with pods and the primary."""
        status = self.status
        obligation = status.run.obligation
        if status.phase in (Phase.PROGRESSING, Phase.WAITING_PROMOTION) and not obligation:
            self.pods = 1
        if status.replacing and self.target == status.last_applied_spec:
            self.on_primary = self.target
        if status.phase is Phase.FINALISING or obligation in (
            Obligation.ROLLBACK,
            Obligation.SKIP,
        ):
            self.pods = 0
