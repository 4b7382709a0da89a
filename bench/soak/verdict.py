"""Is it flat, and is everything gone? Pure."""

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Final

SAMPLES: Final = 20
CONFIDENCE: Final = 5.041
"""Student's t for 99.9 % and eight degrees of freedom: the second half has ten samples.

With 95 % one run in ten would be blamed for chance, such as tasks that happen to run.
"""
NEGLIGIBLE: Final = 0.01
"""Growth over the second half, as a share, that is below what we can tell from noise."""
PER: Final = 100_000
"""Ticks that slopes are given for."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """What the process had at one moment."""

    ticks: int
    hours: float
    """Virtual ones."""
    revisions: int
    """That were pushed."""
    deleted: int
    """Canaries that are gone."""
    blocks: int
    """That Python has allocated, after a garbage collection."""
    memory: float
    """Resident, in MiB."""
    tasks: int
    files: int
    """Open file descriptors, sockets included."""
    entries: int
    """In all containers of the controller."""


@dataclasses.dataclass(frozen=True)
class Slope:
    """How one figure changed over the second half."""

    name: str
    slope: float
    """For 100,000 ticks."""
    error: float
    """Its standard error."""
    growth: float
    """Over the half, as a share of the mean."""

    @property
    def flat(self) -> bool:
        """It does not grow: not for sure, or not enough to matter."""
        return self.slope <= CONFIDENCE * self.error or self.growth < NEGLIGIBLE


def slopes(samples: Sequence[Sample]) -> list[Slope]:
    """Return the slopes of what must be flat.

    Raises:
        ValueError: there are not twenty samples.
    """
    if len(samples) != SAMPLES:
        raise ValueError(f"{len(samples)} samples, where the verdict needs {SAMPLES}")
    half = samples[SAMPLES // 2 :]
    return [_slope(name, half) for name in ("blocks", "memory", "tasks", "files", "entries")]


def _slope(name: str, samples: Sequence[Sample]) -> Slope:
    ticks = [sample.ticks / PER for sample in samples]
    values = [float(getattr(sample, name)) for sample in samples]
    slope, intercept = statistics.linear_regression(ticks, values)
    rest = sum((y - intercept - slope * x) ** 2 for x, y in zip(ticks, values, strict=True))
    middle = statistics.fmean(ticks)
    spread = sum((x - middle) ** 2 for x in ticks)
    error = math.sqrt(rest / (len(ticks) - 2) / spread)
    return Slope(name, slope, error, slope * (ticks[-1] - ticks[0]) / statistics.fmean(values))


def grown(found: Sequence[Slope]) -> list[str]:
    """Return what grew, as sentences; empty: all is flat."""
    return [
        f"{each.name} grow by {each.slope:.4g} ± {CONFIDENCE * each.error:.2g} for {PER:,} ticks,"
        f" {each.growth:.1%} over the second half"
        for each in found
        if not each.flat
    ]


def left(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """Return what is left when everything was deleted, as sentences; empty: nothing is.

    Args:
        before: entries by container, before there was anything.
        after: the same at the end.
    """
    return [
        f"{name} has {count} entries when everything is deleted, {before.get(name, 0)} at first"
        for name, count in sorted(after.items())
        if count > before.get(name, 0)
    ]
