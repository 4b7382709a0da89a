"""What a command is kept in when the server is strict (loadtester.md section 8.2.6)."""

import os
from collections.abc import Mapping
from typing import Final

from flagger_common import confinement

PATH: Final = "/usr/local/bin:/usr/bin:/bin"
"""Where scripts of acceptance tests find their programs."""

_NICE: Final = 5
"""Commands leave the processor to the server, which has to answer probes."""
_LIMITS: Final[Mapping[str, int]] = {
    "core": 0,
    "nofile": 8192,
    "fsize": 1 << 30,
    "as": 8 << 30,
}
"""Address space is generous, as programs in Go reserve far more than they use."""
_CLUSTER: Final = ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")


def confine(cpu_seconds: int, *, cluster: bool = False) -> confinement.Confinement:
    """Return the limits of one task.

    Args:
        cpu_seconds: processor time of one process, for what escapes the time limit of its task.
        cluster: whether it learns where the API server is, as helm and kubectl have to.

    Raises:
        confinement.ConfinementError: `prlimit` or `nice` is not installed.
    """
    passed = {name: os.environ[name] for name in _CLUSTER if cluster and name in os.environ}
    return confinement.Confinement(
        confinement.prefix({**_LIMITS, "cpu": cpu_seconds}, _NICE),
        {"PATH": PATH, "LANG": "C.UTF-8", **passed},
    )
