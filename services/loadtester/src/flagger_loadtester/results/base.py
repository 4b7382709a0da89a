"""What a load test measured, whatever program it was."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class LoadResult:
    """The figures of one load test; what a program does not tell is None or missing."""

    requests: int
    """Requests that were answered or failed."""

    failures: int
    """Requests without an answer, or with one that the program counts as an error."""

    rate: float
    """Requests per second."""

    mean: float | None = None
    """Mean latency in seconds."""

    percentiles: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Latency in seconds by percentile: ``50``, ``90``, ``95``, ``99``, ``100`` (the slowest)."""
