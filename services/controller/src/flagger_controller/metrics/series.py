"""How series are made: in one registry object, with our prefix, nothing global."""

from collections.abc import Iterable, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
    generate_latest,
)


class _Registry(CollectorRegistry):
    """Without the `_created` series, which upstream lacks and nobody queries.

    The library can only switch them off for the whole process.
    """

    def collect(self) -> Iterable[Metric]:
        for family in super().collect():
            family.samples = [each for each in family.samples if not each.name.endswith("_created")]
            yield family


class Series:
    """Makes series of one process, and renders them."""

    def __init__(self) -> None:
        """Begin with those of the process itself."""
        self._registry = _Registry()
        ProcessCollector(registry=self._registry)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """A gauge; `flagger_` is put in front of its name."""
        return Gauge(f"flagger_{name}", text, labels, registry=self._registry)

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """A counter; its name gets the ending `_total`, too."""
        return Counter(f"flagger_{name}", text, labels, registry=self._registry)

    def histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        """A histogram with the upper bounds of its buckets, the infinite one left out."""
        return Histogram(f"flagger_{name}", text, labels, registry=self._registry, buckets=buckets)

    def render(self) -> bytes:
        """Everything in the text format."""
        return generate_latest(self._registry)
