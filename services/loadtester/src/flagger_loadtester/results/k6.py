"""The summary that ``k6 run`` prints at the end, of old versions and of those since 1.0."""

import re
from typing import Final

from flagger_common import durations

from .base import LoadResult, UnreadableError, kept

_REQUESTS: Final = re.compile(r"^[ ✓✗]*http_reqs\.*: (\d+)\s+([\d.]+)/s$", re.MULTILINE)
_FAILED: Final = re.compile(
    r"^[ ✓✗]*http_req_failed\.*: [\d.]+%\s+(?:✓ (\d+)\s+✗ \d+|(\d+) out of \d+)$", re.MULTILINE
)
"""Old versions tell how many have failed after a tick, and the others after a cross."""
_DURATION: Final = re.compile(r"^[ ✓✗]*http_req_duration\.*: (.+)$", re.MULTILINE)
_TREND: Final = re.compile(r"(\w+|p\([\d.]+\))=(\S+)")
_NAMES: Final = {"med": "50", "max": "100"}


def parse(output: str) -> LoadResult:
    """Read the last summary.

    Raises:
        ValueError: there is no summary, or the script made no HTTP requests.
    """
    requests, failed = _last(_REQUESTS, output), _last(_FAILED, output)
    if requests is None or failed is None:
        raise UnreadableError("no HTTP requests in the summary of k6")
    duration = _last(_DURATION, output)
    trend = _TREND.findall(duration[1]) if duration else []
    times = {name: durations.parse(value) for name, value in trend if name != "count"}
    return LoadResult(
        requests=int(requests[1]),
        failures=int(failed[1] or failed[2]),
        rate=float(requests[2]),
        mean=times.get("avg"),
        percentiles=kept(
            (_NAMES.get(name) or name[2:-1], seconds)
            for name, seconds in times.items()
            if name in _NAMES or name.startswith("p(")
        ),
    )


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    last = None
    for found in pattern.finditer(text):
        last = found
    return last
