"""The figures of a Locust test, as its master's web API gives them and our locustfile writes them.

Locust rounds latencies: to milliseconds, above 100 ms to two digits.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Final

from flagger_common import durations

from .base import LoadResult

_SHOWN: Final = 5
"""Different errors in a summary."""
_LENGTH: Final = 300
"""Characters of one error in a summary."""
_PERCENTILES: Final = {
    "50": "median_response_time",
    "95": "response_time_percentile_0.95",
    "99": "response_time_percentile_0.99",
    "100": "max_response_time",
}


@dataclasses.dataclass(frozen=True)
class Report:
    """What a test measured and what went wrong in it."""

    result: LoadResult
    """The figures of all requests."""

    errors: tuple[str, ...] = ()
    """Errors of requests, with their numbers."""

    exceptions: tuple[str, ...] = ()
    """Exceptions of the locustfile, with their numbers."""

    def summary(self) -> str:
        """Return it for a reader, a line for each thing."""
        result = self.result
        lines = [f"{result.requests} requests, {result.failures} failed, {result.rate:.1f}/s"]
        if result.percentiles:
            figures = [f"p{key} {durations.render(v)}" for key, v in result.percentiles.items()]
            lines.append(f"latency: {', '.join(figures)}")
        for title, found in (("error", self.errors), ("exception", self.exceptions)):
            lines += [f"{title}: {each}" for each in found[:_SHOWN]]
            if len(found) > _SHOWN:
                lines.append(f"{len(found) - _SHOWN} more {title}s")
        return "\n".join(lines) + "\n"


def read(document: Mapping[str, Any]) -> Report:
    """Read the document; the last of its ``stats`` is the sum of all.

    Raises:
        ValueError: for a document of another form.
    """
    try:
        total = document["stats"][-1]
        result = LoadResult(
            requests=int(total["num_requests"]),
            failures=int(total["num_failures"]),
            rate=float(total["total_rps"]),
            mean=_seconds(total["avg_response_time"]),
            percentiles=_percentiles(total),
        )
        errors = tuple(
            _line(f"{row['method']} {row['name']}: {row['error']}", row["occurrences"])
            for row in document["errors"]
        )
        exceptions = tuple(
            _line(f"{row['msg']} at {_place(row['traceback'])}", row["count"])
            for row in document["exceptions"]
        )
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"no report of Locust: {error!r}") from error
    return Report(result, errors, exceptions)


def _percentiles(total: Mapping[str, Any]) -> dict[str, float]:
    """Return what is there: locustfiles may change which percentiles Locust computes."""
    if not total["num_requests"]:
        return {}
    found = {key: total[name] for key, name in _PERCENTILES.items() if name in total}
    return {key: round(_seconds(value), 3) for key, value in found.items()}


def _seconds(milliseconds: float) -> float:
    if not math.isfinite(milliseconds):
        raise ValueError(f"{milliseconds} is no time")
    return milliseconds / 1000


def _place(traceback: str) -> str:
    """Return the last line: the code that raised it, as Locust does not tell the type."""
    return traceback.strip().rpartition("\n")[2].strip()


def _line(text: str, count: int) -> str:
    short = text if len(text) <= _LENGTH else f"{text[:_LENGTH]}..."
    return f"{short} ({count} times)"
