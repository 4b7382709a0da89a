"""The tables that ``locust --headless`` prints at the end, or the JSON of ``--json`` alone."""

import collections
import re
from collections.abc import Mapping
from typing import Annotated, Final

import pydantic

from .base import PERCENTILES, LoadResult, UnreadableError, kept

_TOTAL: Final = re.compile(
    r"^ +Aggregated +(\d+) +(\d+)\([\d.]+%\) +\| +(\d+) +\d+ +(\d+) +\d+ +\| +([\d.]+) ",
    re.MULTILINE,
)
_LATENCIES: Final = re.compile(r"^ +Aggregated((?: +\d+)+)$", re.MULTILINE)
_HEADER: Final = re.compile(r"^Type +Name((?: +[\d.]+%)+) +# reqs$", re.MULTILINE)
_DOCUMENT: Final = re.compile(r"^\[$", re.MULTILINE)
_MILLISECOND: Final = 1e-3

_Amount = Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)]
_Count = Annotated[int, pydantic.Field(ge=0, lt=2**53)]


class _Entry(pydantic.BaseModel):
    """What Locust knows about one name of a request."""

    requests: _Count = pydantic.Field(alias="num_requests")
    failures: _Count = pydantic.Field(alias="num_failures")
    started: _Amount = pydantic.Field(alias="start_time")
    """Unix seconds."""
    ended: _Amount | None = pydantic.Field(alias="last_request_timestamp")
    """Unix seconds; None when no request came back."""
    total: _Amount = pydantic.Field(alias="total_response_time")
    """Milliseconds of all requests together."""
    slowest: _Amount = pydantic.Field(alias="max_response_time")
    """Milliseconds."""
    times: Mapping[_Amount, _Count] = pydantic.Field(alias="response_times")
    """How many requests took how many milliseconds."""


_ENTRIES: Final = pydantic.TypeAdapter(list[_Entry])


def parse(output: str) -> LoadResult:
    """Read the last tables; without tables, as after ``2>/dev/null``, the JSON.

    Raises:
        ValueError: there is neither.
    """
    if totals := _TOTAL.findall(output):
        return _tables(totals[-1], output)
    if start := _DOCUMENT.search(output):
        return _json(output[start.start() :])
    raise UnreadableError("no tables of Locust")


def _tables(total: tuple[str, ...], output: str) -> LoadResult:
    requests, failures, mean, slowest, rate = total
    known = int(requests) > 0
    latencies = [("100", float(slowest) * _MILLISECOND)]
    headers, rows = _HEADER.findall(output), _LATENCIES.findall(output)
    if headers and rows:
        names = [name.rstrip("%") for name in headers[-1].split()]
        latencies = [
            (name, float(value) * _MILLISECOND)
            for name, value in zip(names, rows[-1].split(), strict=False)  # a count is at the end
        ]
    return LoadResult(
        requests=int(requests),
        failures=int(failures),
        rate=float(rate),
        mean=float(mean) * _MILLISECOND if known else None,
        percentiles=kept(latencies) if known else {},
    )


def _json(text: str) -> LoadResult:
    entries = [one for one in _ENTRIES.validate_json(text) if one.requests and one.ended]
    requests = sum(one.requests for one in entries)
    if not requests:
        return LoadResult(requests=0, failures=0, rate=0.0)
    ended = max(one.ended or 0.0 for one in entries)
    seconds = ended - min(one.started for one in entries)
    times: collections.Counter[float] = collections.Counter()
    for one in entries:
        times.update(one.times)
    slowest = max(one.slowest for one in entries) * _MILLISECOND
    return LoadResult(
        requests=requests,
        failures=sum(one.failures for one in entries),
        rate=requests / seconds if seconds > 0 else 0.0,
        mean=sum(one.total for one in entries) * _MILLISECOND / requests,
        percentiles=kept([*_percentiles(times), ("100", slowest)]),
    )


def _percentiles(times: Mapping[float, int]) -> list[tuple[str, float]]:
    """Return the latencies that this share of the requests did not exceed."""
    slowest_first = sorted(times.items(), reverse=True)
    requests = sum(times.values())
    found = []
    for name in PERCENTILES:
        above = requests - requests * float(name) / 100
        for milliseconds, count in slowest_first:
            above -= count
            if above < 0:
                found.append((name, milliseconds * _MILLISECOND))
                break
    return found
