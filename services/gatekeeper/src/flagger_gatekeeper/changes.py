"""How people and pipelines change gates: pure transitions from a record to a change.

A store applies a transition atomically, and calls it again with a fresh record when another writer
was faster. A transition therefore does nothing but compute.
"""

import dataclasses
import datetime
from collections.abc import Callable
from typing import Generic, TypeVar

from . import audit, gates

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What a store writes, all or nothing."""

    record: gates.GateRecord | None
    """The record afterwards; None: there is none."""
    entries: tuple[audit.Entry, ...] = ()
    """What is added to the history."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome(Generic[T_co]):
    """The answer of a transition."""

    result: T_co
    """What the caller of the store gets."""
    change: Change | None = None
    """What has to be written first; None: nothing."""


Transition = Callable[[gates.GateRecord | None], Outcome[T]]
"""From what is stored (None: nothing yet) to the answer and what has to be written for it."""


class PreconditionError(Exception):
    """The record is not the one that the caller has seen; nothing was changed."""


Precondition = Callable[[gates.GateRecord | None], bool]


def anything(record: gates.GateRecord | None) -> bool:
    """Accept every record."""
    del record
    return True


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """How a gate shall be from now on."""

    state: gates.State
    mode: gates.Mode = gates.Mode.STICKY
    remaining: int = 0
    """Passing checks in mode `count`, from 1."""
    expires_at: datetime.datetime | None = None
    checksum: str = ""
    reason: str = ""
    auto_reset: bool | None = None
    """None: as it was."""
    terms: str = ""
    """What people agree on who open a gate together: everything above but reason and times."""


@dataclasses.dataclass(frozen=True, slots=True)
class Quorum:
    """How many people have to open a gate."""

    required: int = 1
    within: datetime.timedelta = datetime.timedelta()
    """How long an approval waits for the others."""


def setting(
    wish: Wish, by: audit.By, now: datetime.datetime, precondition: Precondition = anything
) -> Transition[gates.GateRecord]:
    """Return the transition that makes a gate what somebody wishes.

    It writes even when the gate is like that already. An "open" whose answer timed out may still be
    under way to the API server; the version written by a later "close" is what makes it fail, so a
    "close" that wrote nothing could be undone after it was acknowledged. Only the same request
    writes nothing more: then the answer of its own write got lost.

    Raises:
        PreconditionError: from the transition, when the precondition refuses the record.
    """

    def transition(record: gates.GateRecord | None) -> Outcome[gates.GateRecord]:
        if record is not None and record.request == by.request:
            return Outcome(record)
        if not precondition(record):
            raise PreconditionError
        wished = _wished(wish, by, now, record)
        action = audit.Action.OPEN if wish.state is gates.State.OPEN else audit.Action.CLOSE
        return Outcome(wished, Change(wished, (entry(action, by, now, record, wished),)))

    return transition


def opening(
    wish: Wish,
    by: audit.By,
    now: datetime.datetime,
    quorum: Quorum,
    precondition: Precondition = anything,
) -> Transition[gates.GateRecord]:
    """Return the transition of one person who wants a gate open.

    Where several have to, it stays as it is until enough of them have said the same; closing it
    takes back what was said. A person counts once, and has to have a name.

    Raises:
        PreconditionError: from the transition, when the precondition refuses the record.
    """
    if quorum.required <= 1:
        return setting(wish, by, now, precondition)

    def transition(record: gates.GateRecord | None) -> Outcome[gates.GateRecord]:
        if record is not None and record.request == by.request:
            return Outcome(record)
        if not precondition(record):
            raise PreconditionError
        given = _agreeing(record, wish, by, now, quorum)
        if len(given) >= quorum.required:
            return setting(wish, by, now, precondition)(record)
        asked = record or gates.GateRecord(gates.State.CLOSED, now, now, version=0)
        approved = dataclasses.replace(
            asked, version=asked.version + 1, request=by.request, approvals=given
        )
        said = entry(audit.Action.APPROVE, by, now, record, approved)
        said = dataclasses.replace(said, reason=audit.clip(wish.reason), mode=wish.mode.value)
        return Outcome(approved, Change(approved, (said,)))

    return transition


def _agreeing(
    record: gates.GateRecord | None,
    wish: Wish,
    by: audit.By,
    now: datetime.datetime,
    quorum: Quorum,
) -> tuple[gates.Approval, ...]:
    """Return all that say the same, this one last."""
    before = () if record is None else record.approvals
    actor = audit.clip(by.actor)
    others = (
        one
        for one in before
        if one.terms == wish.terms and one.actor != actor and now - one.at < quorum.within
    )
    return (*others, gates.Approval(actor, now, wish.terms))


def forgetting(
    by: audit.By, now: datetime.datetime, reason: str = "", precondition: Precondition = anything
) -> Transition[None]:
    """Return the transition that removes a record; its history stays.

    It writes an entry even if there is nothing to remove, for the reason told at `setting`.
    """

    def transition(record: gates.GateRecord | None) -> Outcome[None]:
        if not precondition(record):
            raise PreconditionError
        gone = dataclasses.replace(
            entry(audit.Action.DELETE, by, now, record, None), reason=audit.clip(reason)
        )
        return Outcome(None, Change(None, (gone,)))

    return transition


def entry(
    action: audit.Action,
    by: audit.By,
    now: datetime.datetime,
    before: gates.GateRecord | None,
    after: gates.GateRecord | None,
) -> audit.Entry:
    """Return the entry about a step from one record to another."""
    written = audit.Entry(at=now, action=action, by=by)
    if before is not None and before.version:
        written = dataclasses.replace(written, before=before.state.value)
    if after is None:
        return written
    return dataclasses.replace(
        written,
        after=after.state.value,
        mode=after.mode.value,
        reason=after.reason,
        checksum=after.checksum,
        expires_at=after.expires_at,
    )


def _wished(
    wish: Wish, by: audit.By, now: datetime.datetime, before: gates.GateRecord | None
) -> gates.GateRecord:
    """Return the new record: nothing but age, version, counter and `auto_reset` is inherited."""
    record = gates.GateRecord(
        state=wish.state,
        created_at=now,
        updated_at=now,
        mode=wish.mode,
        remaining=wish.remaining,
        expires_at=wish.expires_at,
        checksum=audit.clip(wish.checksum),
        reason=audit.clip(wish.reason),
        actor=audit.clip(by.actor),
        auto_reset=bool(wish.auto_reset),
        request=by.request,
    )
    if before is None:
        return record
    if record.state is gates.State.CLOSED:
        record = dataclasses.replace(record, pending=before.pending)
    if not before.version:
        return record
    inherited = before.auto_reset if wish.auto_reset is None else wish.auto_reset
    return dataclasses.replace(
        record,
        created_at=before.created_at,
        version=before.version + 1,
        auto_reset=inherited,
        pass_count=before.pass_count,
    )
