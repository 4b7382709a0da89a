"""Gather: fetches the evidence that the engine asks for, in its order."""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from flagger_controller.api.canary import Canary, Webhook
from flagger_controller.api.checksum import checksum
from flagger_controller.hooks import payloads
from flagger_controller.rollout.evidence import (
    Answer,
    Check,
    HookCheck,
    Measured,
    MetricCheck,
    ProvidersCheck,
    Result,
    Unmeasured,
)

METRIC_DEADLINE: Final = 60.0
"""Seconds after which a metric source counts as failed, whatever its own time-out."""


class Hooks(Protocol):
    """Calls webhooks."""

    async def call(self, hook: Webhook, payload: bytes, namespace: str) -> Answer:
        """Post the payload; an error is an answer too."""
        ...


class Judge(Protocol):
    """Asks metric sources."""

    async def measure(self, canary: Canary, check: MetricCheck) -> Measured | Unmeasured:
        """Measure one metric in one way."""
        ...

    async def providers(self, canary: Canary) -> Answer:
        """Are all sources of this canary reachable?"""
        ...


class Tally(Protocol):
    """Counts checks."""

    def answered(self, canary: Canary, check: Check, result: Result, seconds: float) -> None:
        """A check was answered, after so many seconds."""
        ...


class Gatherer:
    """Answers checks."""

    def __init__(self, hooks: Hooks, judge: Judge, tally: Tally) -> None:
        self._hooks = hooks
        self._judge = judge
        self._tally = tally

    async def gather_all(self, canary: Canary, checks: Sequence[Check]) -> list[Result]:
        """Ask several at once, so that a tick waits for the slowest one only (M22)."""
        asked = [asyncio.ensure_future(self.gather(canary, check)) for check in checks]
        try:
            return await asyncio.gather(*asked)
        finally:  # the first error ends the tick, and nobody waits for the others any more
            for each in asked:
                each.cancel()

    async def gather(self, canary: Canary, check: Check) -> Result:
        """Ask; what cannot be asked is an answer that says so."""
        clock = asyncio.get_running_loop().time
        started = clock()
        result = await self._ask(canary, check)
        self._tally.answered(canary, check, result, clock() - started)
        return result

    async def _ask(self, canary: Canary, check: Check) -> Result:
        match check:
            case HookCheck(kind, index, phase):
                hook = canary.analysis.hooks(kind)[index]
                status = canary.status
                digest = checksum(status.tracked_configs, status.shown(status.last_applied_spec))
                body = payloads.hook(canary, hook, phase, digest)
                return await self._hooks.call(hook, body, canary.namespace)
            case ProvidersCheck():
                return await self._judge.providers(canary)
            case MetricCheck():
                return await self._measure(canary, check)

    async def _measure(self, canary: Canary, check: MetricCheck) -> Measured | Unmeasured:
        name = canary.analysis.metrics[check.index].name
        try:
            async with asyncio.timeout(METRIC_DEADLINE):
                return await self._judge.measure(canary, check)
        except TimeoutError:
            seconds = f"{METRIC_DEADLINE:.0f}"
            text = f"Metric query failed for {name}: no answer within {seconds} seconds"
            return Unmeasured(text, failed=True, late=True)
