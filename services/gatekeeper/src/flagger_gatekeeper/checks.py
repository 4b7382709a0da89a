"""What a check answers: pure, from the record, the question and the time (spec gatekeeper B.2)."""

import dataclasses
import datetime
from collections.abc import Callable
from typing import Final

from . import audit, changes, gates, pending, rules


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """One check."""

    by: audit.By
    """Who asks."""
    phase: str = ""
    """Phase of the Canary, clipped; empty from people who use curl."""
    checksum: str = ""
    """Identifies the revision; empty from people who use curl, and if it is too long to be kept."""
    waits: bool = False
    """Whether to remember that it was asked in vain."""
    unwritten: int = 0
    """How often it was asked in vain since that was written."""


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a check."""

    approved: bool
    reason: str
    """One of a few words, for logs and metrics."""


Outcome = changes.Outcome[Verdict]


def checking(
    question: Question,
    now: datetime.datetime,
    grace: datetime.timedelta,
    rule: rules.Rule = rules.FREE,
) -> changes.Transition[Verdict]:
    """Return the transition of a check. Most answers need no change.

    Args:
        question: what is asked.
        now: time of the check, UTC.
        grace: how long an approval of mode `once` is good for the same question again.
        rule: what the gate asks for beyond being open.
    """

    def transition(record: gates.GateRecord | None) -> Outcome:
        if record is None:
            return _denied("unknown", _waiting(record, question, now))
        if not gates.is_open(record, now):
            return _shut(record, question, now, grace)
        if not _fits(record, question):
            return _denied("checksum", _waiting(record, question, now))
        if not rule.is_time(now):
            return _denied("window", _waiting(record, question, now))
        return _MODES[record.mode](record, question, now)

    return transition


def _denied(reason: str, change: changes.Change | None = None) -> Outcome:
    return changes.Outcome(Verdict(approved=False, reason=reason), change)


def _approved(reason: str, change: changes.Change | None = None) -> Outcome:
    return changes.Outcome(Verdict(approved=True, reason=reason), change)


def _shut(
    record: gates.GateRecord, question: Question, now: datetime.datetime, grace: datetime.timedelta
) -> Outcome:
    """Answer for a gate that is closed, or whose time is over and who is told so only now."""
    if record.state is gates.State.OPEN:
        closed = _moved(record, now, state=gates.State.CLOSED)
        if waiting := _waiting(closed, question, now):
            closed = waiting.record or closed
        return _denied("expired", _change(audit.Action.EXPIRE, question, now, record, closed))
    if record.spent is not None and _same(record.spent, question, now, grace):
        return _approved("again")
    return _denied("closed", _waiting(record, question, now))


def _waiting(
    record: gates.GateRecord | None, question: Question, now: datetime.datetime
) -> changes.Change | None:
    """Return what is remembered of a check that failed: no change of the gate, so no history."""
    if not question.waits:
        return None
    known = gates.GateRecord(gates.State.CLOSED, now, now, version=0) if record is None else record
    request = pending.refreshed(
        known.pending, question.phase, question.checksum, now, question.unwritten
    )
    if request is None:
        return None
    return changes.Change(dataclasses.replace(known, pending=request))


def _same(
    spent: gates.Spent, question: Question, now: datetime.datetime, grace: datetime.timedelta
) -> bool:
    """Say whether this is the question that was approved before."""
    if spent.request == question.by.request:
        return True
    asked = (pending.stage(question.phase), question.checksum)
    known = question.checksum != "" and asked == (spent.stage, spent.checksum)
    return known and now - spent.at < grace


def _fits(record: gates.GateRecord, question: Question) -> bool:
    """Say whether the gate is open for this revision."""
    if record.checksum == gates.NEXT:
        return question.checksum != ""
    return record.checksum in ("", question.checksum)


def _sticky(record: gates.GateRecord, question: Question, now: datetime.datetime) -> Outcome:
    if record.checksum != gates.NEXT:
        return _approved("open", _served(record, now))
    bound = _moved(record, now, question)
    return _approved("bound", _change(audit.Action.PASS, question, now, record, bound))


def _served(record: gates.GateRecord, now: datetime.datetime) -> changes.Change | None:
    """Take back what is remembered of a request that passes now, but not more often than it came.

    Most often opening the gate has done that already; not where a gate is open for one revision.
    """
    if record.pending is None or now - record.pending.last_seen < pending.REFRESH:
        return None
    return changes.Change(dataclasses.replace(record, pending=None))


def _once(record: gates.GateRecord, question: Question, now: datetime.datetime) -> Outcome:
    spent = gates.Spent(now, pending.stage(question.phase), question.checksum, question.by.request)
    closed = dataclasses.replace(
        _moved(record, now, question, gates.State.CLOSED),
        pass_count=record.pass_count + 1,
        spent=spent,
    )
    return _approved("once", _change(audit.Action.PASS, question, now, record, closed))


def _count(record: gates.GateRecord, question: Question, now: datetime.datetime) -> Outcome:
    if record.spent is not None and record.spent.request == question.by.request:
        return _approved("again")
    left = record.remaining - 1
    state = gates.State.OPEN if left > 0 else gates.State.CLOSED
    counted = dataclasses.replace(
        _moved(record, now, question, state),
        remaining=max(left, 0),
        pass_count=record.pass_count + 1,
        # Without a checksum: for the same request only. Each further check counts.
        spent=gates.Spent(now, pending.stage(question.phase), "", question.by.request),
    )
    return _approved("count", _change(audit.Action.PASS, question, now, record, counted))


_MODES: Final[dict[gates.Mode, Callable[..., Outcome]]] = {
    gates.Mode.STICKY: _sticky,
    gates.Mode.ONCE: _once,
    gates.Mode.UNTIL: _sticky,
    gates.Mode.COUNT: _count,
}


def _moved(
    record: gates.GateRecord,
    now: datetime.datetime,
    question: Question | None = None,
    state: gates.State = gates.State.OPEN,
) -> gates.GateRecord:
    """Return the next version; the question that it is about binds it if it is to be bound."""
    binds = question is not None and record.checksum == gates.NEXT
    checksum = question.checksum if question and binds else record.checksum
    return dataclasses.replace(
        record,
        state=state,
        updated_at=now,
        version=record.version + 1,
        checksum=checksum,
        pending=None if question else record.pending,
    )


def _change(
    action: audit.Action,
    question: Question,
    now: datetime.datetime,
    before: gates.GateRecord,
    after: gates.GateRecord,
) -> changes.Change:
    written = dataclasses.replace(
        changes.entry(action, question.by, now, before, after),
        phase=question.phase,
        checksum=question.checksum,
    )
    return changes.Change(after, (written,))
