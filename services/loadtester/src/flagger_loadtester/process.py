"""Running one command: its own process group, a time limit, capped output.

Only the thread that called `execute` signals the group, and only before it has reaped the leader,
so a signal never reaches a process that got the number later.
"""

import dataclasses
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Final

from flagger_common import output

from .results.base import LoadResult

GRACE: Final = 1.0
"""Seconds between SIGTERM and SIGKILL, and again for a pipe that somebody keeps open after that.

Short, because the server gives a worker two seconds after the second signal.
"""
_STEP: Final = 0.1
"""Seconds after which a changed limit (shutdown) is noticed."""
_KILLED: Final = "signal: killed"

Remaining = Callable[[], float]
"""Answers how many seconds are left; may drop to zero at any time."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    output: str
    """Standard output and error, combined and capped."""

    reason: str = ""
    """Empty for success, else upstream's words: ``exit status 1``, ``signal: killed``, ..."""

    group: int | None = None
    """The process group, if members of it outlived the command."""

    result: LoadResult | None = None
    """What a load test measured."""


def execute(argv: Sequence[str], remaining: Remaining, max_output: int) -> Outcome:
    """Run a command to its end or its limit.

    The end is when the command has exited *and* its output pipe is closed, as upstream waits for
    both. At the limit the whole group gets SIGTERM, then SIGKILL (upstream kills the first process
    only, and its children go on).

    Args:
        argv: program and arguments; the program is looked up in ``PATH``.
        remaining: the limit; asked again and again.
        max_output: bytes of output to keep.
    """
    if not shutil.which(argv[0]):
        return Outcome("", f'exec: "{argv[0]}": executable file not found in $PATH')
    try:
        process = subprocess.Popen(  # noqa: S603 - running commands is the purpose
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return Outcome("", f"fork/exec {argv[0]}: {(error.strerror or str(error)).lower()}")
    except ValueError:  # a NUL byte in an argument
        return Outcome("", f"fork/exec {argv[0]}: invalid argument")
    captured = output.Capture(max_output)
    with process:
        expired = not _follow(process, captured, remaining)
        if expired:
            _end_group(process, captured)
        group = _survivors(process.pid)
    reason = _KILLED if expired else _reason(process.returncode)
    return Outcome(captured.text(), reason, group)


def alive(group: int) -> bool:
    """Say whether a process group has members."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # members of another user count too
        return True
    return True


def _follow(
    process: subprocess.Popen[bytes], captured: output.Capture, remaining: Remaining
) -> bool:
    """Collect output until the command is over; False when the time is over first."""
    if process.stdout is None:
        raise AssertionError("the command was started with a pipe")
    descriptor = process.stdout.fileno()
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while (left := remaining()) > 0:
            if selector.select(min(left, _STEP)):
                chunk = os.read(descriptor, 65536)
                if not chunk:
                    return _reaped(process, remaining)
                captured.add(chunk)
    return False


def _reaped(process: subprocess.Popen[bytes], remaining: Remaining) -> bool:
    """Wait for the exit of a command that has closed its output."""
    while (left := remaining()) > 0:
        try:
            process.wait(min(left, _STEP))
        except subprocess.TimeoutExpired:
            continue
        return True
    return False


def _end_group(process: subprocess.Popen[bytes], captured: output.Capture) -> None:
    """Terminate the group, gently first; the last output is still collected."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, signum)
        except ProcessLookupError:
            return
        if _follow(process, captured, _countdown(GRACE)):
            return


def _countdown(seconds: float) -> Remaining:
    limit = time.monotonic() + seconds
    return lambda: limit - time.monotonic()


def _survivors(group: int) -> int | None:
    return group if alive(group) else None


def _reason(code: int) -> str:
    if code == 0:
        return ""
    if code > 0:
        return f"exit status {code}"
    name = signal.strsignal(-code)
    return f"signal: {name.lower() if name else -code}"
