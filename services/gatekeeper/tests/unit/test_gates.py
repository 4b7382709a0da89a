import dataclasses
import datetime

import pytest

from flagger_gatekeeper import codec, gates

NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
LATER = NOW + datetime.timedelta(hours=1)
FULL = gates.GateRecord(
    state=gates.State.OPEN,
    created_at=NOW,
    updated_at=LATER,
    version=7,
    mode=gates.Mode.COUNT,
    remaining=3,
    expires_at=LATER,
    checksum="7c9d467496",
    reason="größer\n\U0001f600",
    actor="system:serviceaccount:ci:release",
    auto_reset=True,
    pass_count=2,
    request="abc",
    spent=gates.Spent(NOW, "start", "7c9d467496", "def"),
    approvals=(gates.Approval("anna", NOW, "once"), gates.Approval("bob", LATER, "once")),
    pending=gates.Pending("Waiting", "56966965f5", NOW, LATER, 12, 30.5),
)


def test_log_names_are_upstreams() -> None:
    assert str(gates.GateKey("test", "podinfo")) == "podinfo.test"
    assert str(gates.GateKey("test", "podinfo", gates.ROLLBACK)) == "rollback.podinfo.test"
    assert str(gates.GateKey("", "")) == "."


def test_names_that_upstream_mixes_up_are_different_gates() -> None:
    start_gate = gates.GateKey("test", "rollback.podinfo")
    rollback_gate = gates.GateKey("test", "podinfo", gates.ROLLBACK)
    assert str(start_gate) == str(rollback_gate)
    assert start_gate != rollback_gate


@pytest.mark.parametrize("name", ["default", "rollback", "a", "0", "a-b", "a" * 63])
def test_names_of_gates(name: str) -> None:
    assert gates.is_name(name)


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a.b", "a/b", "a\n", "ä", "a" * 64, "a b"])
def test_what_is_no_name_of_a_gate(name: str) -> None:
    assert not gates.is_name(name)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (None, False),
        (gates.GateRecord(gates.State.CLOSED, NOW, NOW), False),
        (gates.GateRecord(gates.State.OPEN, NOW, NOW), True),
        (gates.GateRecord(gates.State.OPEN, NOW, NOW, expires_at=LATER), True),
        (gates.GateRecord(gates.State.OPEN, NOW, NOW, expires_at=NOW), False),
        (gates.GateRecord(gates.State.CLOSED, NOW, NOW, expires_at=LATER), False),
    ],
)
def test_only_an_open_record_is_open(record: gates.GateRecord | None, expected: bool) -> None:
    assert gates.is_open(record, NOW) is expected


def test_an_etag_names_one_version_of_one_record() -> None:
    record = gates.GateRecord(gates.State.OPEN, NOW, NOW)
    others = [dataclasses.replace(record, version=2), dataclasses.replace(record, created_at=LATER)]
    assert len({record.etag, *(other.etag for other in others)}) == 3


@pytest.mark.parametrize(
    "record", [*(gates.GateRecord(state, NOW, LATER, 7) for state in gates.State), FULL]
)
def test_a_record_survives_being_written_down(record: gates.GateRecord) -> None:
    assert codec.decode(codec.encode(record)) == record


def test_every_field_is_written_down() -> None:
    defaults = {field.name: field.default for field in dataclasses.fields(FULL)}
    assert all(getattr(FULL, name) != default for name, default in defaults.items())


def test_a_record_of_the_first_version_is_read() -> None:
    """What is stored before an upgrade is open, or closed, after it."""
    text = (
        '{"state": "open", "createdAt": "2026-11-26T12:00:00+00:00", '
        '"updatedAt": "2026-11-26T13:00:00.000123+00:00", "version": 3}'
    )
    updated = LATER + datetime.timedelta(microseconds=123)
    assert codec.decode(text) == gates.GateRecord(gates.State.OPEN, NOW, updated, 3)


def test_fields_of_a_later_version_do_not_disturb() -> None:
    text = codec.encode(gates.GateRecord(gates.State.OPEN, NOW, NOW))
    assert gates.is_open(codec.decode(text.replace("{", '{"colour": "red", ', 1)), NOW)


def test_a_time_without_a_zone_is_utc() -> None:
    assert codec.moment("2026-11-26T12:00:00") == NOW


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
        codec.decode(text)
    assert codec.decode_or_none(text) is None


@pytest.mark.parametrize(
    "extra",
    [
        '"mode": "twice"',
        '"mode": null',
        '"remaining": "many"',
        '"expiresAt": 7',
        '"expiresAt": "soon"',
        '"checksum": ["a"]',
        '"checksum": null',
        '"spent": {}',
        '"spent": "yesterday"',
        '"pending": {}',
    ],
)
def test_an_unclear_limit_is_an_error_and_never_overlooked(extra: str) -> None:
    text = codec.encode(gates.GateRecord(gates.State.OPEN, NOW, NOW))
    with pytest.raises(gates.CorruptRecordError):
        codec.decode(text[:-1].replace(', "mode": "sticky"', "") + f", {extra}}}")
