"""What a gate is and how it changes: pure values, no Flask, no store, no clock.

Not here: where records are kept (`store`) and what travels over HTTP (`views`).
"""

import dataclasses
import datetime
import enum
import json
from collections.abc import Callable
from typing import Final

DEFAULT: Final = "default"
"""The gate behind `/gate/*` (spec gatekeeper B.2)."""

ROLLBACK: Final = "rollback"
"""The gate behind `/rollback/*` (spec gatekeeper B.2)."""


class GateError(Exception):
    """Base of everything that keeps a gate from being read or changed."""


class CorruptRecordError(GateError):
    """A stored record does not say clearly whether its gate is open.

    The caller must treat the gate as neither open nor closed: guessing would either fail open or
    hide that an acknowledged "open" was lost.
    """


class State(enum.StrEnum):
    """Whether a check of the gate passes."""

    OPEN = "open"
    CLOSED = "closed"


@dataclasses.dataclass(frozen=True, slots=True)
class GateKey:
    """Identity of a gate.

    A tuple and never a joined string: upstream's joined keys make the start gate of a canary
    called `rollback.podinfo` the rollback gate of `podinfo` (spec gatekeeper C.1).
    """

    namespace: str
    """Namespace of the Canary as the payload says it; may be empty or no valid name at all."""
    canary: str
    """Name of the Canary as the payload says it; may be empty or no valid name at all."""
    gate: str = DEFAULT
    """Which of the canary's gates: `DEFAULT` or `ROLLBACK`."""

    def __str__(self) -> str:
        """Return upstream's joined key, for log messages only (spec gatekeeper A.3)."""
        prefix = "rollback." if self.gate == ROLLBACK else ""
        return f"{prefix}{self.canary}.{self.namespace}"


@dataclasses.dataclass(frozen=True, slots=True)
class GateRecord:
    """What is known about a gate that was changed at least once."""

    state: State
    """Whether the gate is open."""
    created_at: datetime.datetime
    """When the gate was first changed; UTC."""
    updated_at: datetime.datetime
    """When somebody last set the state; UTC."""
    version: int = 1
    """Counts how often the state was set, from 1."""


Transition = Callable[[GateRecord | None], GateRecord | None]
"""From what is stored (None: nothing yet) to what should be; None: leave it as it is.

Pure: a store calls it again with a fresh record when another writer was faster.
"""


def passes(record: GateRecord | None) -> bool:
    """Say whether a check passes: only a record that says "open" does (spec gatekeeper A.3)."""
    return record is not None and record.state is State.OPEN


def moving(state: State, now: datetime.datetime) -> Transition:
    """Return the transition that brings a gate into `state`.

    It writes even when the gate is in that state already. An "open" whose answer timed out may
    still be under way to the API server; the version written by a later "close" is what makes it
    fail, so a "close" that wrote nothing could be undone after it was acknowledged.

    Args:
        state: where the gate should be afterwards.
        now: time of the request, UTC.
    """

    def transition(record: GateRecord | None) -> GateRecord | None:
        if record is None:
            return GateRecord(state, now, now)
        return dataclasses.replace(record, state=state, updated_at=now, version=record.version + 1)

    return transition


def encode(record: GateRecord) -> str:
    """Write a record as one line of JSON that people can read in `kubectl get -o yaml`."""
    return json.dumps(
        {
            "state": record.state.value,
            "createdAt": record.created_at.isoformat(),
            "updatedAt": record.updated_at.isoformat(),
            "version": record.version,
        }
    )


def decode(text: str) -> GateRecord:
    """Read a record back.

    Raises:
        CorruptRecordError: the text is no record, or names a state this version does not know.
    """
    try:
        fields = json.loads(text)
        return GateRecord(
            state=State(fields["state"]),
            created_at=datetime.datetime.fromisoformat(fields["createdAt"]),
            updated_at=datetime.datetime.fromisoformat(fields["updatedAt"]),
            version=int(fields["version"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise CorruptRecordError(f"unreadable gate record: {text[:200]!r}") from error


def decode_or_none(text: str) -> GateRecord | None:
    """Read a record back for a transition, which replaces what cannot be read."""
    try:
        return decode(text)
    except CorruptRecordError:
        return None
