"""The task types: ``metadata.type`` to the file that knows it."""

import pathlib
from collections.abc import Mapping
from typing import Final

from . import base, bash, concord, helm, kubectl, locust, ngrinder, shell

TASKS: Final[Mapping[str, base.TaskType]] = {
    "cmd": shell.TASK,
    "bash": bash.TASK,
    "helm": helm.TASK,
    "helmv3": helm.TASK,
    "kubectl": kubectl.TASK,
    "concord": concord.TASK,
    "ngrinder": ngrinder.TASK,
}
"""Those that need no settings; `kinds` adds the others."""
DEFAULT: Final = "cmd"


def find(metadata: Mapping[str, str], known: Mapping[str, base.TaskType] = TASKS) -> base.TaskType:
    """Return the task type that the metadata ask for.

    Args:
        metadata: of the hook.
        known: the task types by name.

    Raises:
        base.TaskError: for a type nobody knows; upstream drops the connection instead of the reply
            it meant to give.
    """
    name = metadata.get("type", DEFAULT)
    if name not in known:
        raise base.TaskError(f"unknown task type {name}")
    return known[name]


def kinds(master: str, timeout: float, *, inline: bool) -> Mapping[str, base.TaskType]:
    """Return the task types by name, with what the flags say about Locust.

    Args:
        master: URL of a Locust master's web API, empty without one.
        timeout: limit of a task in seconds.
        inline: whether hooks may bring locustfiles.
    """
    everywhere = (pathlib.Path("/"),)  # strict mode has its own places
    options = locust.Options(inline=inline, directories=everywhere, master=master, timeout=timeout)
    return {**TASKS, **locust.make(options)}
