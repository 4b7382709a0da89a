"""The dashboard of a data plane: requests and resources of primary and canary, side by side.

Which Canaries there are is taken from the controller's series; upstream's has them, too.
"""

from dataclasses import dataclass
from typing import Final

from tools.dashboards.panels import Dashboard, Panel, Query, Row, Variable

WINDOW: Final = "[$__rate_interval]"
NAMESPACE: Final = Variable(
    "namespace", "Namespace", "label_values(flagger_canary_status, namespace)"
)
TARGET: Final = Variable(
    "target", "Target", 'label_values(flagger_canary_status{namespace="$namespace"}, name)'
)
SIDECARS: Final = "|POD|istio-proxy|linkerd-proxy|envoy|kuma-sidecar"
"""Containers that are not the application's; the empty name stands for the whole pod."""
QUANTILES: Final = (0.5, 0.9, 0.99)
TEXT: Final = "Requests and resources of primary and canary, side by side."


@dataclass(frozen=True)
class Side:
    """What belongs to the primary, or to the canary."""

    title: str
    requests: str
    """Matchers of its series of requests."""
    pods: str
    """Matchers of its pods in the series of containers."""


def sides(primary: str, canary: str) -> tuple[Side, ...]:
    """Both sides of a target: matchers of the requests to its primary and to itself."""
    namespace, other = 'namespace="$namespace"', '"$target-primary-.+"'
    return (
        Side("Primary", primary, f"{namespace}, pod=~{other}"),
        Side("Canary", canary, f'{namespace}, pod=~"$target-.+", pod!~{other}'),
    )


@dataclass(frozen=True)
class Latency:
    """How long requests take."""

    metric: str
    """A histogram, with its ending, or without for a mean."""
    unit: str = "ms"
    mean: bool = False

    def panel(self, side: Side) -> Panel:
        """A picture of one side."""
        title = f"{side.title}: duration of requests"
        if self.mean:
            total, count = (
                rate(f"{self.metric}_{part}", side.requests) for part in ("sum", "count")
            )
            return Panel(title, (Query(f"{total} / {count}", "mean"),), self.unit)
        buckets = f"sum by (le) (rate({self.metric}{{{side.requests}}}{WINDOW}))"
        queries = tuple(
            Query(f"histogram_quantile({each}, {buckets})", f"P{each * 100:g}")
            for each in QUANTILES
        )
        return Panel(title, queries, self.unit)


@dataclass(frozen=True)
class Plane:
    """What a data plane knows about requests."""

    name: str
    """Of the file; `flagger-NAME` is the uid."""
    title: str
    requests: str
    """The counter."""
    good: str
    """Matcher of requests that did not fail."""
    latency: Latency
    sides: tuple[Side, ...]
    variables: tuple[Variable, ...] = (NAMESPACE, TARGET)
    traffic: str = ""
    """A counter of received bytes."""
    every: str = ""
    """Matcher that all requests need."""
    more: tuple[Row, ...] = ()

    def dashboard(self) -> Dashboard:
        """Its page."""
        rows = (self._volume(), self._duration(), resources(self.sides), *self.more)
        title = f"{self.title} Canary"
        return Dashboard(f"flagger-{self.name}", title, TEXT, self.variables, rows)

    def _volume(self) -> Row:
        width = 12 // len(self.sides)
        panels: list[Panel] = []
        for side in self.sides:
            volume, success = self.volume(side), self.success(side)
            panels += [
                Panel(f"{side.title}: requests", (Query(volume),), "reqps", "stat", width),
                Panel(f"{side.title}: success", (Query(success),), "percentunit", "stat", width),
            ]
        return Row("Requests of $target.$namespace", tuple(panels))

    def volume(self, side: Side) -> str:
        """Requests a second."""
        return rate(self.requests, side.requests, self.every)

    def success(self, side: Side) -> str:
        """The part of the requests that did not fail."""
        return f"{rate(self.requests, side.requests, self.every, self.good)} / {self.volume(side)}"

    def _duration(self) -> Row:
        panels = [self.latency.panel(side) for side in self.sides]
        if self.traffic:
            panels += [
                Panel(
                    f"{side.title}: received",
                    (Query(rate(self.traffic, side.requests), "bytes"),),
                    "Bps",
                )
                for side in self.sides
            ]
        return Row("Duration and traffic" if self.traffic else "Duration", tuple(panels))


def rate(metric: str, *matchers: str) -> str:
    """Of all series that match, together."""
    return f"sum(rate({metric}{{{', '.join(filter(None, matchers))}}}{WINDOW}))"


def resources(found: tuple[Side, ...]) -> Row:
    """What the pods of both sides use."""
    cpu = [Panel(f"{s.title}: CPU by pod", _by_pod(_CPU, s), "short") for s in found]
    memory = [Panel(f"{s.title}: memory by pod", _by_pod(_MEMORY, s), "bytes") for s in found]
    network = [Panel(f"{s.title}: network", _network(s), "Bps") for s in found]
    return Row("Pods of $target.$namespace", (*cpu, *memory, *network))


_CPU: Final = "sum by (pod) (rate(container_cpu_usage_seconds_total{%s}" + WINDOW + "))"
_MEMORY: Final = "sum by (pod) (container_memory_working_set_bytes{%s})"
_BYTES: Final = "sum by (pod) (rate(container_network_%s_bytes_total{%s}" + WINDOW + "))"


def _by_pod(expr: str, side: Side) -> tuple[Query, ...]:
    return (Query(expr % f'{side.pods}, container!~"{SIDECARS}"', "{{pod}}"),)


def _network(side: Side) -> tuple[Query, ...]:
    return (
        Query(_BYTES % ("receive", side.pods), "{{pod}} in"),
        Query("-" + _BYTES % ("transmit", side.pods), "{{pod}} out"),
    )
