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
    # Other tasks may use every file of the container, too.
    **locust.make(locust.Options(directories=(pathlib.Path("/"),))),
}
DEFAULT: Final = "cmd"


def find(metadata: Mapping[str, str]) -> base.TaskType:
    """Return the task type that the metadata ask for.

    Raises:
        base.TaskError: for a type nobody knows; upstream drops the connection instead of the reply
            it meant to give.
    """
    name = metadata.get("type", DEFAULT)
    if name not in TASKS:
        raise base.TaskError(f"unknown task type {name}")
    return TASKS[name]
