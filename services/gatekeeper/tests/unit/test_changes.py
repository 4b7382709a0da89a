import dataclasses
import datetime

import pytest

from flagger_gatekeeper import audit, changes, gates

NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
LATER = NOW + datetime.timedelta(hours=1)
BY = audit.By("1", "anna", "10.0.0.1")
OPEN = changes.Wish(gates.State.OPEN)


def change(
    transition: changes.Transition[object], before: gates.GateRecord | None
) -> changes.Change:
    made = transition(before).change
    assert made is not None
    return made


@pytest.mark.parametrize("state", list(gates.State))
def test_the_first_setting_makes_a_record(state: gates.State) -> None:
    wish = changes.Wish(state, gates.Mode.COUNT, 2, LATER, "abc", "release 7", auto_reset=True)
    made = change(changes.setting(wish, BY, NOW), None)
    record = gates.GateRecord(
        state, NOW, NOW, 1, gates.Mode.COUNT, 2, LATER, "abc", "release 7", "anna", True, 0, "1"
    )
    assert made.record == record
    (entry,) = made.entries
    action = audit.Action.OPEN if state is gates.State.OPEN else audit.Action.CLOSE
    assert entry == audit.Entry(
        NOW, action, BY, "", state.value, "count", "release 7", "", "abc", LATER
    )


@pytest.mark.parametrize("before", list(gates.State))
@pytest.mark.parametrize("after", list(gates.State))
def test_every_setting_makes_a_new_version(before: gates.State, after: gates.State) -> None:
    old = gates.GateRecord(
        before, NOW, NOW, 4, gates.Mode.ONCE, 9, NOW, "x", "old", "bob", True, 5, "0",
        gates.Spent(NOW, "start", "x", "0"),
    )  # fmt: skip
    made = change(changes.setting(changes.Wish(after), BY, LATER), old)
    # Age, counter and the promise to reset are inherited, nothing else.
    assert made.record == gates.GateRecord(
        after, NOW, LATER, 5, actor="anna", auto_reset=True, pass_count=5, request="1"
    )
    assert [(one.before, one.after) for one in made.entries] == [(before, after)]


def test_auto_reset_can_be_taken_back() -> None:
    old = gates.GateRecord(gates.State.OPEN, NOW, NOW, auto_reset=True)
    made = change(changes.setting(dataclasses.replace(OPEN, auto_reset=False), BY, NOW), old)
    assert made.record is not None
    assert not made.record.auto_reset


def test_the_same_request_is_not_carried_out_twice() -> None:
    opening = changes.setting(OPEN, BY, NOW)
    record = change(opening, None).record
    assert opening(record) == changes.Outcome(record)


def test_long_texts_of_callers_are_shortened() -> None:
    wish = dataclasses.replace(OPEN, reason="r" * 10_000)
    made = change(changes.setting(wish, audit.By("1", "a" * 10_000), NOW), None)
    assert made.record is not None
    assert len(made.record.reason) == len(made.record.actor) == audit.LONGEST_TEXT


def test_a_precondition_is_asked_about_what_is_stored() -> None:
    old = gates.GateRecord(gates.State.OPEN, NOW, NOW, 4)
    asked: list[gates.GateRecord | None] = []

    def refuse(record: gates.GateRecord | None) -> bool:
        asked.append(record)
        return False

    for transition in (
        changes.setting(OPEN, BY, NOW, refuse),
        changes.forgetting(BY, NOW, precondition=refuse),
    ):
        with pytest.raises(changes.PreconditionError):
            transition(old)
    assert asked == [old, old]


@pytest.mark.parametrize("old", [None, gates.GateRecord(gates.State.OPEN, NOW, NOW)])
def test_forgetting_always_leaves_an_entry(old: gates.GateRecord | None) -> None:
    made = change(changes.forgetting(BY, LATER, "no more"), old)
    before = "open" if old else ""
    entry = audit.Entry(LATER, audit.Action.DELETE, BY, before, reason="no more")
    assert made == changes.Change(None, (entry,))
