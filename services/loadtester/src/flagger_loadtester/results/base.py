"""What a load test measured, whatever program it was."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Final

PERCENTILES: Final = ("50", "90", "95", "99", "100")
"""The percentiles that results keep, however many a program tells: each is a series."""
_TOO_MUCH: Final = 2**53
"""From here on a float does not count every integer."""


@dataclasses.dataclass(frozen=True)
class LoadResult:
    """The figures of one load test; what a program does not tell is None or missing."""

    requests: int
    """Requests that were answered or failed."""

    failures: int
    """Requests without an answer, or with one that is an error: a status of 400 or above."""

    rate: float
    """Requests per second."""

    mean: float | None = None
    """Mean latency in seconds."""

    percentiles: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Latency in seconds by percentile: ``50``, ``90``, ``95``, ``99``, ``100`` (the slowest)."""

    def __post_init__(self) -> None:
        """Refuse what no test can have measured, such as ``inf`` from a line that was cut."""
        figures = (self.requests, self.failures, self.rate, self.mean or 0.0)
        if not all(0 <= figure < _TOO_MUCH for figure in (*figures, *self.percentiles.values())):
            raise UnreadableError("figures out of range")


class UnreadableError(ValueError):
    """The output holds no figures; the message says what is missing."""


Parser = Callable[[str], LoadResult]
"""Reads the output of one program; raises ValueError when the figures are not there."""


def kept(latencies: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Return the percentiles that are kept, of pairs such as ``("99.0", 0.25)``."""
    named = {f"{float(name):g}": seconds for name, seconds in latencies}
    return {name: named[name] for name in PERCENTILES if name in named}
