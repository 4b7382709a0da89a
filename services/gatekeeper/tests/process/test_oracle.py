"""The judge of the storm finds what is wrong, and nothing else."""

import pytest

from .oracle import Check, Write, lost, violations

OPENED = Write(opens=True, begin=1, end=2, acknowledged=True)
CLOSED = Write(opens=False, begin=5, end=6, acknowledged=True)
UNKNOWN = Write(opens=True, begin=1, end=2, acknowledged=False)


def approved(begin: float, end: float) -> Check:
    return Check(approved=True, begin=begin, end=end)


def refused(begin: float, end: float) -> Check:
    return Check(approved=False, begin=begin, end=end)


@pytest.mark.parametrize(
    ("writes", "checks"),
    [
        ([], [refused(0, 1)]),
        ([OPENED], [refused(0, 0.5), refused(0, 1.5), approved(1.2, 1.5), approved(3, 4)]),
        ([OPENED, CLOSED], [approved(3, 4), approved(5.5, 7), refused(5.5, 7), refused(7, 8)]),
        ([UNKNOWN], [refused(3, 4), approved(5, 6)]),
        ([UNKNOWN, CLOSED], [approved(3, 4), refused(7, 8)]),
        # An open that failed and a close under way: the gate may go there and back.
        ([UNKNOWN, Write(False, 3, 9, True)], [approved(4, 5), refused(6, 7), approved(7.5, 8)]),
    ],
)
def test_what_a_gate_can_answer_is_right(writes: list[Write], checks: list[Check]) -> None:
    assert violations(writes, checks) == []


@pytest.mark.parametrize(
    ("writes", "check", "word"),
    [
        ([], approved(0, 1), "nothing allows it"),
        ([OPENED], approved(0, 0.5), "nothing allows it"),
        ([OPENED], refused(3, 4), "nothing allows it"),
        ([OPENED, CLOSED], refused(3, 4), "nothing allows it"),
        ([OPENED, CLOSED], approved(7, 8), "nothing allows it"),
        ([UNKNOWN, CLOSED], approved(7, 8), "nothing allows it"),
    ],
)
def test_a_lost_change_and_a_gate_that_fails_open_are_found(
    writes: list[Write], check: Check, word: str
) -> None:
    (found,) = violations(writes, [check])
    assert word in found


def test_a_gate_that_goes_back_is_found() -> None:
    (found,) = violations([UNKNOWN], [approved(3, 4), refused(5, 6)])
    assert "behind one that saw the change" in found


def test_a_history_has_what_was_acknowledged_once_and_in_order() -> None:
    assert lost(["a", "c"], ["a", "b", "c"]) == []
    assert lost(["a", "c"], ["a", "b"]) == ["c is in the history 0 times"]
    assert lost(["a"], ["a", "a"]) == ["a is in the history 2 times"]
    assert lost(["a", "c"], ["c", "a"]) == ["the history has another order"]
