import dataclasses
import datetime

import pytest

from flagger_gatekeeper import audit, gates

NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
ENTRY = audit.Entry(
    at=NOW,
    action=audit.Action.PASS,
    by=audit.By("1", "anna", "10.0.0.1"),
    before="open",
    after="closed",
    mode="once",
    reason="release 7\nwith a second line",
    phase="Progressing",
    checksum="7c9d467496",
    expires_at=NOW + SECOND,
)
BARE = audit.Entry(NOW, audit.Action.CLOSE, audit.By("2"))


@pytest.mark.parametrize("entry", [ENTRY, BARE])
def test_an_entry_is_one_line_and_can_be_read_back(entry: audit.Entry) -> None:
    line = audit.encode("start", entry)
    assert len(line.splitlines()) == 1
    key = gates.GateKey("test", "podinfo", "start")
    assert audit.decode("test", "podinfo", line) == audit.Logged(key, entry)


@pytest.mark.parametrize(
    "line", ["", "[]", "{}", '{"at": "2026-11-26", "gate": "a", "action": "explode"}']
)
def test_an_unreadable_line_is_an_error(line: str) -> None:
    with pytest.raises(gates.CorruptRecordError):
        audit.decode("test", "podinfo", line)


def lines(*seconds: int) -> list[str]:
    return [
        audit.encode("default", dataclasses.replace(BARE, at=NOW + number * SECOND))
        for number in seconds
    ]


def test_a_history_keeps_what_is_young_and_not_too_much() -> None:
    history = lines(0, 1, 2, 3)
    assert audit.kept(history, NOW, 9, 10_000) == history
    assert audit.kept(history, NOW + 2 * SECOND, 9, 10_000) == history[2:]
    assert audit.kept(history, NOW, 1, 10_000) == history[3:]
    assert audit.kept(history, NOW, 9, 2 * (len(history[0]) + 1)) == history[2:]
    assert audit.kept([], NOW, 9, 10_000) == []


def test_a_damaged_line_hides_nothing() -> None:
    history = [*lines(0, 5), "damaged", *lines(6)]
    assert audit.kept(history, NOW + SECOND, 9, 10_000) == history[1:]


def test_texts_are_clipped() -> None:
    assert audit.clip("short") == "short"
    assert len(audit.clip("x" * 9999)) == audit.LONGEST_TEXT
