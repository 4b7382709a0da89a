"""Series about each gate, read from the store when somebody scrapes (spec gatekeeper B.7)."""

import datetime
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Final

import prometheus_client
from prometheus_client import registry
from prometheus_client.core import GaugeMetricFamily

from . import gates, pending
from .store import base

FRESH_SECONDS: Final = 5.0
"""For so long what was read is told again: everybody who reaches the port can scrape."""

_LABELS: Final = ("namespace", "canary", "gate")


class Gates(registry.Collector):
    """Tells which gates are open, and how long somebody has been waiting.

    Each replica tells it of all gates. A store that is away leaves the series out.
    """

    def __init__(self, store: base.GateStore, errors: prometheus_client.Counter) -> None:
        """Read `store`; `errors` counts what it does not answer."""
        self._store = store
        self._errors = errors
        self._lock = threading.Lock()
        self._known: list[base.Listed] = []
        self._read_at: float | None = None

    def describe(self) -> Iterable[prometheus_client.Metric]:
        """Return nothing: to be registered the store need not answer."""
        return ()

    def collect(self) -> Iterator[prometheus_client.Metric]:
        """Yield the series."""
        try:
            found = self._read()
        except gates.GateError:
            self._errors.inc()
            return
        now = datetime.datetime.now(datetime.UTC)
        state = GaugeMetricFamily("flagger_gate_state", "Is the gate open (1)?", labels=_LABELS)
        waits = GaugeMetricFamily(
            "flagger_gate_pending_seconds",
            "Since when a rollout has been waiting in front of the gate",
            labels=_LABELS,
        )
        for key, record in ((one.key, one.record) for one in found if one.record is not None):
            labels = (key.namespace, key.canary, key.gate)
            state.add_metric(labels, float(gates.is_open(record, now)))
            if record.pending is not None and pending.is_waiting(record.pending, now):
                waits.add_metric(labels, (now - record.pending.first_seen).total_seconds())
        yield state
        yield waits

    def _read(self) -> list[base.Listed]:
        with self._lock:
            now = time.monotonic()
            if self._read_at is None or now - self._read_at >= FRESH_SECONDS:
                self._known = self._store.find(base.Scope())
                self._read_at = now
            return self._known
