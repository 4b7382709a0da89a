"""The summary that ``hey`` prints."""

import math
import re
from typing import Final

from .base import LoadResult, UnreadableError, kept

_START: Final = "Summary:\n"
_LINE: Final = re.compile(r"^  (Slowest|Average|Requests/sec):\s+([\d.]+|NaN)\b", re.MULTILINE)
_LATENCY: Final = re.compile(r"^  (\d+)% in ([\d.]+) secs", re.MULTILINE)
_STATUS: Final = re.compile(r"^  \[(\d+)\]\t(\d+) responses$", re.MULTILINE)
_ERROR: Final = re.compile(r"^  \[(\d+)\]\t", re.MULTILINE)
_FIRST_ERROR_STATUS: Final = 400


def parse(output: str) -> LoadResult:
    """Read the last summary; hey judges no status, so statuses from 400 count as failures.

    Raises:
        ValueError: there is no summary.
    """
    _, found, text = output.rpartition(_START)
    if not found:
        raise UnreadableError("no summary of hey")
    answers, _, errors = text.partition("Error distribution:")
    statuses = [(int(status), int(count)) for status, count in _STATUS.findall(answers)]
    lost = sum(int(count) for count in _ERROR.findall(errors))
    bad = sum(count for status, count in statuses if status >= _FIRST_ERROR_STATUS)
    figures = {name: float(value) for name, value in _LINE.findall(answers)}
    if "Requests/sec" not in figures or not (statuses or lost):
        raise UnreadableError("the summary of hey is not complete")
    # Of few requests hey prints "0% in 0.0000 secs" for the percentiles it does not know.
    latencies = [(name, float(value)) for name, value in _LATENCY.findall(answers)]
    slowest = [("100", figures["Slowest"])] if statuses and "Slowest" in figures else []
    mean = figures.get("Average", math.nan)
    return LoadResult(
        requests=lost + sum(count for _, count in statuses),
        failures=lost + bad,
        rate=figures["Requests/sec"],
        mean=None if math.isnan(mean) else mean,
        percentiles=kept(latencies + slowest),
    )
