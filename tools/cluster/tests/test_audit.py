"""The audit log, read while a server writes it."""

import json
import pathlib

import pytest
from tools.cluster.audit import CHUNK, AuditLog


def _line(name: str) -> bytes:
    event = {
        "auditID": name,
        "user": {"username": "flagger"},
        "verb": "get",
        "objectRef": {"name": name},
        "requestURI": f"/{name}",
        "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z",
    }
    return json.dumps(event).encode() + b"\n"


def _append(path: pathlib.Path, text: bytes) -> None:
    with path.open("ab") as log:
        log.write(text)


@pytest.mark.parametrize("before", [b"", _line("before"), _line("long" * CHUNK)])
@pytest.mark.parametrize("written", [1, len(_line("after")) - 1])
def test_a_mark_within_a_line_is_the_beginning_of_that_line(
    tmp_path: pathlib.Path, before: bytes, written: int
) -> None:
    log = AuditLog(tmp_path / "audit.log")
    line = _line("after")
    _append(log.path, before + line[:written])
    mark = log.mark()
    _append(log.path, line[written:])
    assert [request.name for request in log.requests(mark)] == ["after"]


def test_a_line_longer_than_a_chunk_is_found(tmp_path: pathlib.Path) -> None:
    log = AuditLog(tmp_path / "audit.log")
    _append(log.path, _line("before") + _line("long" * CHUNK)[:-1])
    assert log.mark() == len(_line("before"))


def test_a_log_that_does_not_exist_yet_begins_at_nothing(tmp_path: pathlib.Path) -> None:
    log = AuditLog(tmp_path / "audit.log")
    assert (log.mark(), log.requests()) == (0, [])
