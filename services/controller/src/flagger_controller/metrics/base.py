"""The contract of metric sources: who judges (spec/metrics.md)."""

from collections.abc import Mapping
from typing import Protocol

from flagger_controller import net
from flagger_controller.api.metrictemplate import MetricTemplateProvider
from flagger_controller.errors import FlaggerError

Secret = Mapping[str, str]
"""The decoded data of a Secret."""


class SourceError(FlaggerError):
    """The source could not be asked or answered nonsense; not the same as having no values."""


class NoValues(FlaggerError):
    """The source answered, and has no values for the query."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"no values found: {detail}" if detail else "no values found")


class MetricSource(Protocol):
    """One provider of metrics."""

    async def query(self, query: str) -> float:
        """Run the query and return its one number, which is finite.

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


class SourceFactory(Protocol):
    """How a source is made; the classes of `METRIC_SOURCES` are called so."""

    def __call__(
        self, provider: MetricTemplateProvider, secret: Secret, interval: str, http: net.Http
    ) -> MetricSource:
        """Make the source.

        Args:
            provider: address and options.
            secret: data of the referred Secret, empty without a reference.
            interval: the metric's window as written, for sources that take it as a parameter.
            http: the client for everything outside the cluster's API.

        Raises:
            ConfigError: something is missing or malformed.
        """
        ...
