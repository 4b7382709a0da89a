"""The series about tasks; series about requests come from `flagger_common.flaskkit`."""

from typing import Final

import prometheus_client as prometheus
from prometheus_client.registry import Collector

from . import results
from .records import State
from .results.latest import LatestResults
from .run import Run

_PREFIX: Final = "flagger_loadtester"
_BUCKETS: Final = (0.1, 1, 10, 60, 300, 900, 3600)
_RESULTS: Final = {
    State.SUCCEEDED: "success",
    State.FAILED: "failure",
    State.CANCELLED: "cancelled",
    State.TIMEOUT: "timeout",
}
"""State of an ended task to the label ``result``."""


class Metrics:
    """The task series of one runner (loadtester.md section 8.2.10)."""

    def __init__(self) -> None:
        self.tasks = prometheus.Counter(
            f"{_PREFIX}_tasks_total", "Ended tasks", ["type", "result"], registry=None
        )
        self.running = prometheus.Gauge(
            f"{_PREFIX}_tasks_running", "Tasks running now", ["type"], registry=None
        )
        self.queue_depth = prometheus.Gauge(
            f"{_PREFIX}_queue_depth", "Background tasks waiting for a place", registry=None
        )
        self.seconds = prometheus.Histogram(
            f"{_PREFIX}_task_duration_seconds",
            "Duration of ended tasks",
            ["type"],
            buckets=_BUCKETS,
            registry=None,
        )
        self.rejected = prometheus.Counter(
            f"{_PREFIX}_tasks_rejected_total", "Tasks not accepted", ["reason"], registry=None
        )
        self.skipped = prometheus.Counter(
            f"{_PREFIX}_tasks_skipped_total", "Tasks already running", ["type"], registry=None
        )
        self.joined = prometheus.Counter(
            f"{_PREFIX}_tasks_joined_total",
            "Requests that shared the result of a running task",
            ["type"],
            registry=None,
        )
        self.results = LatestResults(_PREFIX)

    def ended(self, run: Run, *, broken: bool) -> None:
        """Count a task that has ended.

        Args:
            run: the task.
            broken: whether our code failed, and not the command.
        """
        record = run.record
        result = "error" if broken else _RESULTS[record.state]
        self.tasks.labels(record.type, result).inc()
        if record.started is not None:
            self.running.labels(record.type).dec()
            self.seconds.labels(record.type).observe(run.duration)
        if record.result is not None and record.ended is not None:
            program = results.program(run.order.work.label) or record.type
            canary = (record.namespace, record.canary)
            self.results.update(canary, program, record.result, record.ended)

    def collectors(self) -> tuple[Collector, ...]:
        """Return what has to be registered; the application owns the registry."""
        return (
            self.tasks,
            self.running,
            self.queue_depth,
            self.seconds,
            self.rejected,
            self.skipped,
            self.joined,
            self.results,
        )
