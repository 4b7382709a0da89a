"""The seam between gates and where they are kept."""

import dataclasses
import datetime
import logging
from collections.abc import Iterable
from typing import Final, Protocol, TypeVar

from .. import audit, changes, gates

logger = logging.getLogger(__name__)

T = TypeVar("T")

RETENTION: Final = datetime.timedelta(days=90)
"""How long the history is kept unless the settings say something else."""


class StoreUnavailableError(gates.GateError):
    """The store did not answer, refused, or could not be brought to accept a change in time.

    After a failed `update` the change may or may not have happened (an answer can get lost on its
    way): it was not acknowledged, and repeating it is always safe.
    """


@dataclasses.dataclass(frozen=True, slots=True)
class Listed:
    """One gate in a list."""

    key: gates.GateKey
    record: gates.GateRecord | None
    """None: there is a record, and it cannot be read."""


@dataclasses.dataclass(frozen=True, slots=True)
class Scope:
    """Which gates a list is about; None: all of them."""

    namespace: str | None = None
    canary: str | None = None
    gate: str | None = None

    @classmethod
    def of(cls, key: gates.GateKey) -> "Scope":
        """Return the scope of one gate."""
        return cls(key.namespace, key.canary, key.gate)

    def covers(self, key: gates.GateKey) -> bool:
        """Say whether a gate belongs to the list."""
        same_canary = self.namespace in (None, key.namespace) and self.canary in (None, key.canary)
        return same_canary and self.gate in (None, key.gate)


class GateStore(Protocol):
    """Durable gate records, shared by every thread and every replica.

    Every method may raise `StoreUnavailableError` and `gates.CorruptRecordError`, nothing else but
    what a transition raises. Methods are called from many threads at once and give up after a few
    seconds (controllers wait 10 seconds for a check by default).
    """

    def read(self, key: gates.GateKey) -> gates.GateRecord | None:
        """Return the record, None if there is none.

        Sees every change acknowledged before the call, on whichever replica (no cache).
        """

    def update(
        self, key: gates.GateKey, transition: changes.Transition[T], *, repair: bool = False
    ) -> T:
        """Apply a transition atomically; when this returns, its change is durable.

        The record and the entries of its history are written together or not at all.

        Args:
            key: of the gate.
            transition: computes the change; what it raises reaches the caller, nothing is written.
            repair: hand a record that cannot be read to the transition as None, which overwrites
                it: otherwise nobody could ever open or close that gate again.

        Raises:
            CorruptRecordError: the record cannot be read, and `repair` is False.
        """

    def find(self, scope: Scope) -> list[Listed]:
        """Return the gates of a scope, sorted by namespace, canary and gate."""

    def history(
        self, scope: Scope, since: datetime.datetime | None, newest: int | None = None
    ) -> list[audit.Logged]:
        """Return the history of a scope, oldest first.

        Args:
            scope: which gates.
            since: leave out what is older; None: nothing.
            newest: return so many entries at most, from 1, the newest; None: all.
        """

    def prune(self, now: datetime.datetime) -> None:
        """Drop what is not needed any more, the history beyond the retention for example."""

    def ping(self) -> None:
        """Raise `StoreUnavailableError` unless the store answers; for readiness."""

    def close(self) -> None:
        """Give back connections and files."""


def in_order(key: gates.GateKey) -> tuple[str, str, str]:
    """Sort gates so that those of a namespace and of a canary are together."""
    return key.namespace, key.canary, key.gate


def readable(rows: Iterable[tuple[str, str, str]]) -> list[audit.Logged]:
    """Return the entries of (namespace, canary, line); one that cannot be read is only logged."""
    found = []
    for namespace, canary, line in rows:
        try:
            found.append(audit.decode(namespace, canary, line))
        except gates.CorruptRecordError as error:
            logger.warning("%s", error, extra={"canary": f"{canary}.{namespace}"})
    return found
