"""The control groups that pods of this cluster live in: how their processes are found and ended."""

import contextlib
import os
import pathlib
import signal
import time
from collections.abc import Iterator
from typing import Final

ROOT: Final = pathlib.Path("/sys/fs/cgroup")


def _hierarchies() -> list[pathlib.Path]:
    """Return the mounted hierarchies: one with version 2, one a controller with version 1."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    return [path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink()]


def create(name: str) -> None:
    """Make a group in every hierarchy; the kubelet insists that its root exists."""
    for hierarchy in _hierarchies():
        with contextlib.suppress(OSError):  # the unified hierarchy next to version 1 has no use
            (hierarchy / name).mkdir(exist_ok=True)
    if (ROOT / "cgroup.controllers").exists():
        controllers = (ROOT / "cgroup.controllers").read_text().split()
        for group in (ROOT, ROOT / name):
            for controller in controllers:
                with contextlib.suppress(OSError):
                    (group / "cgroup.subtree_control").write_text(f"+{controller}")
        return
    _inherit_cpuset(name)


def _inherit_cpuset(name: str) -> None:
    """Copy the processors from the root: a new cpuset of version 1 has none."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        source, target = ROOT / "cpuset" / file, ROOT / "cpuset" / name / file
        if source.exists() and target.exists() and not target.read_text().strip():
            target.write_text(source.read_text())


def _groups(name: str) -> Iterator[pathlib.Path]:
    """Yield the groups below and including `name`, deepest first; they may vanish meanwhile."""
    for hierarchy in _hierarchies():
        for folder, _, _ in os.walk(hierarchy / name, topdown=False):
            yield pathlib.Path(folder)


def _members(name: str) -> set[int]:
    found: set[int] = set()
    for group in _groups(name):
        with contextlib.suppress(OSError):
            found.update(int(pid) for pid in (group / "cgroup.procs").read_text().split())
    return found


def kill(name: str, seconds: float = 10.0) -> None:
    """Kill every process in the group and below."""
    deadline = time.monotonic() + seconds
    while (members := _members(name)) and time.monotonic() < deadline:
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def remove(name: str) -> None:
    """Remove the group and those below; what still has members stays."""
    for group in _groups(name):
        with contextlib.suppress(OSError):
            group.rmdir()
