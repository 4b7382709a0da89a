"""The whole table of modes and questions; no store, no clock."""

import dataclasses
import datetime
import zoneinfo
from typing import Any

import pytest

from flagger_gatekeeper import audit, changes, checks, gates, rules

NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
GRACE = 60 * SECOND
A, B = "7c9d467496", "56966965f5"


def record(mode: gates.Mode = gates.Mode.STICKY, **more: Any) -> gates.GateRecord:
    found = gates.GateRecord(gates.State.OPEN, NOW, NOW, 4, mode, request="opened")
    return dataclasses.replace(found, **more)


def ask(
    before: gates.GateRecord | None,
    checksum: str = A,
    phase: str = "Progressing",
    request: str = "1",
    at: datetime.datetime = NOW,
) -> checks.Outcome:
    question = checks.Question(audit.By(request), phase, checksum)
    return checks.checking(question, at, GRACE)(before)


def after(outcome: checks.Outcome) -> gates.GateRecord:
    assert outcome.change is not None
    assert outcome.change.record is not None
    return outcome.change.record


def entries(outcome: checks.Outcome) -> list[tuple[str, str, str, str, str]]:
    assert outcome.change is not None
    return [(e.action, e.before, e.after, e.phase, e.checksum) for e in outcome.change.entries]


@pytest.mark.parametrize("checksum", ["", A])
@pytest.mark.parametrize(
    ("before", "approved", "reason"),
    [
        (None, False, "unknown"),
        (record(state=gates.State.CLOSED), False, "closed"),
        (record(), True, "open"),
        (record(gates.Mode.UNTIL, expires_at=NOW + SECOND), True, "open"),
    ],
)
def test_upstreams_answers_change_nothing(
    before: gates.GateRecord | None, approved: bool, reason: str, checksum: str
) -> None:
    expected: checks.Outcome = changes.Outcome(checks.Verdict(approved, reason))
    assert ask(before, checksum) == expected


@pytest.mark.parametrize("mode", list(gates.Mode))
@pytest.mark.parametrize("late", [0, 1, 3600])
def test_every_mode_ends_at_its_time(mode: gates.Mode, late: int) -> None:
    outcome = ask(record(mode, remaining=5, expires_at=NOW), at=NOW + late * SECOND)
    assert outcome.result == checks.Verdict(approved=False, reason="expired")
    closed = after(outcome)
    assert (closed.state, closed.version) == (gates.State.CLOSED, 5)
    assert entries(outcome) == [("expire", "open", "closed", "Progressing", A)]
    assert ask(closed).result.reason == "closed"


def test_once_gives_one_approval() -> None:
    outcome = ask(record(gates.Mode.ONCE))
    assert outcome.result == checks.Verdict(approved=True, reason="once")
    assert entries(outcome) == [("pass", "open", "closed", "Progressing", A)]
    spent = after(outcome)
    assert (spent.state, spent.version, spent.pass_count) == (gates.State.CLOSED, 5, 1)
    assert spent.spent == gates.Spent(NOW, "analysis", A, "1")


@pytest.mark.parametrize(
    ("checksum", "phase", "seconds", "approved"),
    [
        (A, "Progressing", 0, True),
        (A, "Progressing", 59, True),
        (A, "WaitingPromotion", 59, True),
        (A, "Progressing", 60, False),
        (A, "Waiting", 1, False),
        (A, "Succeeded", 1, False),
        (B, "Progressing", 1, False),
        ("", "Progressing", 1, False),
    ],
)
def test_the_same_question_passes_again_for_a_while(
    checksum: str, phase: str, seconds: int, approved: bool
) -> None:
    spent = after(ask(record(gates.Mode.ONCE)))
    outcome = ask(spent, checksum, phase, "2", NOW + seconds * SECOND)
    assert outcome.result.approved is approved
    assert outcome.change is None


def test_without_a_checksum_once_is_once() -> None:
    spent = after(ask(record(gates.Mode.ONCE), ""))
    assert not ask(spent, "", request="2").result.approved


@pytest.mark.parametrize("checksum", ["", A])
@pytest.mark.parametrize("mode", [gates.Mode.ONCE, gates.Mode.COUNT])
def test_a_request_whose_write_was_done_but_not_answered_passes(
    mode: gates.Mode, checksum: str
) -> None:
    """A store that does not know whether it wrote asks the transition again."""
    taken = after(ask(record(mode, remaining=1), checksum))
    outcome = ask(taken, checksum, at=NOW + 9999 * SECOND)
    assert outcome.result.approved
    assert outcome.change is None


@pytest.mark.parametrize("state", list(gates.State))
def test_setting_a_gate_ends_the_approval_before(state: gates.State) -> None:
    spent = after(ask(record(gates.Mode.ONCE)))
    wish = changes.Wish(state, gates.Mode.ONCE)
    change = changes.setting(wish, audit.By("2"), NOW)(spent).change
    assert change is not None
    assert ask(change.record, request="3").result.approved is (state is gates.State.OPEN)


def test_count_passes_as_often_as_it_says() -> None:
    found: gates.GateRecord = record(gates.Mode.COUNT, remaining=3)
    for number in range(3):
        outcome = ask(found, request=str(number))
        assert outcome.result == checks.Verdict(approved=True, reason="count")
        found = after(outcome)
        assert (found.remaining, found.pass_count) == (2 - number, number + 1)
    assert found.state is gates.State.CLOSED
    assert not ask(found, request="4").result.approved


@pytest.mark.parametrize("mode", list(gates.Mode))
@pytest.mark.parametrize("other", [B, ""])
def test_a_bound_gate_is_for_its_revision_alone(mode: gates.Mode, other: str) -> None:
    bound = record(mode, remaining=1, checksum=A)
    refused = ask(bound, other)
    assert refused.result == checks.Verdict(approved=False, reason="checksum")
    assert refused.change is None
    assert ask(bound, A).result.approved


@pytest.mark.parametrize("mode", list(gates.Mode))
def test_a_gate_for_the_next_revision_binds_to_the_first_that_asks(mode: gates.Mode) -> None:
    unbound = record(mode, remaining=5, checksum=gates.NEXT)
    assert not ask(unbound, "").result.approved
    outcome = ask(unbound, A)
    assert outcome.result.approved
    bound = after(outcome)
    assert bound.checksum == A
    assert not ask(bound, B, request="2").result.approved
    assert ask(bound, A, request="2").result.approved


def test_every_mode_has_an_answer() -> None:
    for mode in gates.Mode:
        assert ask(record(mode, remaining=1)).result.approved


# Hours


NINE_TO_TEN = rules.Rule(
    windows=(rules.Window("0 9 * * *", 3600 * SECOND, zoneinfo.ZoneInfo("UTC")),)
)


@pytest.mark.parametrize("mode", list(gates.Mode))
def test_an_open_gate_keeps_its_hours(mode: gates.Mode) -> None:
    """Whoever comes too early or too late takes nothing away."""
    opened = record(mode, remaining=5)
    question = checks.Question(audit.By("1"), "Progressing", A)
    for hours, reason in ((-3.5, "window"), (-2, "window")):
        at = NOW + datetime.timedelta(hours=hours)
        outcome = checks.checking(question, at, GRACE, NINE_TO_TEN)(opened)
        assert outcome == changes.Outcome(checks.Verdict(approved=False, reason=reason))
    at = NOW - datetime.timedelta(hours=2.5)
    assert checks.checking(question, at, GRACE, NINE_TO_TEN)(opened).result.approved


def test_an_approval_that_was_taken_holds_after_the_hours() -> None:
    question = checks.Question(audit.By("1"), "Progressing", A)
    last = NOW - datetime.timedelta(hours=2, seconds=1)
    taken = after(checks.checking(question, last, GRACE, NINE_TO_TEN)(record(gates.Mode.ONCE)))
    retried = dataclasses.replace(question, by=audit.By("2"))
    again = checks.checking(retried, last + 2 * SECOND, GRACE, NINE_TO_TEN)(taken)
    assert again.result == checks.Verdict(approved=True, reason="again")


def test_what_waits_for_the_hours_is_seen() -> None:
    question = checks.Question(audit.By("1"), "Waiting", A, waits=True)
    outcome = checks.checking(question, NOW, GRACE, NINE_TO_TEN)(record())
    assert after(outcome).pending is not None
