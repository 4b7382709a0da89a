"""Request counters in Prometheus' text format, named and labelled as the built-in checks expect.

Not a metrics library: one counter and one histogram, both by method, route and status.
"""

from bisect import bisect_left
from typing import Final

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
Key = tuple[str, str, int]


def _quoted(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


class Metrics:
    """What was answered so far."""

    def __init__(self, version: str) -> None:
        self._info = f'podinfo_info{{version="{_quoted(version)}"}} 1'
        self._buckets: dict[Key, list[int]] = {}
        self._sums: dict[Key, float] = {}

    def observe(self, key: Key, seconds: float) -> None:
        """Count one answer; `key` is method, route (never a raw path) and status."""
        counts = self._buckets.get(key)
        if counts is None:
            counts = self._buckets[key] = [0] * (len(BUCKETS) + 1)
            self._sums[key] = 0.0
        counts[bisect_left(BUCKETS, seconds)] += 1
        self._sums[key] += seconds

    def render(self) -> str:
        """Return the exposition document."""
        total, duration = "http_requests_total", "http_request_duration_seconds"
        lines = [
            "# HELP podinfo_info The release.",
            "# TYPE podinfo_info gauge",
            self._info,
            f"# HELP {total} Requests answered, probes and scrapes excepted.",
            f"# TYPE {total} counter",
            *(f"{total}{{{_labels(key)}}} {sum(n)}" for key, n in self._buckets.items()),
            f"# HELP {duration} Seconds from the request to its answer.",
            f"# TYPE {duration} histogram",
        ]
        for key, counts in self._buckets.items():
            labels, running = _labels(key), 0
            for bound, count in zip((*BUCKETS, "+Inf"), counts, strict=True):
                running += count
                lines.append(f'{duration}_bucket{{{labels},le="{bound}"}} {running}')
            lines.append(f"{duration}_sum{{{labels}}} {self._sums[key]!r}")
            lines.append(f"{duration}_count{{{labels}}} {running}")
        return "\n".join(lines) + "\n"


def _labels(key: Key) -> str:
    method, route, status = key
    return f'method="{method}",path="{_quoted(route)}",status="{status}"'
