"""The controllers that can be swept: ours, and upstream's binary for comparison."""

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass

from ..process import Launch, Program, launcher
from ..process import ours as our_program
from ..scene import World
from .oracle import COMMON, OURS
from .play import Staging
from .run import Check

UPSTREAM_INTERVAL = 10
"""Seconds; upstream knows no shorter ones."""
UPSTREAM_PATIENCE = 600.0
UPSTREAM_CLEAN_RUNS = 6
"""What its releases end with is up to chance in places: after `revert` the Service has one selector
or the other."""
PATIENT = 4
"""So many times as many runs at once: it is ten times slower, and waits."""


@dataclass(frozen=True)
class Subject:
    """A controller, and what is asked of it."""

    name: str
    staging: Staging
    checks: Mapping[str, Check]
    at_once: int
    clean_runs: int = 2
    """So often a scenario is played without a fault. The first two must be the same, and a run with
    a fault must be as one of them."""
    lenient: bool = False
    """Checks that fail without a fault are left out instead of failing."""


def ours(world: World, at_once: int, launch: Launch) -> Subject:
    """The controller of this repository."""
    return Subject("ours", Staging(world, our_program(launch)), OURS, at_once)


def upstream(world: World, at_once: int, binary: pathlib.Path) -> Subject:
    """Upstream's binary. It says that it is ready before it watches; nothing depends on it."""
    program = Program(launcher(str(binary)), ("-control-loop-interval=1s",), "healthz")
    staging = Staging(world, program, UPSTREAM_INTERVAL, UPSTREAM_PATIENCE)
    return Subject(
        "upstream", staging, COMMON, PATIENT * at_once, UPSTREAM_CLEAN_RUNS, lenient=True
    )
