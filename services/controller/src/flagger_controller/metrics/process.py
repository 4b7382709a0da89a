"""Our own series of the process: is it on time, and what does it wait for (sharp edge T19)?"""

from collections.abc import Callable
from typing import Final

from flagger_controller.metrics.series import Series

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class ProcessSeries:
    """Sets the series."""

    def __init__(self, series: Series) -> None:
        self._leader = series.gauge("leader", "Whether this replica holds the Lease")
        self._leader.set(0)
        self._lag = series.histogram(
            "tick_lag_seconds", "Seconds between the due time of a tick and its start", _SECONDS
        )
        self._duration = series.histogram(
            "tick_duration_seconds", "Seconds that a tick of a canary took", _SECONDS
        )
        self._errors = series.counter("tick_errors", "Ticks that failed, by error", "error")
        self._errors.labels("unexpected")  # so that the first one is an increase
        self._checks = series.histogram(
            "check_duration_seconds",
            "Seconds until a hook or a metric source answered, by kind",
            _SECONDS,
            "kind",
        )
        self._requests = series.counter(
            "api_requests",
            "Requests to the Kubernetes API by verb, resource and status code",
            *("verb", "resource", "code"),
        )
        self._depth = series.gauge(
            "queue_depth", "What waits: ticks that are due, and messages to be sent", "queue"
        )
        self._queues: dict[str, Callable[[], int]] = {}

    def lead(self) -> None:
        """This replica holds the Lease, or acts because there is none."""
        self._leader.set(1)

    def began(self, lag: float) -> None:
        """A tick began so many seconds after it was due."""
        self._lag.observe(lag)

    def ended(self, seconds: float, error: str) -> None:
        """A tick took so long; `error`: why it failed, empty when it did not."""
        self._duration.observe(seconds)
        if error:
            self._errors.labels(error).inc()

    def checked(self, kind: str, seconds: float) -> None:
        """A check was answered after so many seconds."""
        self._checks.labels(kind).observe(seconds)

    def asked(self, verb: str, resource: str, code: str) -> None:
        """The API server answered, or did not: then the code is a word that says why."""
        self._requests.labels(verb, resource, code).inc()

    def watch_queue(self, queue: str, depth: Callable[[], int]) -> None:
        """Show how much waits, whenever `measure` is called."""
        self._queues[queue] = depth

    def measure(self) -> None:
        """Look how much waits; in the thread of the event loop, whose queues these are."""
        for queue, depth in self._queues.items():
            self._depth.labels(queue).set(depth())
