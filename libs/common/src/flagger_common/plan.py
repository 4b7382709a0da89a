"""What is executed: programs joined by pipes, and pipelines joined as a shell joins them."""

import dataclasses
import enum
from collections.abc import Sequence

Argv = tuple[str, ...]
"""Program and arguments."""

Pipeline = tuple[Argv, ...]
"""Programs of which each reads what the one before it writes; never empty."""


class Connector(enum.StrEnum):
    """When a pipeline runs, given the status of the last one that ran."""

    ALWAYS = ";"
    ON_SUCCESS = "&&"
    ON_FAILURE = "||"

    def runs_after(self, success: bool) -> bool:
        """Say whether the pipeline runs; `&&` and `||` bind alike, from left to right."""
        return self is Connector.ALWAYS or (self is Connector.ON_SUCCESS) == success


@dataclasses.dataclass(frozen=True)
class Plan:
    """Pipelines in order, each with the connector before it; an empty plan succeeds."""

    steps: tuple[tuple[Connector, Pipeline], ...] = ()

    pipefail: bool = False
    """Whether a pipeline fails with any of its programs, instead of with the last one only."""

    errors: bool = True
    """Whether what programs write to standard error is output, too; else it is dropped."""

    @classmethod
    def of(cls, argv: Sequence[str], *, errors: bool = True) -> "Plan":
        """Return the plan of one program."""
        return cls(((Connector.ALWAYS, (tuple(argv),)),), errors=errors)
