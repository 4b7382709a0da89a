"""The series about tasks; series about requests come from `flagger_common.flaskkit`."""

from typing import Final

import prometheus_client as prometheus
from prometheus_client.metrics import MetricWrapperBase

_PREFIX: Final = "flagger_loadtester"
_BUCKETS: Final = (0.1, 1, 10, 60, 300, 900, 3600)


class Metrics:
    """The task series of one runner (loadtester.md section 8.2.10)."""

    def __init__(self) -> None:
        self.tasks = prometheus.Counter(
            f"{_PREFIX}_tasks_total", "Ended tasks", ["type", "result"], registry=None
        )
        self.running = prometheus.Gauge(
            f"{_PREFIX}_tasks_running", "Tasks running now", ["type"], registry=None
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

    def collectors(self) -> tuple[MetricWrapperBase, ...]:
        """Return what has to be registered; the application owns the registry."""
        return (self.tasks, self.running, self.seconds, self.rejected, self.skipped)
