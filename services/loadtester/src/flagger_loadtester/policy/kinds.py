"""Kinds of arguments: each is a function that refuses a value that the policy does not allow."""

import re
from collections.abc import Callable
from typing import Final

from flagger_common import durations

from .scope import RefusedError, Scope

Kind = Callable[[str, Scope], None]
"""Judges one value; raises `RefusedError`."""

# Deliberately narrower than any program's own idea of a URL, so that both see the same host.
_HOST: Final = (
    r"([A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
)
_URL: Final = re.compile(rf"https?://{_HOST}(?:/[^\s\\\x00-\x1f\x7f]*)?")
_ADDRESS: Final = re.compile(_HOST)
_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_READS_FILES: Final = re.compile(r"\b(import|include)\b")


def free(value: str, scope: Scope) -> None:
    """Accept any text."""
    del value, scope


def text(value: str, scope: Scope) -> None:
    """Accept text; programs take ``@`` at its beginning for the name of a file."""
    del scope
    if value.startswith("@"):
        raise RefusedError(f"argument not allowed: {value} would be read from a file")


def format_(value: str, scope: Scope) -> None:
    """Accept a format of curl's; it can also name files to write."""
    text(value, scope)
    if "%output{" in value:
        raise RefusedError("argument not allowed: %output{ writes a file")


def pair(value: str, scope: Scope) -> None:
    """Accept ``name=value``; without the sign it is the name of a file."""
    text(value, scope)
    if "=" not in value:
        raise RefusedError(f"argument not allowed: {value} is not name=value")


def nowhere(value: str, scope: Scope) -> None:
    """Accept the one file that takes output away."""
    del scope
    if value != "/dev/null":
        raise RefusedError(f"file not allowed: {value}, output goes to /dev/null or to the log")


def file(value: str, scope: Scope) -> None:
    """Accept a file of the operator's."""
    scope.check_file(value)


def target(value: str, scope: Scope) -> None:
    """Accept a URL of an allowed host."""
    scope.check_host(_host(value))


def listed(value: str, scope: Scope) -> None:
    """Accept a URL of a host that the policy file names."""
    scope.check_listed(_host(value))


def address(value: str, scope: Scope) -> None:
    """Accept ``host:port`` of an allowed host."""
    found = _ADDRESS.fullmatch(value)
    if not found:
        raise RefusedError("target not allowed: write a host and a port, as in podinfo.test:9898")
    scope.check_host(found[1])


def duration(value: str, scope: Scope) -> None:
    """Accept a Go duration or a number of seconds, up to the longest allowed."""
    try:
        seconds = float(value) if _SECONDS.fullmatch(value) else durations.parse(value)
    except ValueError as error:
        raise RefusedError(f"duration not allowed: {error}") from error
    if not 0 <= seconds <= scope.duration:
        raise RefusedError(
            f"duration not allowed: {value} is above {durations.render(scope.duration)}"
        )


def number(value: str, scope: Scope) -> None:
    """Accept a number that limits nothing."""
    del scope
    _number(value)


def concurrency(value: str, scope: Scope) -> None:
    """Accept a number of workers, up to the most allowed."""
    if _number(value) > scope.concurrency:
        raise RefusedError(f"concurrency not allowed: {value} is above {scope.concurrency}")


def requests(value: str, scope: Scope) -> None:
    """Accept a number of requests, up to the most allowed."""
    if _number(value) > scope.requests > 0:
        raise RefusedError(f"requests not allowed: {value} is above {scope.requests}")


def word(*allowed: str) -> Kind:
    """Return the kind of one of these words."""

    def check(value: str, scope: Scope) -> None:
        del scope
        if value not in allowed:
            raise RefusedError(f"argument not allowed: {value}, use {' or '.join(allowed)}")

    return check


def filter_(value: str, scope: Scope) -> None:
    """Accept a program of jq's that reads no files."""
    del scope
    if found := _READS_FILES.search(value):
        raise RefusedError(f"argument not allowed: {found[0]} reads files")


def _number(value: str) -> int:
    if not _NUMBER.fullmatch(value):
        raise RefusedError(f"argument not allowed: {value} is no number")
    return int(value)


def _host(url: str) -> str:
    found = _URL.fullmatch(url)
    if not found:
        raise RefusedError(
            "target not allowed: write http:// or https://, a host, a port and a path, "
            "without user names"
        )
    return found[1]
