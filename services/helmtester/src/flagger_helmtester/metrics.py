"""What the service counts (spec helmtester B.9)."""

import threading
from typing import Final

import prometheus_client

from .outcome import Report

_NAMESPACES: Final = 100
"""Most namespaces told apart; callers choose them, and each costs memory for good."""
_OTHER: Final = "other"
_BUCKETS: Final = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600)


class Counters:
    """The metrics of one application."""

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        """Register them.

        Args:
            registry: of the application.
        """
        self._lock = threading.Lock()
        self._namespaces: set[str] = set()
        self._tests = prometheus_client.Counter(
            "flagger_helmtester_tests",
            "Finished tests by namespace and result",
            ["namespace", "result"],
            registry=registry,
        )
        self._seconds = prometheus_client.Histogram(
            "flagger_helmtester_test_duration_seconds",
            "How long tests took, without the wait for their turn",
            registry=registry,
            buckets=_BUCKETS,
        )
        self.joined = prometheus_client.Counter(
            "flagger_helmtester_joined",
            "Requests answered with the result of a test that was running or had just ended",
            registry=registry,
        )
        self.refused = prometheus_client.Counter(
            "flagger_helmtester_refused",
            "Requests that ran nothing, by reason: policy, namespace, overloaded, undeclared (the "
            "Canary lists no such task) or unverified (the Canary cannot be read)",
            ["reason"],
            registry=registry,
        )
        self.running = prometheus_client.Gauge(
            "flagger_helmtester_running", "Tests running now", registry=registry
        )
        self.queue_depth = prometheus_client.Gauge(
            "flagger_helmtester_queue_depth",
            "Requests waiting for their turn or for the result of another one now",
            registry=registry,
        )

    def finished(self, namespace: str, report: Report) -> None:
        """Count a test that has run."""
        self._tests.labels(self._bounded(namespace), report.result).inc()
        self._seconds.observe(report.seconds)

    def _bounded(self, namespace: str) -> str:
        with self._lock:
            if namespace not in self._namespaces and len(self._namespaces) >= _NAMESPACES:
                return _OTHER
            self._namespaces.add(namespace)
        return namespace
