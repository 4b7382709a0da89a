"""What processes use of the machine, as the kernel counts it in /proc."""

import contextlib
import os
import pathlib
from collections.abc import Iterable
from typing import Final

PROC: Final = pathlib.Path("/proc")
CLOCK_TICKS: Final = os.sysconf("SC_CLK_TCK")
KIB: Final = 1024


def members(group: int) -> list[int]:
    """Return the ids of all living processes of a process group."""
    found = []
    for stat in PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if int(_fields(stat)[2]) == group:
                found.append(int(stat.parent.name))
    return found


def cpu_seconds(processes: Iterable[int]) -> float:
    """Return the processor time of processes, in seconds; of those that have ended, nothing."""
    total = 0
    for process in processes:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = _fields(PROC / str(process) / "stat")
            total += int(fields[11]) + int(fields[12])
    return total / CLOCK_TICKS


def resident(process: int) -> float:
    """Return the resident memory of a process, in MiB.

    Raises:
        ProcessLookupError: there is no such process, or it has ended.
    """
    return _memory(process, "VmRSS")


def peak(process: int) -> float:
    """Return the most memory that was ever resident of a process, in MiB.

    Raises:
        ProcessLookupError: there is no such process, or it has ended.
    """
    return _memory(process, "VmHWM")


def _memory(process: int, field: str) -> float:
    try:
        lines = (PROC / str(process) / "status").read_text().splitlines()
    except FileNotFoundError as error:
        raise ProcessLookupError(f"process {process} has ended: it uses no memory") from error
    for line in lines:
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / KIB
    raise ProcessLookupError(f"process {process} has ended: it uses no memory")


def _fields(stat: pathlib.Path) -> list[str]:
    """State, parent, group...: what is behind the program's name, which may hold anything."""
    return stat.read_text().rpartition(")")[2].split()
