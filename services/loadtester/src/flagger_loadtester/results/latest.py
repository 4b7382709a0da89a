"""The latest figures of each canary as series; canaries that were not heard of for long go."""

import dataclasses
import threading
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from .base import LoadResult

MOST_CANARIES: Final = 500
"""Senders choose the names, so there has to be a limit."""
_LABELS: Final = ("namespace", "canary", "type")


@dataclasses.dataclass(frozen=True)
class _Latest:
    result: LoadResult
    timestamp: float


class LatestResults(Collector):
    """The gauges of the last result by canary and program."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._lock = threading.Lock()
        self._canaries: dict[tuple[str, str], dict[str, _Latest]] = {}  # latest at the end

    def update(
        self, canary: tuple[str, str], program: str, result: LoadResult, timestamp: float
    ) -> None:
        """Replace the figures of a canary and program.

        Args:
            canary: namespace and name.
            program: say ``hey``.
            result: what it measured.
            timestamp: Unix seconds.
        """
        with self._lock:
            programs = self._canaries.pop(canary, {})
            self._canaries[canary] = {**programs, program: _Latest(result, timestamp)}
            if len(self._canaries) > MOST_CANARIES:
                del self._canaries[next(iter(self._canaries))]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the families; called for every scrape."""
        rate = self._family("requests_per_second", "Requests per second of the last load test")
        requests = self._family("requests", "Requests of the last load test")
        failures = self._family("failures", "Failed requests of the last load test")
        latency = self._family(
            "latency_seconds", "Latency of the last load test", (*_LABELS, "percentile")
        )
        timestamp = self._family("timestamp_seconds", "Unix time of the last load test")
        with self._lock:
            canaries = list(self._canaries.items())
        for canary, programs in canaries:
            for program, latest in programs.items():
                labels = (*canary, program)
                rate.add_metric(labels, latest.result.rate)
                requests.add_metric(labels, latest.result.requests)
                failures.add_metric(labels, latest.result.failures)
                for percentile, seconds in latest.result.percentiles.items():
                    latency.add_metric((*labels, percentile), seconds)
                timestamp.add_metric(labels, latest.timestamp)
        yield from (rate, requests, failures, latency, timestamp)

    def _family(self, name: str, text: str, labels: tuple[str, ...] = _LABELS) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"{self._prefix}_result_{name}", text, labels=labels)
