"""The contract of metric sources: who judges (spec/metrics.md)."""

from typing import Protocol

from flagger_controller.errors import FlaggerError


class SourceError(FlaggerError):
    """The source could not be asked or answered nonsense; not the same as having no values."""


class NoValues(FlaggerError):
    """The source answered, and has no values for the query."""


class MetricSource(Protocol):
    """One provider of metrics."""

    async def query(self, query: str) -> float:
        """Run the query and return its one number.

        Raises:
            NoValues: the answer is empty or not a number.
            SourceError: the source could not be asked.
        """
        ...

    async def online(self) -> None:
        """Return when the source is reachable.

        Raises:
            SourceError: it is not, with the cause.
        """
        ...
