"""What must hold over everything that a Canary went through."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from .scene import Object

RUNNING = ("Progressing", "WaitingPromotion", "Promoting", "Finalising")
DECIDED = {"promote": "Promoting", "finalise": "Finalising"}
"""The phases that are entered when the cluster has obeyed."""
COARSE = timedelta(seconds=3)
"""Upstream's times are whole seconds, of the status write, which may follow its tick late."""


def assert_never_early(statuses: list[Object], interval: int) -> None:
    """Two steps of a run are an interval apart, whoever makes them."""
    assert [*too_early(statuses, interval)] == []


def too_early(statuses: list[Object], interval: int) -> Iterator[str]:
    """The steps that came less than an interval after the one before."""
    for before, after in early_steps(statuses, interval):
        yield f"{ticked(after) - ticked(before)} between {before} and {after}"


def early_steps(statuses: list[Object], interval: int) -> Iterator[tuple[Object, Object]]:
    """As pairs of the status before and after."""
    for before, after in pairwise(statuses):
        if before["phase"] not in RUNNING or before.get("run", {}).get("obligation"):
            continue
        if step(before) == step(after) or reaction(before, after):
            continue
        least = timedelta(seconds=interval) - (timedelta() if "run" in after else COARSE)
        if ticked(after) - ticked(before) < least:
            yield before, after


def reaction(before: Object, after: Object) -> bool:
    """Not an advance: another revision, or the Canary is deleted."""
    applied = [status.get("lastAppliedSpec") for status in (before, after)]
    return applied[0] != applied[1] or after["phase"] == "Terminating"


def step(status: Object) -> tuple[Any, ...]:
    """How far a run is; a promotion has begun when it is owed."""
    owed = DECIDED.get(status.get("run", {}).get("obligation", ""))
    counters = (status.get(key) for key in ("canaryWeight", "iterations", "failedChecks"))
    return (owed or status["phase"], *counters)


def ticked(status: Object) -> datetime:
    """When a status was written; upstream moves its transition time with every write."""
    at = status.get("run", {}).get("tickedAt") or status["lastTransitionTime"]
    return datetime.fromisoformat(at)
