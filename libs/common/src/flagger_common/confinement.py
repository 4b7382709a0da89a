"""What a command is kept in (loadtester.md section 8.2.6, helmtester.md section B.5).

Limits are set by `prlimit` and `nice` in front of the program: setting them between fork and exec
would run Python in a child of a process with threads.
"""

import dataclasses
import resource
import shutil
from collections.abc import Mapping
from typing import Final

_KINDS: Final[Mapping[str, int]] = {
    "as": resource.RLIMIT_AS,
    "core": resource.RLIMIT_CORE,
    "cpu": resource.RLIMIT_CPU,
    "fsize": resource.RLIMIT_FSIZE,
    "nofile": resource.RLIMIT_NOFILE,
}
"""Options of prlimit.

Not the number of processes: it counts those of the user on the whole node, so that one pod would
stop another one's commands. The pod's own limit of processes is the kubelet's `podPidsLimit`.
"""


class ConfinementError(RuntimeError):
    """A program is missing without which commands cannot be confined."""


@dataclasses.dataclass(frozen=True)
class Confinement:
    """How a command is started; what it leaves running is killed at its end."""

    prefix: tuple[str, ...]
    """Programs that lower limits and then become the command."""

    environ: Mapping[str, str]
    """All variables of the command but those that name a directory of its own."""

    scratch: bool = True
    """Whether it gets one, removed afterwards; else it works in that of this process."""

    def at(self, directory: str) -> dict[str, str]:
        """Return the variables of a command that lives in this directory."""
        return {**self.environ, "HOME": directory, "TMPDIR": directory, "PWD": directory}


def prefix(limits: Mapping[str, int], nice: int = 0) -> tuple[str, ...]:
    """Return the programs that lower the limits of a command.

    Args:
        limits: `as`, `core`, `fsize` in bytes, `cpu` in seconds of one process, `nofile`; lower
            ones of this process stay.
        nice: by how much the command gives way to others, 0 to 19.

    Raises:
        ConfinementError: `prlimit` or `nice` is not installed.
    """
    options = (f"--{name}={_allowed(_KINDS[name], value)}" for name, value in limits.items())
    lowered = (_find("prlimit"), *options)
    return (*lowered, _find("nice"), "-n", str(nice)) if nice else lowered


def _allowed(kind: int, value: int) -> int:
    """Return the value, or the hard limit of this process where that is lower."""
    hard = resource.getrlimit(kind)[1]
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _find(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise ConfinementError(
            f"{program} is not installed, and commands cannot be limited without it: "
            "install util-linux and coreutils"
        )
    return path
