"""The series we export (telemetry.md section 2): upstream's to the letter, and some of ours.

All belong to one registry object that the HTTP server renders; nothing is global. Upstream keeps
the series of deleted canaries until it restarts; `forget` removes them (sharp edge T4).
"""

from collections.abc import Iterable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
    generate_latest,
)

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Phase
from flagger_controller.rollout.thresholds import REQUEST_DURATION

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_OUTCOME_LABELS: Final = ("name", "namespace", "deployment_strategy", "analysis_status")
_STATUS: Final = {Phase.PROGRESSING: 0, Phase.FAILED: 2}
_SETTLED: Final = 1


class _Registry(CollectorRegistry):
    """Without the `_created` series, which upstream lacks and nobody queries.

    The library can only switch them off for the whole process.
    """

    def collect(self) -> Iterable[Metric]:
        for family in super().collect():
            family.samples = [each for each in family.samples if not each.name.endswith("_created")]
            yield family


class Recorder:
    """Sets the series; the label `name` is the target's name, as upstream has it (T6)."""

    def __init__(self, version: str, mesh_provider: str) -> None:
        """Make the registry.

        Args:
            version: without a leading `v`.
            mesh_provider: value of the flag of that name.
        """
        self.registry: CollectorRegistry = _Registry()
        ProcessCollector(registry=self.registry)
        self._info = self._gauge(
            "info", "Flagger version and mesh provider information", "version", "mesh_provider"
        )
        self._info.labels(version, mesh_provider).set(1)
        self._total = self._gauge("canary_total", "Total number of canary object", "namespace")
        self._status = self._gauge(
            "canary_status", "Last canary analysis result", "name", "namespace"
        )
        self._weight = self._gauge(
            "canary_weight",
            "The virtual service destination weight current value",
            "workload",
            "namespace",
        )
        self._analysis = self._gauge(
            "canary_metric_analysis",
            "Last canary analysis result per metric",
            "name",
            "namespace",
            "metric",
        )
        self._duration = Histogram(
            "flagger_canary_duration_seconds",
            "Seconds spent performing canary analysis.",
            ("name", "namespace"),
            registry=self.registry,
            buckets=_BUCKETS,
        )
        self._counters()
        self._own_series()

    def _counters(self) -> None:
        self._successes = self._counter(
            "canary_successes", "Total number of canary successes", *_OUTCOME_LABELS
        )
        self._failures = self._counter(
            "canary_failures", "Total number of canary failures", *_OUTCOME_LABELS
        )

    def _own_series(self) -> None:
        """Series that upstream does not have (sharp edges T16, T19, A21)."""
        self._leader = self._gauge("leader", "Whether this replica holds the Lease")
        self._leader.set(0)
        self._hooks = self._counter(
            "webhook_requests", "Calls of webhooks by type and outcome", "type", "outcome"
        )
        self._alerts = self._counter(
            "alert_requests", "Alerts by provider type and outcome", "provider", "outcome"
        )

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"flagger_{name}", text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"flagger_{name}", text, labels, registry=self.registry)

    def set_total(self, namespace: str, count: int) -> None:
        """How many canaries a namespace has; zero when the last one is gone."""
        self._total.labels(namespace).set(count)

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
        self._analysis.labels(canary.target, canary.namespace, metric).set(value)

    def observe_duration(self, canary: Canary, seconds: float) -> None:
        """How long an analysis tick took, checks and hooks included."""
        self._duration.labels(canary.target, canary.namespace).observe(seconds)

    def inc_success(self, canary: Canary, *, skipped: bool = False) -> None:
        """A promotion; `skipped`: without analysis."""
        self._count(self._successes, canary, "skipped" if skipped else "completed")

    def inc_failure(self, canary: Canary) -> None:
        """A failed run; always `completed`, as upstream has it (T14)."""
        self._count(self._failures, canary, "completed")

    def _count(self, counter: Counter, canary: Canary, status: str) -> None:
        counter.labels(canary.target, canary.namespace, canary.strategy.value, status).inc()

    def set_leader(self, leading: bool) -> None:
        """Whether this replica holds the Lease."""
        self._leader.set(leading)

    def count_hook(self, kind: str, *, ok: bool) -> None:
        """A hook was called; `ok`: it passed."""
        self._hooks.labels(kind, "passed" if ok else "failed").inc()

    def count_alert(self, provider: str, *, ok: bool) -> None:
        """An alert was sent, or given up after its retries."""
        self._alerts.labels(provider, "sent" if ok else "failed").inc()

    def forget(self, canary: Canary) -> None:
        """Remove every series of a deleted canary, its counters included."""
        target = {"name": canary.target, "namespace": canary.namespace}
        for family in (self._status, self._analysis, self._duration, self._successes):
            family.remove_by_labels(target)
        self._failures.remove_by_labels(target)
        for workload in (canary.target, canary.primary):
            self._weight.remove(workload, canary.namespace)

    def render(self) -> bytes:
        """Everything in the text format, for `/metrics` (content type: `CONTENT_TYPE`)."""
        return generate_latest(self.registry)
