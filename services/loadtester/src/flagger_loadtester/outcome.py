"""How a task ended, whatever it was."""

import dataclasses

from .results.base import LoadResult


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a task ended."""

    output: str
    """What it printed, capped, or what it measured."""

    reason: str = ""
    """Empty for success; of a command upstream's words: ``exit status 1``, ..."""

    result: LoadResult | None = None
    """What a load test measured."""
