"""What a sweep that was cut short leaves behind."""

import pathlib

from .record import Record
from .stage import Verdict

FOUND = [
    Verdict("gate/after/PUT a#1", "gate", "after", ("end: b is missing", "told"), "what happened"),
    Verdict("gate/lost/PUT a#1", "gate", "lost", met=False),
]


def test_what_was_found_is_read_again(tmp_path: pathlib.Path) -> None:
    kept = tmp_path / "kept"
    assert Record(kept, "ours").read() == []
    for verdict in FOUND:
        Record(kept, "ours").add(verdict)
    assert Record(kept, "ours").read() == FOUND
    assert Record(kept, "upstream").read() == []


def test_a_line_that_was_cut_off_is_played_and_kept_again(tmp_path: pathlib.Path) -> None:
    for verdict in FOUND:
        Record(tmp_path, "ours").add(verdict)
    path = tmp_path / "ours.jsonl"
    path.write_text(path.read_text()[:-5])
    assert Record(tmp_path, "ours").read() == FOUND[:1]
    Record(tmp_path, "ours").add(FOUND[1])
    assert Record(tmp_path, "ours").read() == FOUND


def test_a_case_of_which_nothing_is_known_comes_again(tmp_path: pathlib.Path) -> None:
    lost = Verdict("gate/after/PUT b#1", "gate", "after", met=False, lost="Read timed out.")
    for verdict in (lost, *FOUND):
        Record(tmp_path, "ours").add(verdict)
    assert Record(tmp_path, "ours").read() == FOUND


def test_without_a_file_nothing_is_kept() -> None:
    record = Record(None, "ours")
    record.add(FOUND[0])
    assert record.read() == []
