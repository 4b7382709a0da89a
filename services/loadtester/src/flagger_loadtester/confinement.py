"""What a command is kept in when the server is strict (loadtester.md section 8.2.6).

Limits are set by `prlimit` and `nice` in front of the program: setting them between fork and exec
would run Python in a child of a process with threads.
"""

import dataclasses
import os
import resource
import shutil
from collections.abc import Mapping
from typing import Final

PATH: Final = "/usr/local/bin:/usr/bin:/bin"
"""Where scripts of acceptance tests find their programs."""

_NICE: Final = 5
"""Commands leave the processor to the server, which has to answer probes."""
_LIMITS: Final[Mapping[str, tuple[int, int]]] = {
    "core": (resource.RLIMIT_CORE, 0),
    "nofile": (resource.RLIMIT_NOFILE, 8192),
    "fsize": (resource.RLIMIT_FSIZE, 1 << 30),
    "as": (resource.RLIMIT_AS, 8 << 30),
}
"""Options of prlimit, and the values: numbers or bytes. Address space is generous, as programs in
Go reserve far more than they use.

Not the number of processes: it counts those of the user on the whole node, so that one pod would
stop another one's tasks. The pod's own limit of processes is the kubelet's `podPidsLimit`.
"""
_CLUSTER: Final = ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")


class ConfinementError(RuntimeError):
    """A program is missing without which commands cannot be confined."""


@dataclasses.dataclass(frozen=True)
class Confinement:
    """How a command is started; it also gets a directory of its own, removed afterwards."""

    prefix: tuple[str, ...]
    """Programs that lower limits and then become the command."""

    environ: Mapping[str, str]
    """All variables of the command but those that name its directory."""

    def at(self, directory: str) -> dict[str, str]:
        """Return the variables of a command that lives in this directory."""
        return {**self.environ, "HOME": directory, "TMPDIR": directory, "PWD": directory}


def confine(cpu_seconds: int, *, cluster: bool = False) -> Confinement:
    """Return the limits of one task.

    Args:
        cpu_seconds: processor time of one process, for what escapes the time limit of its task.
        cluster: whether it learns where the API server is, as helm and kubectl have to.

    Raises:
        ConfinementError: `prlimit` or `nice` is not installed.
    """
    wanted = {**_LIMITS, "cpu": (resource.RLIMIT_CPU, cpu_seconds)}
    limits = [f"--{name}={_allowed(kind, value)}" for name, (kind, value) in wanted.items()]
    prefix = (_find("prlimit"), *limits, _find("nice"), "-n", str(_NICE))
    passed = {name: os.environ[name] for name in _CLUSTER if cluster and name in os.environ}
    return Confinement(prefix, {"PATH": PATH, "LANG": "C.UTF-8", **passed})


def _allowed(kind: int, value: int) -> int:
    """Return the value, or the hard limit of this process where that is lower."""
    hard = resource.getrlimit(kind)[1]
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _find(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise ConfinementError(f"{program} is not installed: strict mode needs it, or use -compat")
    return path
