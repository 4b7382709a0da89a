import dataclasses
import datetime

import pytest

from flagger_gatekeeper import audit, changes, checks, codec, gates, house, pending
from flagger_gatekeeper.store import base, memory

NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
KEY = gates.GateKey("test", "podinfo")
A = "7c9d467496"
FIRST = gates.Pending("Waiting", A, NOW, NOW, 1)


def again(
    old: gates.Pending | None, seconds: int, phase: str = "Waiting", unwritten: int = 0
) -> gates.Pending | None:
    return pending.refreshed(old, phase, A, NOW + seconds * SECOND, unwritten)


def test_the_first_check_makes_a_request() -> None:
    assert again(None, 0) == FIRST


@pytest.mark.parametrize("phase", ["Waiting", "Progressing"])
@pytest.mark.parametrize("seconds", [0, 1, 29])
def test_a_request_is_written_every_thirty_seconds_at_most(seconds: int, phase: str) -> None:
    assert again(FIRST, seconds, phase) is None


def test_the_interval_is_what_was_observed() -> None:
    slow = again(FIRST, 60)
    assert slow == gates.Pending("Waiting", A, NOW, NOW + 60 * SECOND, 2, 60.0)
    fast = again(FIRST, 30, unwritten=2)
    assert fast == gates.Pending("Waiting", A, NOW, NOW + 30 * SECOND, 4, 10.0)


def test_another_part_of_the_rollout_is_another_request() -> None:
    assert again(FIRST, 60, "Initialized") == gates.Pending(
        "Initialized", A, NOW, NOW + 60 * SECOND, 2, 60.0
    )
    later = NOW + 60 * SECOND
    assert again(FIRST, 60, "Progressing") == gates.Pending("Progressing", A, later, later, 1, 60.0)


@pytest.mark.parametrize(
    ("interval", "seconds", "waiting"),
    [(0.0, 89, True), (0.0, 90, False), (10.0, 89, True), (10.0, 90, False), (60.0, 179, True),
     (60.0, 180, False)],
)  # fmt: skip
def test_a_request_that_is_not_repeated_is_over(
    interval: float, seconds: int, waiting: bool
) -> None:
    request = dataclasses.replace(FIRST, interval=interval)
    assert pending.is_waiting(request, NOW + seconds * SECOND) is waiting


def test_a_request_with_a_long_interval_is_recognised() -> None:
    slow = again(FIRST, 1800)
    assert slow is not None
    assert (slow.first_seen, slow.interval) == (NOW, 1800.0)
    assert pending.is_waiting(slow, NOW + 7199 * SECOND)
    assert again(FIRST, 3600) == dataclasses.replace(
        FIRST, first_seen=NOW + 3600 * SECOND, last_seen=NOW + 3600 * SECOND
    )


@pytest.mark.parametrize(
    ("phase", "hook"),
    [
        ("Initialized", "confirm-rollout"),
        ("Succeeded", "confirm-rollout"),
        ("Failed", "confirm-rollout"),
        ("Waiting", "confirm-rollout"),
        ("Progressing", "confirm-traffic-increase or confirm-promotion"),
        ("WaitingPromotion", "confirm-promotion"),
        ("", ""),
        ("Invented", ""),
    ],
)
def test_the_phase_tells_the_hook(phase: str, hook: str) -> None:
    assert pending.hook(phase) == hook


@pytest.mark.parametrize(
    ("key", "waits"),
    [
        (KEY, True),
        (gates.GateKey("test", "rollback.podinfo", "start"), True),
        (gates.GateKey("test", "podinfo", gates.ROLLBACK), False),
        (gates.GateKey("", ""), False),
        (gates.GateKey("test", ""), False),
        (gates.GateKey("Test", "podinfo"), False),
        (gates.GateKey("test", "a..b"), False),
        (gates.GateKey("test", "p" * 254), False),
        (gates.GateKey("test", "podinfo\n"), False),
    ],
)
def test_only_what_may_be_a_canary_waits(key: gates.GateKey, waits: bool) -> None:
    assert pending.can_wait(key) is waits


def ask(
    before: gates.GateRecord | None, seconds: int, checksum: str = A, request: str = "1"
) -> changes.Outcome[checks.Verdict]:
    question = checks.Question(audit.By(request), "Waiting", checksum, waits=True)
    return checks.checking(question, NOW + seconds * SECOND, 60 * SECOND)(before)


def record(outcome: changes.Outcome[checks.Verdict]) -> gates.GateRecord:
    assert outcome.change is not None
    assert outcome.change.record is not None
    return outcome.change.record


def test_asking_in_vain_changes_nothing_but_the_request() -> None:
    closed = gates.GateRecord(gates.State.CLOSED, NOW, NOW, 4, reason="frozen")
    for before in (None, closed):
        outcome = ask(before, 0)
        assert not outcome.result.approved
        made = outcome.change
        assert made is not None
        base_record = before or gates.GateRecord(gates.State.CLOSED, NOW, NOW, version=0)
        assert made == changes.Change(dataclasses.replace(base_record, pending=FIRST))
        assert codec.decode(codec.encode(record(outcome))) == made.record
        assert ask(made.record, 29).change is None


def test_a_request_is_served_when_the_gate_is_opened_and_stays_when_it_is_closed() -> None:
    waiting = record(ask(None, 0))
    for state, expected in [(gates.State.OPEN, None), (gates.State.CLOSED, FIRST)]:
        made = changes.setting(changes.Wish(state), audit.By("2"), NOW + SECOND)(waiting)
        assert (made.result.pending, made.result.version) == (expected, 1)
        assert made.result.created_at == NOW + SECOND
        assert made.change is not None
        assert made.change.entries[0].before == ""


@pytest.mark.parametrize("mode", [gates.Mode.ONCE, gates.Mode.COUNT, gates.Mode.STICKY])
def test_a_request_is_served_when_it_passes(mode: gates.Mode) -> None:
    bound = gates.GateRecord(gates.State.OPEN, NOW, NOW, 1, mode, remaining=5, checksum=A)
    waiting = record(ask(bound, 0, "56966965f5"))
    assert waiting.pending is not None
    outcome = ask(waiting, 60)
    assert outcome.result.approved
    assert record(outcome).pending is None


def test_changing_questions_do_not_write_more_often() -> None:
    found = gates.GateRecord(gates.State.OPEN, NOW, NOW, checksum=A)
    writes = 0
    for seconds in range(120):
        outcome = ask(found, seconds, A if seconds % 2 else "56966965f5")
        if outcome.change is not None:
            writes += 1
            found = record(outcome)
    assert writes <= 8


def test_an_expired_gate_has_its_request_at_once() -> None:
    expired = gates.GateRecord(gates.State.OPEN, NOW, NOW, 3, expires_at=NOW)
    found = record(ask(expired, 0))
    assert (found.state, found.version, found.pending) == (gates.State.CLOSED, 4, FIRST)


def test_old_requests_are_swept_up_and_gates_stay() -> None:
    store = memory.MemoryStore()
    other = gates.GateKey("test", "other")
    question = checks.Question(audit.By("1"), "Waiting", A, waits=True)
    store.update(KEY, checks.checking(question, NOW, SECOND))
    store.update(other, checks.checking(question, NOW, SECOND))
    store.update(other, changes.setting(changes.Wish(gates.State.CLOSED), audit.By("2"), NOW))
    keeper = house.Housekeeper(store)
    keeper.round(NOW + 3599 * SECOND)
    assert [one.key for one in store.find(base.Scope())] == [other, KEY]
    keeper.round(NOW + 3600 * SECOND)
    assert [one.key for one in store.find(base.Scope())] == [other]
