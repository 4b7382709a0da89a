"""What people read after a sweep."""

from .report import left_out, missed, stories, table
from .stage import Verdict

OURS = [
    Verdict("promote/clean", "promote", "clean"),
    Verdict("promote/after/PUT a#1", "promote", "after"),
    Verdict("promote/after/PUT b#1", "promote", "after", ("end: b is missing",), "what happened"),
    Verdict("gate/after/PUT a#1", "gate", "after"),
    Verdict("gate/lost/PUT a#1", "gate", "lost", met=False),
]
THEIRS = [Verdict("gate/lost/PUT a#1", "gate", "lost", ("I6 failed: Failed with",))]


def test_table() -> None:
    assert table({"ours": OURS}) == "\n".join(
        (
            "| scenario | clean | after | lost | all |",
            "| --- | --- | --- | --- | --- |",
            "| promote | 1/1 | 1/2 | - | 2/3 |",
            "| gate | - | 1/1 | - | 1/1 |",
            "| all | 1/1 | 2/3 | - | 3/4 |",
        )
    )


def test_two_controllers_stand_side_by_side() -> None:
    lines = table({"ours": OURS, "upstream": THEIRS}).splitlines()
    assert lines[3] == "| gate | - · - | 1/1 · - | - · 0/1 | 1/1 · 0/1 |"
    assert lines[-1] == "Each cell: ours · upstream."


def test_a_failure_says_how_to_see_it_again() -> None:
    assert stories(OURS) == "\n".join(
        (
            "FAILED promote/after/PUT b#1",
            "  end: b is missing",
            "  again: make sweep ARGS=\"'promote/after/PUT b#1'\"",
            "what happened",
        )
    )


def test_what_was_not_tested_is_said() -> None:
    assert missed(OURS) == "Not tested, as the write did not come (1):\ngate/lost/PUT a#1"
    assert missed(OURS[:2]) == ""


def test_a_case_that_the_machine_was_too_slow_for_is_no_unmet_write() -> None:
    slow = Verdict("gate/after/PUT b#1", "gate", "after", met=False, lost="Read timed out.")
    assert missed([slow]) == (
        "Not tested, as the machine was too slow (1):\ngate/after/PUT b#1: Read timed out."
    )


def test_what_was_not_asked_for_is_said() -> None:
    clean = Verdict("gate/clean", "gate", "clean", left_out=("I2 pods: none",))
    assert left_out([clean, *OURS]) == (
        "Left out of gate, as it fails without a fault: I2 pods: none"
    )
