"""The controllers that are measured. Each has a user of its own, by which its requests are told."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from services.controller.tests.api import process
from tools.cluster import gobuild


@dataclasses.dataclass(frozen=True)
class Subject:
    """A controller, started with no flags but those that it needs to find the world."""

    name: str
    user: str
    """Of the API server."""
    program: Callable[[], process.Program]
    """May compile it first."""


def ours() -> process.Program:
    """Return the controller of this repository as it is in production: intervals have a floor."""
    return dataclasses.replace(process.OURS, flags=())


def upstream() -> process.Program:
    """Return upstream's binary. It is ready a moment before it watches; Canaries come later."""
    return process.Program(process.launcher(str(gobuild.binary("flagger"))), (), "healthz")


SUBJECTS: Final[Mapping[str, Subject]] = {
    subject.name: subject
    for subject in (
        Subject("ours", "flagger", ours),
        Subject("upstream", "flagger2", upstream),
    )
}
