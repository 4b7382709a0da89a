"""From releases to the numbers of a scenario. Pure."""

from collections.abc import Sequence
from typing import Final

from bench.percentiles import percentile
from bench.scale.bout import Cost
from bench.scale.objects import INTERVAL
from bench.scale.record import Figures
from bench.scale.releases import Release, across, early, lags

ALLOWANCE: Final = 0.1 * INTERVAL
"""Seconds by which two advances may seem closer than they were decided: a write may be slow, and so
may be its way to the observer. Of early advances that are spread over an interval, a tenth is not
counted."""

MINUTE: Final = 60.0
REQUESTS: Final = "requests: "
"""Before what a request is, in the name of how often it is made; `requests` are all together."""


def percentiles(name: str, values: Sequence[float]) -> Figures:
    """Return `NAME50` and `NAME99`."""
    return {f"{name}{share}": percentile(values, share / 100) for share in (50, 99)}


def rested(cost: Cost, size: int) -> Figures:
    """Return the figures of `scenarios.idle`, for so many canaries."""
    return {
        "requests": cost.requests / size / (cost.seconds / MINUTE),
        "cpu": cost.cpu * 1000 / cost.seconds,
    }


def disturbed(cost: Cost, size: int, changes: int) -> Figures:
    """Return the figures of `scenarios.noise`, for so many canaries and changes beside them."""
    return {**rested(cost, size), "memory": cost.memory, "changes": changes / cost.seconds}


def rolled(releases: Sequence[Release], cost: Cost) -> Figures:
    """Return the figures of `scenarios.rolling`; all releases are over."""
    advances = sum(len(one.advances) for one in releases)
    begun, ended = min(one.pushed for one in releases), max(one.advances[-1] for one in releases)
    return {
        **percentiles("noticed_p", [one.noticed for one in releases]),
        "seconds": ended - begun,
        "failed": _failed(releases),
        "ticks": advances / len(releases),
        **percentiles("lag_p", [lag for one in releases for lag in lags(one, INTERVAL)]),
        "requests": cost.requests / advances,
        "cpu": cost.cpu * 1000 / advances,
        "cores": cost.cpu / cost.seconds,
        "memory": cost.memory,
        "peak": cost.peak,
        **{f"{REQUESTS}{what}": count / advances for what, count in cost.asked.items()},
    }


def restarted(releases: Sequence[Release], moment: float) -> Figures:
    """Return the figures of `scenarios.restart`; the new process was started at a moment."""
    found = [distance for one in releases if (distance := across(one, moment)) is not None]
    return {
        "early": early(found, INTERVAL, ALLOWANCE),
        "under_way": len(found),
        **({"shortest": min(found)} if found else {}),
        "failed": _failed(releases),
    }


def _failed(releases: Sequence[Release]) -> int:
    return sum(one.end == "Failed" for one in releases)
