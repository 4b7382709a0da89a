"""What must hold over everything that a Canary went through."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from .scene import Object

RUNNING = ("Progressing", "WaitingPromotion", "Promoting", "Finalising")


def assert_never_early(statuses: list[Object], interval: int) -> None:
    """Two steps of a run are an interval apart, whoever makes them."""
    for before, after in pairwise(statuses):
        if before["phase"] not in RUNNING or before["run"].get("obligation"):
            continue
        if step(before) == step(after):
            continue
        gap = ticked(after) - ticked(before)
        assert gap >= timedelta(seconds=interval), f"{gap} between {before} and {after}"


def step(status: Object) -> tuple[Any, ...]:
    return tuple(status.get(key) for key in ("phase", "canaryWeight", "iterations", "failedChecks"))


def ticked(status: Object) -> datetime:
    return datetime.fromisoformat(status["run"]["tickedAt"])
