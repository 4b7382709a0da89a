"""The seam between gates and where they are kept."""

from typing import Protocol

from .. import gates


class StoreUnavailableError(gates.GateError):
    """The store did not answer, refused, or could not be brought to accept a change in time.

    After a failed `update` the change may or may not have happened (an answer can get lost on its
    way): it was not acknowledged, and repeating it is always safe.
    """


class GateStore(Protocol):
    """Durable gate records, shared by every thread and every replica.

    Every method may raise `StoreUnavailableError` and `gates.CorruptRecordError`, nothing else.
    Methods are called from many threads at once and give up after a few seconds (controllers wait
    10 seconds for a check by default).
    """

    def read(self, key: gates.GateKey) -> gates.GateRecord | None:
        """Return the record, None if there is none.

        Sees every change acknowledged before the call, on whichever replica (no cache).
        """

    def update(self, key: gates.GateKey, transition: gates.Transition) -> None:
        """Apply a transition atomically; when this returns, the result is durable.

        A stored record that cannot be read is handed to the transition as None and gets
        overwritten: otherwise nobody could ever open or close that gate again.
        """

    def ping(self) -> None:
        """Raise `StoreUnavailableError` unless the store answers; for readiness."""

    def close(self) -> None:
        """Give back connections and files."""
