"""What a sweep that was cut short leaves behind."""

import pathlib

from .record import Record
from .stage import Verdict

FOUND = [
    Verdict("gate/after/PUT a#1", "gate", "after", ("end: b is missing", "told"), "what happened"),
    Verdict("gate/lost/PUT a#1", "gate", "lost", met=False),
]


def test_what_was_found_is_read_again(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "record"
    assert Record(path).read() == []
    for verdict in FOUND:
        Record(path).add(verdict)
    assert Record(path).read() == FOUND


def test_a_line_that_was_cut_off_is_played_and_kept_again(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "record"
    for verdict in FOUND:
        Record(path).add(verdict)
    path.write_text(path.read_text()[:-5])
    assert Record(path).read() == FOUND[:1]
    Record(path).add(FOUND[1])
    assert Record(path).read() == FOUND


def test_without_a_file_nothing_is_kept() -> None:
    record = Record(None)
    record.add(FOUND[0])
    assert record.read() == []
