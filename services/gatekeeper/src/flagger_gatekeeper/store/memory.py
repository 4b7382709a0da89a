"""Gates in process memory: for tests and for trying things out; a restart forgets everything."""

import threading

from .. import gates


class MemoryStore:
    """A dictionary behind a lock. For one process only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[gates.GateKey, gates.GateRecord] = {}

    def read(self, key: gates.GateKey) -> gates.GateRecord | None:
        """Return the record, None if there is none."""
        with self._lock:
            return self._records.get(key)

    def update(self, key: gates.GateKey, transition: gates.Transition) -> None:
        """Apply a transition atomically."""
        with self._lock:
            changed = transition(self._records.get(key))
            if changed is not None:
                self._records[key] = changed

    def ping(self) -> None:
        """Do nothing: memory always answers."""

    def close(self) -> None:
        """Do nothing: memory needs no giving back."""
