"""What a test is asked to do and what it came to: values that both engines and the views share."""

import dataclasses
import enum
import re
from collections.abc import Callable, Hashable
from typing import Final

from . import flights

OUTPUT_BYTES: Final = 16 * 1024
"""Longest output that is kept: one half from its beginning, one from its end (spec B.4)."""


_ANSI: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")


class Result(enum.StrEnum):
    """How a request ended, for `X-Flagger-Test-Result` (spec helmtester B.4)."""

    PASSED = "passed"
    FAILED = "failed"
    RELEASE_NOT_FOUND = "release-not-found"
    FORBIDDEN = "forbidden"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"


@dataclasses.dataclass(frozen=True, slots=True)
class Test:
    """One object of a test suite, a Pod or a Job."""

    __test__ = False  # for pytest: no test class

    name: str
    """Name of the object."""
    phase: str
    """`Succeeded`, `Failed`, `Running` or `Unknown`, as Helm or the cluster say."""
    started: str = ""
    """When it began, RFC 3339; empty when that is not known."""
    completed: str = ""
    """When it ended, likewise."""
    exit_code: int | None = None
    """The first exit code of its containers that is not zero; None when that is not known."""
    log: str = ""
    """Its last lines, where they were asked for."""


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What one run came to."""

    result: Result
    """The class of it."""
    output: str = ""
    """What the program printed on both streams, bounded and without colours."""
    reason: str = ""
    """Why it failed, in upstream's words; empty when it passed."""
    missing: str = ""
    """The right that was missing, `verb resource`; empty unless the API server named one."""
    revision: int = 0
    """Revision of the release; 0 when that is not known."""
    tests: tuple[Test, ...] = ()
    """What was run, as far as that is known."""
    seconds: float = 0.0
    """How long it took."""


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """A request that may run."""

    lane: flights.Lane
    """What must not be tested twice at a time."""
    question: Hashable
    """What makes two requests the same; part of it is what makes their results the same."""
    command: str
    """What was asked for, as received."""
    run: Callable[[flights.Wanted], Report]
    """Does it."""
    notes: tuple[str, ...] = ()
    """What was changed about it."""


def clean(text: str) -> str:
    """Remove terminal colours and other escapes."""
    return _ANSI.sub("", text)
