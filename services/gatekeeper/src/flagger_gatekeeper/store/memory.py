"""Gates in process memory: for tests and for trying things out; a restart forgets everything."""

import datetime
import threading
from typing import TypeVar

from .. import audit, changes, gates
from . import base

T = TypeVar("T")


class MemoryStore:
    """A dictionary and a list behind a lock. For one process only."""

    def __init__(self, retention: datetime.timedelta = base.RETENTION) -> None:
        """Keep the history for `retention`."""
        self._retention = retention
        self._lock = threading.Lock()
        self._records: dict[gates.GateKey, gates.GateRecord] = {}
        self._history: list[audit.Logged] = []

    def read(self, key: gates.GateKey) -> gates.GateRecord | None:
        """Return the record, None if there is none."""
        with self._lock:
            return self._records.get(key)

    def update(
        self, key: gates.GateKey, transition: changes.Transition[T], *, repair: bool = False
    ) -> T:
        """Apply a transition atomically."""
        del repair  # objects do not get damaged
        with self._lock:
            outcome = transition(self._records.get(key))
            if (change := outcome.change) is not None:
                self._records.pop(key, None)
                if change.record is not None:
                    self._records[key] = change.record
                self._history += [audit.Logged(key, entry) for entry in change.entries]
            return outcome.result

    def find(self, scope: base.Scope) -> list[base.Listed]:
        """Return the gates of a scope."""
        with self._lock:
            keys = sorted(filter(scope.covers, self._records), key=base.in_order)
            return [base.Listed(key, self._records[key]) for key in keys]

    def history(
        self, scope: base.Scope, since: datetime.datetime | None, newest: int | None = None
    ) -> list[audit.Logged]:
        """Return the history of a scope, oldest first."""
        with self._lock:
            logged = [one for one in self._history if scope.covers(one.key)]
        young = [one for one in logged if since is None or one.entry.at >= since]
        return young if newest is None else young[-newest:]

    def prune(self, now: datetime.datetime) -> None:
        """Drop the history beyond the retention."""
        with self._lock:
            oldest = now - self._retention
            self._history = [one for one in self._history if one.entry.at >= oldest]

    def ping(self) -> None:
        """Do nothing: memory always answers."""

    def close(self) -> None:
        """Do nothing: memory needs no giving back."""
