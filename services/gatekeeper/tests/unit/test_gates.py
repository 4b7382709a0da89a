import datetime

import pytest

from flagger_gatekeeper import gates

NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
LATER = NOW + datetime.timedelta(hours=1)


def test_log_names_are_upstreams() -> None:
    assert str(gates.GateKey("test", "podinfo")) == "podinfo.test"
    assert str(gates.GateKey("test", "podinfo", gates.ROLLBACK)) == "rollback.podinfo.test"
    assert str(gates.GateKey("", "")) == "."


def test_names_that_upstream_mixes_up_are_different_gates() -> None:
    start_gate = gates.GateKey("test", "rollback.podinfo")
    rollback_gate = gates.GateKey("test", "podinfo", gates.ROLLBACK)
    assert str(start_gate) == str(rollback_gate)
    assert start_gate != rollback_gate


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (None, False),
        (gates.GateRecord(gates.State.CLOSED, NOW, NOW), False),
        (gates.GateRecord(gates.State.OPEN, NOW, NOW), True),
    ],
)
def test_only_an_open_record_passes(record: gates.GateRecord | None, expected: bool) -> None:
    assert gates.passes(record) is expected


@pytest.mark.parametrize("state", list(gates.State))
def test_the_first_move_makes_a_record(state: gates.State) -> None:
    assert gates.moving(state, NOW)(None) == gates.GateRecord(state, NOW, NOW, 1)


@pytest.mark.parametrize("before", list(gates.State))
@pytest.mark.parametrize("after", list(gates.State))
def test_every_move_makes_a_new_version(before: gates.State, after: gates.State) -> None:
    moved = gates.moving(after, LATER)(gates.GateRecord(before, NOW, NOW, 4))
    assert moved == gates.GateRecord(after, NOW, LATER, 5)


@pytest.mark.parametrize("state", list(gates.State))
def test_a_record_survives_being_written_down(state: gates.State) -> None:
    record = gates.GateRecord(state, NOW, LATER, 7)
    assert gates.decode(gates.encode(record)) == record


def test_fields_of_a_later_version_do_not_disturb() -> None:
    text = gates.encode(gates.GateRecord(gates.State.OPEN, NOW, NOW))
    assert gates.passes(gates.decode(text.replace("{", '{"mode": "once", ', 1)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "open",
        "null",
        "[]",
        '"open"',
        "{}",
        '{"state": "ajar", "createdAt": "2026-11-26", "updatedAt": "2026-11-26", "version": 1}',
        '{"state": "open", "createdAt": "once", "updatedAt": "2026-11-26", "version": 1}',
        '{"state": "open", "createdAt": "2026-11-26", "updatedAt": "2026-11-26", "version": []}',
        '{"state": true, "createdAt": "2026-11-26", "updatedAt": "2026-11-26", "version": 1}',
        '{"state": "open"}',
    ],
)
def test_an_unclear_record_is_an_error(text: str) -> None:
    with pytest.raises(gates.CorruptRecordError):
        gates.decode(text)
    assert gates.decode_or_none(text) is None
