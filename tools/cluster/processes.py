"""Child processes: started in groups of their own, watched, stopped for certain.

Two kinds: children that must not outlive their parent (tests), and daemons that must (`up`).
Daemons are written down with their start time, so that a recycled process id is never killed.
"""

import concurrent.futures
import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from tools.cluster import settings

TERM_SECONDS: Final = 10.0
"""How long a process may take to end by itself before it is killed."""
PROC = pathlib.Path("/proc")


@dataclasses.dataclass(frozen=True)
class Command:
    """What to run."""

    name: str
    argv: Sequence[str]
    log: pathlib.Path
    folder: pathlib.Path
    """Working directory."""
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Process:
    """A running process, told apart from a later one with the same id by its start time."""

    name: str
    pid: int
    started: int
    """Field 22 of /proc/PID/stat: clock ticks since boot."""
    boot: str
    """The kernel's boot id: ids and start times repeat after a reboot."""
    log: str

    @property
    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        return self.boot == _boot() and _start_time(self.pid) == self.started


@functools.cache
def _boot() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def _start_time(pid: int) -> int | None:
    """Return when the process started, None when there is none or only a zombie."""
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


@functools.cache
def _keeper() -> concurrent.futures.Executor:
    """Return the thread that starts children that shall die with us.

    The kernel sends the death signal when the *thread* ends that made the child, so it must be
    one that lives as long as the process, not the caller's.
    """
    return concurrent.futures.ThreadPoolExecutor(1, "keeper")


_children: set[int] = set()
"""Children not yet reaped: without it they would stay zombies after their end."""


def start(command: Command, *, die_with_parent: bool) -> Process:
    """Start a process in a session of its own; its output is appended to the log.

    Args:
        command: what to run.
        die_with_parent: kill it when this Python process ends in any way, SIGKILL included.
            Else it outlives us.
    """
    argv = list(command.argv)
    command.log.parent.mkdir(parents=True, exist_ok=True)
    if die_with_parent and (setpriv := shutil.which("setpriv")):
        argv = [setpriv, "--pdeathsig", "KILL", "--", *argv]

    def spawn() -> subprocess.Popen[bytes]:
        with command.log.open("ab") as log:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=command.folder,
                env={**os.environ, **command.environment},
                start_new_session=True,
            )

    child = _keeper().submit(spawn).result() if die_with_parent else spawn()
    # We reap it by its id; for Popen it is over, else it would complain about a living daemon.
    child.returncode = 0
    _children.add(child.pid)
    started = _start_time(child.pid) or -1
    return Process(command.name, child.pid, started, _boot(), str(command.log))


def reap() -> None:
    """Collect the exit codes of children that ended."""
    for pid in list(_children):
        try:
            ended = os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:  # someone else collected it
            ended = True
        if ended:
            _children.discard(pid)


def stop(running: Iterable[Process], seconds: float = TERM_SECONDS) -> None:
    """End processes and their groups: SIGTERM to all, then SIGKILL to those that stay."""
    left = [process for process in running if process.alive]
    for process in left:
        _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while (left := _still(left)) and time.monotonic() < deadline:
        time.sleep(0.02)
    for process in left:
        _signal(process, signal.SIGKILL)
    while left := _still(left):
        time.sleep(0.02)


def _still(running: Iterable[Process]) -> list[Process]:
    reap()
    return [process for process in running if process.alive]


def _signal(process: Process, number: signal.Signals) -> None:
    """Signal the process's group: it leads one, as it was started in a new session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def wait_for(
    what: str,
    ready: Callable[[], bool],
    running: Sequence[Process],
    seconds: float,
    pause: float = 0.05,
) -> None:
    """Wait until `ready`, while none of the processes it depends on has ended.

    Raises:
        ClusterError: time is over or a process died; the text ends with the tail of its log.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        reap()
        for process in running:
            if not process.alive:
                raise settings.ClusterError(f"{process.name} ended:\n{tail(process.log)}")
        if time.monotonic() > deadline:
            logs = "\n".join(f"{p.name}:\n{tail(p.log)}" for p in running)
            raise settings.ClusterError(f"{what} not ready after {seconds:.0f} s\n{logs}")
        time.sleep(pause)


def tail(log: str, lines: int = 15) -> str:
    """Return the last lines of a log file."""
    try:
        text = pathlib.Path(log).read_text(errors="replace")
    except FileNotFoundError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:])


def remember(process: Process, folder: pathlib.Path) -> None:
    """Write a daemon down for later calls of this program."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{process.name}.json").write_text(json.dumps(dataclasses.asdict(process)))


def remembered(folder: pathlib.Path) -> list[Process]:
    """Return the daemons that were written down, oldest first, running or not."""
    found = [Process(**json.loads(path.read_text())) for path in folder.glob("*.json")]
    return sorted(found, key=lambda process: process.started)
