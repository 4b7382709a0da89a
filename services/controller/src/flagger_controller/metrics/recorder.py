"""The series we export: upstream's to the letter (telemetry.md section 2), beside our own.

Upstream keeps the series of deleted canaries until it restarts; `forget` removes them (sharp edge
T4). Ours are in `progress` and `process`.
"""

import asyncio
import itertools
from typing import Final

from prometheus_client import Counter

from flagger_controller.api.canary import Canary, Strategy
from flagger_controller.api.status import Phase
from flagger_controller.metrics.process import ProcessSeries
from flagger_controller.metrics.progress import Progress
from flagger_controller.metrics.series import Series
from flagger_controller.rollout.decision import Outcome
from flagger_controller.rollout.strategy import in_force
from flagger_controller.rollout.thresholds import REQUEST_DURATION

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_OUTCOME_LABELS: Final = ("name", "namespace", "deployment_strategy", "analysis_status")
_ENDS: Final = ("completed", "skipped")
_STATUS: Final = {Phase.PROGRESSING: 0, Phase.FAILED: 2}
_SETTLED: Final = 1
EMPTIED: Final = 100
"""Namespaces without a canary that are shown with zero. Where they come and go, the one that was
emptied first is shown no more, or their series would grow in number for ever."""


class Recorder:
    """Sets the series; the label `name` is the target's name, as upstream has it (T6)."""

    def __init__(self, version: str, mesh_provider: str) -> None:
        """Make the registry.

        Args:
            version: without a leading `v`.
            mesh_provider: value of the flag of that name.
        """
        self._provider = mesh_provider
        self._series = Series()
        self.progress = Progress(self._series)
        self.process = ProcessSeries(self._series)
        self._leading = False
        self._totals: dict[str, int] = {}
        """Canaries by namespace, also while another replica shows them."""
        self._emptied: dict[str, None] = {}
        """Namespaces whose last canary is gone, in that order."""
        self._shown: dict[tuple[str, str], Canary] = {}
        """What is shown, by namespace and name."""
        self._measured: dict[tuple[str, str], set[str]] = {}
        """Metrics by target and namespace: to look for them among all series takes too long."""
        info = self._series.gauge(
            "info", "Flagger version and mesh provider information", "version", "mesh_provider"
        )
        info.labels(version, mesh_provider).set(1)
        self._upstreams()
        self._hooks = self._series.counter(
            "webhook_requests", "Calls of webhooks by type and outcome", "type", "outcome"
        )
        self._alerts = self._series.counter(
            "alert_requests", "Alerts by provider type and outcome", "provider", "outcome"
        )

    def _upstreams(self) -> None:
        """Names, labels and texts are interface."""
        made = self._series
        self._total = made.gauge("canary_total", "Total number of canary object", "namespace")
        self._status = made.gauge(
            "canary_status", "Last canary analysis result", "name", "namespace"
        )
        self._weight = made.gauge(
            "canary_weight",
            "The virtual service destination weight current value",
            *("workload", "namespace"),
        )
        self._analysis = made.gauge(
            "canary_metric_analysis",
            "Last canary analysis result per metric",
            *("name", "namespace", "metric"),
        )
        self._duration = made.histogram(
            "canary_duration_seconds",
            "Seconds spent performing canary analysis.",
            _BUCKETS,
            *("name", "namespace"),
        )
        self._successes = made.counter(
            "canary_successes", "Total number of canary successes", *_OUTCOME_LABELS
        )
        self._failures = made.counter(
            "canary_failures", "Total number of canary failures", *_OUTCOME_LABELS
        )

    def set_total(self, namespace: str, count: int) -> None:
        """How many canaries a namespace has; zero when the last one is gone."""
        self._totals[namespace] = count
        if self._leading:
            self._total.labels(namespace).set(count)
        self._emptied.pop(namespace, None)
        if not count:
            self._emptied[namespace] = None
        if len(self._emptied) > EMPTIED:
            self._drop_total(next(iter(self._emptied)))

    def _drop_total(self, namespace: str) -> None:
        del self._emptied[namespace]
        del self._totals[namespace]
        self._total.remove(namespace)

    def lead(self) -> None:
        """This replica acts from now on. Standbys know the canaries, and do not count them."""
        self._leading = True
        self.process.lead()
        for namespace, count in self._totals.items():
            self._total.labels(namespace).set(count)

    def show(self, canary: Canary) -> None:
        """What the status says: phase, weights, progress."""
        place = (canary.namespace, canary.name)
        before = self._shown.get(place)
        if before is canary:
            return  # a look that found nothing new
        if before is not None and before.target != canary.target:
            self._remove(canary.name, before.target, canary.namespace)
        self._shown[place] = canary
        self.set_status(canary, canary.status.phase)
        route = canary.status.route
        self.set_weight(canary, route.primary, route.canary)
        # Prometheus sees an increase from zero only, so zero must have been there.
        self._outcomes(self._successes, canary, "skipped" if canary.skip_analysis else "completed")
        self._outcomes(self._failures, canary, "completed")
        self.progress.show(canary)

    def set_status(self, canary: Canary, phase: Phase) -> None:
        """0 while progressing, 2 when failed, 1 in every other phase (telemetry.md 3.2)."""
        value = _STATUS.get(phase, _SETTLED)
        self._status.labels(canary.target, canary.namespace).set(value)

    def set_weight(self, canary: Canary, primary: int, target: int) -> None:
        """The split in force, in percent."""
        self._weight.labels(canary.primary, canary.namespace).set(primary)
        self._weight.labels(canary.target, canary.namespace).set(target)

    def set_metric(self, canary: Canary, metric: str, value: float, *, builtin: bool) -> None:
        """The last value of a check, whether or not it is within its bounds.

        Args:
            canary: whose check it is.
            metric: its name in `analysis.metrics`.
            value: in the unit of its bounds.
            builtin: measured by a built-in query. The request duration, in milliseconds as its
                bounds are, is exported in seconds (T8).
        """
        if builtin and metric == REQUEST_DURATION:
            value /= 1000
        place = (canary.target, canary.namespace)
        self._measured.setdefault(place, set()).add(metric)
        self._analysis.labels(*place, metric).set(value)

    def observe_duration(self, canary: Canary, seconds: float) -> None:
        """How long an analysis tick took, checks and hooks included."""
        self._duration.labels(canary.target, canary.namespace).observe(seconds)

    def count_outcome(self, canary: Canary, outcome: Outcome) -> None:
        """A release is over. A failed one counts as `completed`, as upstream has it (T14)."""
        counter = self._successes if outcome.succeeded else self._failures
        skipped = outcome.succeeded and outcome.skipped
        self._outcomes(counter, canary, "skipped" if skipped else "completed").inc()
        self.progress.end(canary, outcome)

    def _outcomes(self, counter: Counter, canary: Canary, status: str) -> Counter:
        strategy = in_force(canary, canary.spec.provider or self._provider)
        return counter.labels(canary.target, canary.namespace, strategy.value, status)

    def count_hook(self, kind: str, *, ok: bool) -> None:
        """A hook was called; `ok`: it passed."""
        self._hooks.labels(kind, "passed" if ok else "failed").inc()

    def count_alert(self, provider: str, *, ok: bool) -> None:
        """An alert was sent, or given up after its retries."""
        self._alerts.labels(provider, "sent" if ok else "failed").inc()

    def forget(self, canary: Canary) -> None:
        """Remove every series of a deleted canary, its counters included."""
        shown = self._shown.pop((canary.namespace, canary.name), canary)
        for each in {shown.target, canary.target}:
            self._remove(canary.name, each, canary.namespace)

    def _remove(self, canary: str, target: str, namespace: str) -> None:
        self._status.remove(target, namespace)
        self._duration.remove(target, namespace)
        for metric in self._measured.pop((target, namespace), ()):
            self._analysis.remove(target, namespace, metric)
        for strategy, status in itertools.product(Strategy, _ENDS):
            self._successes.remove(target, namespace, strategy.value, status)
            self._failures.remove(target, namespace, strategy.value, status)
        for workload in (target, f"{target}-primary"):
            self._weight.remove(workload, namespace)
        self.progress.forget(canary, target, namespace)

    def render(self) -> bytes:
        """Everything in the text format, for `/metrics` (content type: `CONTENT_TYPE`)."""
        return self._series.render()

    async def page(self) -> bytes:
        """The same as of now, beside the event loop.

        With 1,000 canaries it takes a fifth of a second, in which no tick would get on.
        """
        self.process.measure()
        return await asyncio.to_thread(self.render)
