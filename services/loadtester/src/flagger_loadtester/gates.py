"""Manual gates in memory, for URLs that still point at the load tester (gatekeeper.md section A).

They vanish with the process and are not shared by replicas: the gatekeeper is the durable service.
"""

import enum
import threading


class Kind(enum.StrEnum):
    """Which gate of a canary; the value is the path segment."""

    GATE = "gate"
    ROLLBACK = "rollback"


class Gates:
    """The open gates; every other gate is closed.

    Keys are tuples: upstream's joined names let the canary ``rollback.x`` open the rollback gate of
    ``x`` (gatekeeper.md section C.1). Checks store nothing, so strangers cannot fill the memory.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[tuple[Kind, str, str]] = set()

    def is_open(self, kind: Kind, name: str, namespace: str) -> bool:
        """Say whether the gate of this canary is open."""
        with self._lock:
            return (kind, name, namespace) in self._open

    def open(self, kind: Kind, name: str, namespace: str) -> None:
        """Open the gate; opening an open gate changes nothing."""
        with self._lock:
            self._open.add((kind, name, namespace))

    def close(self, kind: Kind, name: str, namespace: str) -> None:
        """Close the gate; closing a closed gate changes nothing."""
        with self._lock:
            self._open.discard((kind, name, namespace))
