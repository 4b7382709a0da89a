"""Running a plan: a process group for each pipeline, a time limit, capped output.

Only the thread that called `execute` signals a group, and only before it has reaped the leader, so
a signal never reaches a process that got the number later.
"""

import contextlib
import dataclasses
import logging
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Final, TypeAlias

from . import output, words
from .confinement import Confinement
from .plan import Argv, Pipeline, Plan

logger = logging.getLogger(__name__)

_STEP: Final = 0.1
"""Seconds after which a changed limit (shutdown) or an end is noticed."""

Remaining = Callable[[], float]
"""Answers how many seconds are left; may drop to zero at any time."""

_Process: TypeAlias = "subprocess.Popen[bytes]"


class _StartError(RuntimeError):
    """A program cannot be started; the message is upstream's reason."""


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended."""

    output: str
    """Standard output and, if the plan wants it, error; combined and capped."""

    reason: str = ""
    """Empty for success, else upstream's words: ``exit status 1``, ``signal: killed``, ..."""

    group: int | None = None
    """The process group, if members of it outlived the command; never of a confined one."""

    started: bool = True
    """Whether all programs of the last pipeline could be started."""


def execute(
    plan: Plan,
    remaining: Remaining,
    max_output: int,
    grace: float,
    confinement: Confinement | None = None,
) -> Ended:
    """Run a plan to its end or its limit.

    The end is when the programs have exited *and* the output pipe is closed, as upstream waits for
    both. A confined command ends with its programs; who then still holds the pipe is killed. At
    the limit the whole group gets SIGTERM, then SIGKILL (upstream kills the first process only, and
    its children go on).

    Args:
        plan: what to run; programs are looked up in ``PATH``, that of the confinement if it has
            one.
        remaining: the limit; asked again and again, not any more once it has dropped to zero.
        max_output: bytes of output to keep, of all pipelines together.
        grace: seconds between SIGTERM and SIGKILL, and again for a pipe that somebody keeps open
            after that.
        confinement: limits and variables; without it a command has those of this process.
    """
    captured = output.Capture(max_output)
    last = Ended("")
    with _surroundings(confinement) as surroundings:
        for connector, pipeline in plan.steps:
            if not connector.runs_after(not last.reason):
                continue
            if remaining() <= 0:
                last = Ended("", words.KILLED)
                break
            last = _Run(plan, surroundings, captured, remaining, grace).run(pipeline)
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

    @property
    def confined(self) -> bool:
        return self.environ is not None

    @property
    def path(self) -> str | None:
        return None if self.environ is None else self.environ.get("PATH")


@contextlib.contextmanager
def _surroundings(confinement: Confinement | None) -> Iterator[_Surroundings]:
    """Give a confined command a directory if it needs one, and remove it afterwards."""
    if confinement is None:
        yield _Surroundings()
        return
    if not confinement.scratch:
        yield _Surroundings(confinement.prefix, confinement.environ)
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

    plan: Plan
    surroundings: _Surroundings
    captured: output.Capture
    remaining: Remaining
    grace: float

    def run(self, pipeline: Pipeline) -> Ended:
        """Start the programs, follow them, end them; the output goes to `captured`."""
        reader, writer = os.pipe()
        with open(reader, "rb", buffering=0):
            try:
                processes = self._start(pipeline, writer)
            except _StartError as error:
                return Ended("", str(error), started=False)
            finally:
                os.close(writer)
            expired = not self._follow(reader, processes, self.remaining)
            if expired:
                self._end(reader, processes)
        # the leader last: as long as it is a zombie its number belongs to the group
        codes = [process.wait() for process in reversed(processes)]
        group = self._survivors(processes[0].pid)
        reason = words.KILLED if expired else _reason(codes, pipefail=self.plan.pipefail)
        return Ended("", reason, group)

    def _start(self, pipeline: Pipeline, writer: int) -> list[_Process]:
        processes: list[_Process] = []
        errors = writer if self.plan.errors else subprocess.DEVNULL
        try:
            for argv in pipeline:
                source = processes[-1].stdout if processes else None
                target = subprocess.PIPE if len(processes) + 1 < len(pipeline) else writer
                group = processes[0].pid if processes else 0
                processes.append(self._popen(argv, source, target, errors, group))
                if source is not None:
                    source.close()  # so that a program is told when its reader has gone
        except _StartError:
            _abandon(processes)
            raise
        return processes

    def _popen(
        self, argv: Argv, source: IO[bytes] | None, target: int, errors: int, group: int
    ) -> _Process:
        if reason := words.unavailable(argv[0], self.surroundings.path):
            raise _StartError(reason)
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
            raise _StartError(words.not_started(argv[0], error)) from error
        except ValueError as error:  # a NUL byte in an argument
            raise _StartError(f"fork/exec {argv[0]}: invalid argument") from error

    def _follow(self, reader: int, processes: Sequence[_Process], remaining: Remaining) -> bool:
        """Collect output until all is over; False when the time is over first."""
        with selectors.DefaultSelector() as selector:
            selector.register(reader, selectors.EVENT_READ)
            while (left := remaining()) > 0:
                # asked first: what the programs have written is in the pipe by then
                over = self.surroundings.confined and all(map(_exited, processes))
                if selector.select(0 if over else min(left, _STEP)):
                    chunk = os.read(reader, 65536)
                    if not chunk:
                        return all(_reaped(each, remaining) for each in reversed(processes))
                    self.captured.add(chunk)
                elif over:
                    return True
        return False

    def _end(self, reader: int, processes: Sequence[_Process]) -> None:
        """Terminate the group, gently first; the last output is still collected."""
        for signum in (signal.SIGTERM, signal.SIGKILL):
            _signal(processes, signum)
            if self._follow(reader, processes, _countdown(self.grace)):
                return

    def _survivors(self, group: int) -> int | None:
        """Return the group if it still has members; those of a confined command are killed."""
        if not self.surroundings.confined:
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


def _exited(process: _Process) -> bool:
    """Say whether a program has ended, and leave its number to it."""
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


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
    return words.reason(code)
