"""Tells at a Canary who changed its gates: Kubernetes Events (spec gatekeeper B.5).

Best effort, beside the answer: one thread writes what a bounded queue holds. What cannot be written
is logged, counted and not tried again: the history has all of it.
"""

import contextlib
import datetime
import functools
import json
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, Final

import prometheus_client

from . import audit, gates, pending

logger = logging.getLogger(__name__)

Object = dict[str, Any]
Send = Callable[[str, str, float, Object | None], tuple[int, bytes]]
"""Sends method, path and body within some seconds; returns status and content."""

MOST_WAITING: Final = 100
"""Events in the queue; more than that are dropped."""

REASONS: Final = {
    audit.Action.OPEN: "GateOpened",
    audit.Action.APPROVE: "GateApproved",
    audit.Action.CLOSE: "GateClosed",
    audit.Action.DELETE: "GateClosed",
    audit.Action.RESET: "GateClosed",
}
"""What is told, and the reason of its Event. What checks do is not."""

_COMPONENT: Final = "flagger-gatekeeper"
_SECONDS: Final = 3.0
_WORDS: Final = {"GateOpened": "opened", "GateApproved": "approved", "GateClosed": "closed"}


class Recorder:
    """Writes Events in a thread of its own."""

    def __init__(
        self,
        send: Send,
        registry: prometheus_client.CollectorRegistry,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """Write with `send`, which may raise `GateError`; keep `most_waiting` Events at most."""
        self._send = send
        self._queue: queue.Queue[tuple[gates.GateKey, audit.Entry] | None]
        self._queue = queue.Queue(most_waiting)
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._results = prometheus_client.Counter(
            "flagger_gate_events",
            "Kubernetes Events by result: written, absent (no such Canary), failed or dropped",
            ["result"],
            registry=registry,
        )

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is waiting and end; what takes too long ends with the process."""
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=_SECONDS)
        self._thread.join(_SECONDS)

    def tell(self, key: gates.GateKey, entry: audit.Entry) -> None:
        """Have an Event written about a change, soon."""
        if entry.action not in REASONS:
            return
        try:
            self._queue.put_nowait((key, entry))
        except queue.Full:
            self._count(key, "dropped", "too many are waiting")

    def _run(self) -> None:
        while (told := self._queue.get()) is not None:
            key, entry = told
            try:
                problem = self._write(key, entry)
            except (gates.GateError, ValueError) as error:
                self._count(key, "failed", str(error))
            else:
                self._count(key, "absent" if problem else "written", problem)

    def _write(self, key: gates.GateKey, entry: audit.Entry) -> str:
        """Write one Event; say why there is nothing that it could be about."""
        if not pending.can_exist(key):
            return "no Canary can be called so"
        path = f"/apis/flagger.app/v1beta1/namespaces/{key.namespace}/canaries/{key.canary}"
        status, content = self._send("GET", path, _SECONDS, None)
        if status == 404:
            return "there is no such Canary"
        canary = _expected(status, content, "GET", path)
        path = f"/api/v1/namespaces/{key.namespace}/events"
        status, content = self._send("POST", path, _SECONDS, document(canary, key, entry))
        _expected(status, content, "POST", path)
        return ""

    def _count(self, key: gates.GateKey, result: str, problem: str) -> None:
        self._results.labels(result).inc()
        if problem:
            extra = {"canary": f"{key.canary}.{key.namespace}"}
            logger.warning("no Event: %s", problem, extra=extra)


def recorder(kubeconfig: str, registry: prometheus_client.CollectorRegistry) -> Recorder:
    """Return a recorder for an API server. The client is imported here: it costs 40 MB.

    Raises:
        StoreUnavailableError: no login for the Kubernetes API.
    """
    from .store import kubernetes

    client = kubernetes.login(kubeconfig)
    return Recorder(functools.partial(kubernetes.exchange, client), registry)


def document(canary: Object, key: gates.GateKey, entry: audit.Entry) -> Object:
    """Return the Event about a change of a gate."""
    at = entry.at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = canary["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{key.canary}.", "namespace": key.namespace},
        "involvedObject": {
            "apiVersion": canary["apiVersion"],
            "kind": canary["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
        "type": "Normal",
        "reason": REASONS[entry.action],
        "message": message(key, entry),
        "source": {"component": _COMPONENT},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }


def message(key: gates.GateKey, entry: audit.Entry) -> str:
    """Say what happened, in a line."""
    by = f" by {entry.by.actor}" if entry.by.actor else ""
    why = f": {entry.reason}" if entry.reason else ""
    return audit.clip(f"Gate {key.gate} {_WORDS[REASONS[entry.action]]}{by}{why}")


def _expected(status: int, content: bytes, method: str, path: str) -> Object:
    if status not in (200, 201):
        text = content[:300].decode(errors="replace")
        raise gates.GateError(f"{method} {path}: {status} {text}")
    found: Object = json.loads(content)
    return found
