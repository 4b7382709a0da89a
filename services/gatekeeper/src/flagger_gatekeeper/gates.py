"""What a gate is: plain values, no Flask, no store, no clock.

Not here: what a check answers (`checks`), how people change gates (`changes`), where records are
kept (`store`) and what travels over HTTP (`views`, `api`).
"""

import dataclasses
import datetime
import enum
import re
from typing import Final

DEFAULT: Final = "default"
"""The gate behind `/gate/*` (spec gatekeeper B.2)."""

ROLLBACK: Final = "rollback"
"""The gate behind `/rollback/*` (spec gatekeeper B.2)."""

NEXT: Final = "next"
"""Instead of a checksum: bind to the first one that asks. No checksum can be this word, theirs have
no "e"."""

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class GateError(Exception):
    """Base of everything that keeps a gate from being read or changed."""


class CorruptRecordError(GateError):
    """A stored record does not say clearly whether its gate is open.

    The caller must treat the gate as neither open nor closed: guessing would either fail open or
    hide that an acknowledged "open" was lost.
    """


class State(enum.StrEnum):
    """What somebody decided about the gate."""

    OPEN = "open"
    CLOSED = "closed"


class Mode(enum.StrEnum):
    """How long an opened gate stays open (spec gatekeeper B.2)."""

    STICKY = "sticky"
    """Until somebody closes it; upstream's only mode."""
    ONCE = "once"
    """For one approval; the check that takes it closes the gate."""
    UNTIL = "until"
    """Until `expires_at`. The other modes may expire too, this one has to."""
    COUNT = "count"
    """For as many passing checks as `remaining` says."""


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
    """Which of the canary's gates: `DEFAULT`, `ROLLBACK` or a name of the user's own."""

    def __str__(self) -> str:
        """Return upstream's joined key, for log messages only (spec gatekeeper A.3)."""
        prefix = "rollback." if self.gate == ROLLBACK else ""
        return f"{prefix}{self.canary}.{self.namespace}"


@dataclasses.dataclass(frozen=True, slots=True)
class Spent:
    """The approval that was taken last in the modes `once` and `count`.

    The same question may come again: Blue/Green asks twice, and a controller whose answer got lost
    retries. Another question has to wait for another approval.
    """

    at: datetime.datetime
    """When it was given; UTC."""
    stage: str
    """Part of the rollout it was given in, see `checks.stage`."""
    checksum: str
    """Of the payload; without one, nothing but the same request is the same question."""
    request: str
    """Id of the request that took it: a store whose answer got lost asks the transition again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Approval:
    """What one person has said about opening a gate that several have to open."""

    actor: str
    at: datetime.datetime
    """When; UTC."""
    terms: str
    """How they want it opened: approvals of different things do not add up."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pending:
    """A rollout that waits in front of the gate."""

    phase: str
    """Of the last check that was written."""
    checksum: str
    """Of the last check that was written."""
    first_seen: datetime.datetime
    """Since when it waits; UTC."""
    last_seen: datetime.datetime
    """Last check that was written; UTC."""
    count: int
    """Checks that failed. Roughly: replicas do not know of what others have not written yet."""
    interval: float = 0.0
    """Seconds between two checks; 0: not known yet."""


@dataclasses.dataclass(frozen=True, slots=True)
class GateRecord:
    """What is known about a gate that was changed, or asked in vain, at least once."""

    state: State
    """What was decided last. An open gate may still refuse: see `expires_at` and `checksum`."""
    created_at: datetime.datetime
    """When the gate was first changed; UTC."""
    updated_at: datetime.datetime
    """When the state was last set, by a person or by a check; UTC."""
    version: int = 1
    """Counts the changes of this record, from 1; 0: only asked, never changed."""
    mode: Mode = Mode.STICKY
    """How long it stays open."""
    remaining: int = 0
    """Passing checks that are left in mode `count`."""
    expires_at: datetime.datetime | None = None
    """From when on an open gate refuses; UTC. None: never."""
    checksum: str = ""
    """The only payload checksum that passes, `NEXT`, or empty for all of them."""
    reason: str = ""
    """Why it was set, in the words of who did it."""
    actor: str = ""
    """Who set it; empty for a request without identity."""
    auto_reset: bool = False
    """Close it when a release ends, whatever the settings of the process say."""
    pass_count: int = 0
    """Approvals that were taken in the modes `once` and `count`; others write nothing."""
    request: str = ""
    """Id of the request that set the state last, so that no change is made twice."""
    spent: Spent | None = None
    """The last approval of the modes `once` and `count`; None after somebody has set the state."""

    approvals: tuple[Approval, ...] = ()
    """Given, but not yet enough of them; see `rules.Rule.approvals`."""
    pending: Pending | None = None
    """What waits here, or has waited; see `pending.is_waiting`."""

    @property
    def etag(self) -> str:
        """Name this state of the record; a gate that was forgotten never gets an old name again."""
        return f"{self.version}-{int(self.created_at.timestamp() * 1e6):x}"


def is_open(record: GateRecord | None, now: datetime.datetime) -> bool:
    """Say whether a record lets anything pass at all: only one that says so does."""
    return record is not None and record.state is State.OPEN and not is_expired(record, now)


def is_expired(record: GateRecord, now: datetime.datetime) -> bool:
    """Say whether the time of an opened gate is over."""
    return record.expires_at is not None and now >= record.expires_at


def is_name(text: str) -> bool:
    """Say whether a gate can be called so (spec gatekeeper B.2)."""
    return _NAME.fullmatch(text) is not None
