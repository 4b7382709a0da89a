"""Logging shared by all processes: JSON lines on stderr with upstream's keys.

Keys: ``level``, ``ts`` (UTC, milliseconds), ``caller`` (package/file:line), ``msg``, whatever the
call passed as ``extra`` (say ``canary``), and ``stacktrace`` with an exception (loadtester.md 1).
"""

import datetime
import functools
import json
import logging
import logging.config
import pathlib
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from pythonjsonlogger import core
from pythonjsonlogger import json as jsonlogger

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "panic": logging.CRITICAL,
}
ENCODINGS: Final = ("json", "console")
_NAMES: Final = {logging.WARNING: "warn", logging.CRITICAL: "fatal"}


def level(name: str) -> int:
    """Translate a ``-log-level`` value; anything unknown is info, as upstream."""
    return LEVELS.get(name, logging.INFO)


def setup(level_name: str = "info", encoding: str = "json") -> None:
    """Configure the logging of this process; call it once, before the first record."""
    logging.config.dictConfig(config(level_name, encoding))


def config(level_name: str = "info", encoding: str = "json") -> dict[str, Any]:
    """Return the logging set-up as a ``dictConfig`` document, so gunicorn can use the same one.

    Args:
        level_name: one of ``LEVELS``; anything else is info.
        encoding: ``json``, or ``console`` for people at a terminal.

    Raises:
        ValueError: for another encoding.
    """
    if encoding not in ENCODINGS:
        raise ValueError(f"unknown log encoding {encoding!r}, use one of {', '.join(ENCODINGS)}")
    formatter = JSONFormatter if encoding == "json" else ConsoleFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "filters": {"sampler": {"()": Sampler}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "filters": ["sampler"],
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"level": level(level_name), "handlers": ["stderr"]},
        # gunicorn's loggers do not propagate by default and would print another format; at debug
        # level they dump the whole configuration
        "loggers": {
            "gunicorn.error": {
                "level": max(level(level_name), logging.INFO),
                "propagate": True,
                "handlers": [],
            },
            "gunicorn.access": {"level": "CRITICAL", "propagate": False, "handlers": []},
        },
    }


class JSONFormatter(jsonlogger.JsonFormatter):
    """One record, one JSON object on one line."""

    def __init__(self) -> None:
        super().__init__(json_ensure_ascii=False)

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Put our keys first, then the extras; an extra cannot replace one of our keys."""
        log_data.update(_fields(record))
        extras = _extras(record)
        log_data.update({key: value for key, value in extras.items() if key not in log_data})
        if stack := message_dict.get("exc_info") or message_dict.get("stack_info"):
            log_data["stacktrace"] = stack


class ConsoleFormatter(logging.Formatter):
    """The same content as tab-separated text, in upstream's order."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one record; extras are JSON, an exception follows on its own lines."""
        fields, extras = _fields(record), _extras(record)
        parts = [fields[key] for key in ("ts", "level", "caller", "msg")]
        if extras:
            parts.append(json.dumps(extras, ensure_ascii=False, default=str))
        line = "\t".join(parts)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class Sampler(logging.Filter):
    """Keep a chatty process readable: of each message 100 a second, then every 100th.

    The thresholds are upstream's (loadtester.md section 1).
    """

    FIRST: Final = 100
    THEREAFTER: Final = 100

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.RLock()  # a signal handler may log while this thread does
        self._second = -1
        self._counts: Counter[tuple[int, str]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether to keep the record."""
        key = (record.levelno, record.getMessage())
        with self._lock:
            second = int(self._clock())
            if second != self._second:
                self._second = second
                self._counts.clear()
            self._counts[key] += 1
            over = self._counts[key] - self.FIRST
        return over <= 0 or over % self.THEREAFTER == 0


def _fields(record: logging.LogRecord) -> dict[str, str]:
    when = datetime.datetime.fromtimestamp(record.created, tz=datetime.UTC)
    return {
        "level": _NAMES.get(record.levelno, record.levelname.lower()),
        "ts": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "caller": f"{_shown(record.pathname)}:{record.lineno}",
        "msg": record.getMessage(),
    }


@functools.cache
def _shown(pathname: str) -> str:
    """The last two parts of a path; there are no more of them than source files."""
    path = pathlib.PurePath(pathname)
    return f"{path.parent.name}/{path.name}"


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    core.merge_record_extra(record, extras, reserved=core.RESERVED_ATTRS)
    return extras
