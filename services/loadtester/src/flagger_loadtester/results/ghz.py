"""The summary of ``ghz``, as text or as JSON (``--format json`` or ``pretty``)."""

import re
from collections.abc import Mapping
from typing import Annotated, Final

import pydantic

from flagger_common import durations

from .base import LoadResult, UnreadableError, kept

_START: Final = "Summary:\n"
_DOCUMENT: Final = re.compile(r"^\{", re.MULTILINE)
_COUNT: Final = re.compile(r"^  Count:\s+(\d+)$", re.MULTILINE)
_RATE: Final = re.compile(r"^  Requests/sec:\s+([\d.]+)$", re.MULTILINE)
_TIME: Final = re.compile(r"^  (Slowest|Average):\s+([\d.]+) ?([a-zµ]+)$", re.MULTILINE)
_LATENCY: Final = re.compile(r"^  (\d+) ?% in ([\d.]+) ?([a-zµ]+) ?$", re.MULTILINE)
_OK: Final = re.compile(r"^  \[OK\]\s+(\d+) responses? *$", re.MULTILINE)
_NANOSECOND: Final = 1e-9

_Count = Annotated[int, pydantic.Field(ge=0)]
_Amount = Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)]


class _Latency(pydantic.BaseModel):
    percentage: _Amount
    latency: _Amount
    """Nanoseconds."""


class _Report(pydantic.BaseModel):
    count: _Count
    rps: _Amount
    average: _Amount
    """Nanoseconds."""
    slowest: _Amount
    """Nanoseconds."""
    statuses: Mapping[str, _Count] = pydantic.Field({}, alias="statusCodeDistribution")
    latencies: list[_Latency] | None = pydantic.Field(None, alias="latencyDistribution")


def parse(output: str) -> LoadResult:
    """Read the last summary; every status but ``OK`` is a failure.

    JSON has a line for each call, so that of a long test is cut (``-max-output``) and unreadable.

    Raises:
        ValueError: there is no summary.
    """
    _, found, text = output.rpartition(_START)
    if found:
        return _text(text)
    if start := _DOCUMENT.search(output):
        return _json(output[start.start() :])
    raise UnreadableError("no summary of ghz")


def _text(text: str) -> LoadResult:
    count, rate, fine = _COUNT.search(text), _RATE.search(text), _OK.search(text)
    if not count or not rate:
        raise UnreadableError("the summary of ghz is not complete")
    requests = int(count[1])
    times = {name: durations.parse(value + unit) for name, value, unit in _TIME.findall(text)}
    latencies = [
        (name, durations.parse(value + unit)) for name, value, unit in _LATENCY.findall(text)
    ]
    if "Slowest" in times:
        latencies.append(("100", times["Slowest"]))
    return LoadResult(
        requests=requests,
        failures=requests - (int(fine[1]) if fine else 0),
        rate=float(rate[1]),
        mean=times.get("Average") if requests else None,
        percentiles=kept(latencies) if requests else {},
    )


def _json(text: str) -> LoadResult:
    report = _Report.model_validate_json(text)
    latencies = [(f"{one.percentage}", one.latency * _NANOSECOND) for one in report.latencies or []]
    latencies.append(("100", report.slowest * _NANOSECOND))
    return LoadResult(
        requests=report.count,
        failures=report.count - report.statuses.get("OK", 0),
        rate=report.rps,
        mean=report.average * _NANOSECOND if report.count else None,
        percentiles=kept(latencies) if report.count else {},
    )
