"""What a failure means, from the words of Helm and of the API server (spec helmtester B.4).

Pure. The words are those of Helm 3 (`pkg/action`, `pkg/kube`, `pkg/storage/driver`) and of the
Kubernetes authoriser.
"""

import re
from collections.abc import Mapping
from typing import Final

from .outcome import Result

DEFAULT_FAILURE_STATUS: Final = 500
"""Upstream's answer to a test that failed."""

_ERROR: Final = re.compile(r"^Error: ", re.MULTILINE)
_FORBIDDEN: Final = re.compile(r" is forbidden: |: forbidden: ")
_MISSING: Final = re.compile(
    r'cannot ([a-z]+) (?:resource "([A-Za-z0-9./-]+)"|path "([A-Za-z0-9./-]+)")'
)
_WORDS: Final = (
    (re.compile(r"\brelease: not found"), Result.RELEASE_NOT_FOUND),
    (
        re.compile(
            r"Kubernetes cluster unreachable|connect: connection refused|no such host"
            r"|server is currently unable to handle the request|etcdserver: "
        ),
        Result.UNAVAILABLE,
    ),
    (re.compile(r"timed out waiting for the condition|deadline exceeded"), Result.TIMEOUT),
)

_ALWAYS: Final[Mapping[Result, int]] = {
    Result.PASSED: 200,
    Result.REFUSED: 400,
    Result.OVERLOADED: 429,
    Result.UNAVAILABLE: 503,
}
_TOLD_APART: Final[Mapping[Result, int]] = {Result.RELEASE_NOT_FOUND: 404, Result.TIMEOUT: 504}


def failure(output: str) -> tuple[Result, str]:
    """Say why Helm failed, and which right was missing as `verb resource` if one was.

    Only its last error counts: what stands before it may be the log of a test.

    Args:
        output: what it printed.
    """
    starts = [found.end() for found in _ERROR.finditer(output)]
    error = output[starts[-1] :] if starts else ""
    if _FORBIDDEN.search(error):
        return Result.FORBIDDEN, missing(error)
    for words, result in _WORDS:
        if words.search(error):
            return result, ""
    return Result.FAILED, ""


def missing(error: str) -> str:
    """Return the right that the API server says is missing, `verb resource`; empty if none."""
    found = _MISSING.search(error)
    return f"{found[1]} {found[2] or found[3]}" if found else ""


def status(result: Result, failure_status: int = DEFAULT_FAILURE_STATUS) -> int:
    """Return the HTTP status of a result.

    Args:
        result: how the request ended.
        failure_status: for a failure; with any but upstream's 500 causes are told apart.
    """
    if result in _ALWAYS:
        return _ALWAYS[result]
    if failure_status == DEFAULT_FAILURE_STATUS:
        return failure_status
    return _TOLD_APART.get(result, failure_status)
