"""Running a plan: a process group for each pipeline, a time limit, capped output.

Only the thread that called `execute` signals a group, and only before it has reaped the leader, so
a signal never reaches a process that got the number later.
"""

import contextlib
import dataclasses
import logging
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Final, TypeAlias

from flagger_common import output

from .confinement import Confinement
from .plan import Argv, Pipeline, Plan
from .results.base import LoadResult

logger = logging.getLogger(__name__)

GRACE: Final = 1.0
"""Seconds between SIGTERM and SIGKILL, and again for a pipe that somebody keeps open after that.

Short, because the server gives a worker two seconds after the second signal.
"""
_STEP: Final = 0.1
"""Seconds after which a changed limit (shutdown) is noticed."""
_KILLED: Final = "signal: killed"

Remaining = Callable[[], float]
"""Answers how many seconds are left; may drop to zero at any time."""

_Process: TypeAlias = "subprocess.Popen[bytes]"


class _StartError(RuntimeError):
    """A program cannot be started; the message is upstream's reason."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    output: str
    """Standard output and error, combined and capped."""

    reason: str = ""
    """Empty for success, else upstream's words: ``exit status 1``, ``signal: killed``, ..."""

    group: int | None = None
    """The process group, if members of it outlived the command; never of a confined one."""

    result: LoadResult | None = None
    """What a load test measured."""


def execute(
    plan: Plan, remaining: Remaining, max_output: int, confinement: Confinement | None = None
) -> Outcome:
    """Run a plan to its end or its limit.

    The end is when the programs have exited *and* the output pipe is closed, as upstream waits for
    both. At the limit the whole group gets SIGTERM, then SIGKILL (upstream kills the first process
    only, and its children go on).

    Args:
        plan: what to run; programs are looked up in ``PATH``.
        remaining: the limit; asked again and again.
        max_output: bytes of output to keep, of all pipelines together.
        confinement: limits and variables; without it a command has those of this process.
    """
    captured = output.Capture(max_output)
    last = Outcome("")
    with _surroundings(confinement) as surroundings:
        for connector, pipeline in plan.steps:
            if not connector.runs_after(not last.reason):
                continue
            if remaining() <= 0:
                last = Outcome("", _KILLED)
                break
            last = _Run(surroundings, captured, remaining).run(pipeline, pipefail=plan.pipefail)
    return dataclasses.replace(last, output=captured.text())


def alive(group: int) -> bool:
    """Say whether a process group has members."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # members of another user count too
        return True
    return True


@dataclasses.dataclass(frozen=True)
class _Surroundings:
    """Where and how programs are started."""

    prefix: Argv = ()
    environ: Mapping[str, str] | None = None
    directory: str | None = None


@contextlib.contextmanager
def _surroundings(confinement: Confinement | None) -> Iterator[_Surroundings]:
    """Give a confined command a directory, and remove it afterwards."""
    if confinement is None:
        yield _Surroundings()
        return
    scratch = tempfile.TemporaryDirectory(prefix="task-")
    try:
        yield _Surroundings(confinement.prefix, confinement.at(scratch.name), scratch.name)
    finally:
        try:
            scratch.cleanup()
        except OSError as error:  # somebody writes there who left the group
            logger.warning("directory of a task is left: %s", error)


@dataclasses.dataclass(frozen=True)
class _Run:
    """One pipeline at work."""

    surroundings: _Surroundings
    captured: output.Capture
    remaining: Remaining

    def run(self, pipeline: Pipeline, *, pipefail: bool) -> Outcome:
        """Start the programs, follow them, end them; the output goes to `captured`."""
        reader, writer = os.pipe()
        with open(reader, "rb", buffering=0):
            try:
                processes = self._start(pipeline, writer)
            except _StartError as error:
                return Outcome("", str(error))
            finally:
                os.close(writer)
            expired = not self._follow(reader, processes, self.remaining)
            if expired:
                self._end(reader, processes)
        # the leader last: as long as it is a zombie its number belongs to the group
        codes = [process.wait() for process in reversed(processes)]
        group = self._survivors(processes[0].pid)
        return Outcome("", _KILLED if expired else _reason(codes, pipefail=pipefail), group)

    def _start(self, pipeline: Pipeline, writer: int) -> list[_Process]:
        processes: list[_Process] = []
        try:
            for argv in pipeline:
                source = processes[-1].stdout if processes else None
                target = subprocess.PIPE if len(processes) + 1 < len(pipeline) else writer
                group = processes[0].pid if processes else 0
                processes.append(self._popen(argv, source, target, writer, group))
                if source is not None:
                    source.close()  # so that a program is told when its reader has gone
        except _StartError:
            _abandon(processes)
            raise
        return processes

    def _popen(
        self, argv: Argv, source: IO[bytes] | None, target: int, errors: int, group: int
    ) -> _Process:
        if not shutil.which(argv[0]):
            raise _StartError(f'exec: "{argv[0]}": executable file not found in $PATH')
        try:
            return subprocess.Popen(  # noqa: S603 - running commands is the purpose
                [*self.surroundings.prefix, *argv],
                stdin=subprocess.DEVNULL if source is None else source,
                stdout=target,
                stderr=errors,
                env=self.surroundings.environ,
                cwd=self.surroundings.directory,
                process_group=group,
            )
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise _StartError(f"fork/exec {argv[0]}: {reason}") from error
        except ValueError as error:  # a NUL byte in an argument
            raise _StartError(f"fork/exec {argv[0]}: invalid argument") from error

    def _follow(self, reader: int, processes: Sequence[_Process], remaining: Remaining) -> bool:
        """Collect output until all is over; False when the time is over first."""
        with selectors.DefaultSelector() as selector:
            selector.register(reader, selectors.EVENT_READ)
            while (left := remaining()) > 0:
                if selector.select(min(left, _STEP)):
                    chunk = os.read(reader, 65536)
                    if not chunk:
                        return all(_reaped(each, remaining) for each in reversed(processes))
                    self.captured.add(chunk)
        return False

    def _end(self, reader: int, processes: Sequence[_Process]) -> None:
        """Terminate the group, gently first; the last output is still collected."""
        for signum in (signal.SIGTERM, signal.SIGKILL):
            _signal(processes, signum)
            if self._follow(reader, processes, _countdown(GRACE)):
                return

    def _survivors(self, group: int) -> int | None:
        """Return the group if it still has members; those of a confined command are killed."""
        if self.surroundings.environ is None:
            return group if alive(group) else None
        with contextlib.suppress(ProcessLookupError):  # as it should be
            os.killpg(group, signal.SIGKILL)
        return None


def _signal(processes: Sequence[_Process], signum: int) -> None:
    """Signal the group, and those programs that may have left it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(processes[0].pid, signum)
    for process in processes:
        if process.returncode is None:  # not reaped, so the number is still its own
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signum)


def _abandon(processes: Sequence[_Process]) -> None:
    """End a pipeline of which a program could not be started."""
    if not processes:
        return
    _signal(processes, signal.SIGKILL)
    for process in reversed(processes):
        if process.stdout is not None:
            process.stdout.close()
        process.wait()


def _reaped(process: _Process, remaining: Remaining) -> bool:
    """Wait for the exit of a command that has closed its output."""
    while (left := remaining()) > 0:
        try:
            process.wait(min(left, _STEP))
        except subprocess.TimeoutExpired:
            continue
        return True
    return False


def _countdown(seconds: float) -> Remaining:
    limit = time.monotonic() + seconds
    return lambda: limit - time.monotonic()


def _reason(codes: Sequence[int], *, pipefail: bool) -> str:
    """Say why a pipeline failed.

    Args:
        codes: of its programs, the last one first.
        pipefail: whether all of them count.
    """
    code = next((code for code in codes if code), 0) if pipefail else codes[0]
    if code == 0:
        return ""
    if code > 0:
        return f"exit status {code}"
    name = signal.strsignal(-code)
    return f"signal: {name.lower() if name else -code}"
