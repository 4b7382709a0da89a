"""Everybody that a controller talks to but the API server: events, hooks, metrics, chats."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from flagger_controller.api.canary import Canary, Webhook
from flagger_controller.api.status import Phase
from flagger_controller.errors import FlaggerError
from flagger_controller.rollout.decision import Alert, Event, Outcome
from flagger_controller.rollout.evidence import (
    Answer,
    Check,
    Measured,
    MetricCheck,
    Result,
    Unmeasured,
)


@dataclass
class Log:
    """Everything that was announced, over all processes."""

    events: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    hooks: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def record(self, canary: Canary, text: str, *, warning: bool) -> None:
        text = text.replace(f".{canary.namespace}", "")
        self.events.append(text)
        if warning:
            self.warnings.append(text)

    async def settled(self, canary: Canary) -> None:
        await asyncio.sleep(0)


@dataclass
class Hooks:
    """The receivers of webhooks, their answers, and what to do when one is called."""

    answers: dict[str, Answer] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """How long a receiver takes to answer."""
    on_call: dict[str, Any] = field(default_factory=dict)

    async def call(self, hook: Webhook, payload: bytes, namespace: str) -> Answer:
        await asyncio.sleep(self.seconds.get(hook.name, 0))
        self.calls.append(hook.name)
        if hook.name in self.on_call:
            self.on_call[hook.name]()
        return self.answers.get(hook.name, Answer(ok=True))


@dataclass
class Judge:
    """The metric sources."""

    values: dict[int, Measured | Unmeasured] = field(default_factory=dict)
    error: FlaggerError | None = None
    """Why the cluster could not be asked."""

    async def measure(self, canary: Canary, check: MetricCheck) -> Measured | Unmeasured:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return self.values.get(check.index, Measured(100.0))

    async def providers(self, canary: Canary) -> Answer:
        await asyncio.sleep(0)
        return Answer(ok=True)


class NoHooks:
    """Nobody listens to events."""

    def send(self, canary: Canary, event: Event, *, phase: Phase, checksum: str) -> None:
        pass

    async def settled(self, canary: Canary) -> None:
        await asyncio.sleep(0)


class Sinks:
    """Alerts and series of one process; what is told for good is in the common log."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def send(self, canary: Canary, alert: Alert) -> None:
        self._log.alerts.append(alert.text)

    async def settled(self, canary: Canary) -> None:
        await asyncio.sleep(0)

    def outcome(self, canary: Canary, outcome: Outcome) -> None:
        self._log.outcomes.append(outcome)

    def show(self, canary: Canary) -> None:
        pass

    def analysed(self, canary: Canary, seconds: float) -> None:
        pass

    def answered(self, canary: Canary, check: Check, result: Result, seconds: float) -> None:
        pass
