"""The log lines (loadtester.md section 1)."""

import json
import logging
import re
import sys

import pytest

from flagger_common import logs


def record(message: str, level: int = logging.INFO, **extra: object) -> logging.LogRecord:
    made = logging.getLogger("t").makeRecord(
        "t", level, "/src/flagger_x/runner.py", 7, message, (), None, extra=extra
    )
    made.created = 1_700_000_000.123456
    return made


def test_a_line_has_upstreams_keys_in_order() -> None:
    line = logs.JSONFormatter().format(record("é started", canary="podinfo.test", seconds=1.5))
    assert json.loads(line) == {
        "level": "info",
        "ts": "2023-11-14T22:13:20.123Z",
        "caller": "flagger_x/runner.py:7",
        "msg": "é started",
        "canary": "podinfo.test",
        "seconds": 1.5,
    }
    assert list(json.loads(line))[:4] == ["level", "ts", "caller", "msg"]
    assert "é" in line


@pytest.mark.parametrize(
    ("level", "name"), [(10, "debug"), (20, "info"), (30, "warn"), (40, "error"), (50, "fatal")]
)
def test_level_names_are_upstreams(level: int, name: str) -> None:
    assert json.loads(logs.JSONFormatter().format(record("x", level)))["level"] == name


def test_an_extra_cannot_forge_our_keys() -> None:
    line = json.loads(logs.JSONFormatter().format(record("real", caller="me", ts="never")))
    assert line["caller"] == "flagger_x/runner.py:7"
    assert line["ts"].startswith("2023")


def test_an_exception_becomes_the_stack_trace() -> None:
    made = record("failed", logging.ERROR)
    try:
        raise ValueError("why")
    except ValueError:
        made.exc_info = sys.exc_info()
    line = json.loads(logs.JSONFormatter().format(made))
    assert "ValueError: why" in line["stacktrace"]
    assert "exc_info" not in line
    assert "ValueError: why" in logs.ConsoleFormatter().format(made)


def test_console_lines_are_for_people() -> None:
    line = logs.ConsoleFormatter().format(record("hello", logging.WARNING, canary="a.b"))
    assert re.fullmatch(r'2023\S+\twarn\tflagger_x/runner.py:7\thello\t\{"canary": "a.b"\}', line)


def test_messages_are_sampled_per_second_and_text() -> None:
    now = [0.0]
    sampler = logs.Sampler(lambda: now[0])
    kept = sum(sampler.filter(record("same")) for _ in range(1000))
    assert kept == 100 + 9
    assert sampler.filter(record("other"))
    now[0] = 1.0
    assert sampler.filter(record("same"))


@pytest.mark.parametrize(
    ("name", "level"),
    [("debug", 10), ("warn", 30), ("warning", 30), ("loud", 20), ("panic", 50)],
)
def test_unknown_levels_are_info(name: str, level: int) -> None:
    assert logs.level(name) == level


def test_an_unknown_encoding_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown log encoding"):
        logs.config("info", "xml")
