"""What a Locust test is asked to do, wherever it runs, and whether what it measured will do."""

import dataclasses
import math
import re
import sys
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from flagger_common import durations

from ..outcome import Outcome
from ..results.locust import Report
from . import base

MARGIN: Final = 20
"""Seconds of a task's time limit for what is not load: Locust's start, and its end."""
_USERS: Final = 10
_RUN_TIME: Final = 60.0
_ADDRESS: Final = re.compile(r"[!-~]+")
_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class Plan:
    """The load, and the limits of what it measures."""

    host: str
    """Base URL of what is tested."""

    users: int
    """Users at the same time."""

    spawn_rate: float
    """Users that start in a second."""

    run_time: int
    """Seconds; Locust knows whole ones only."""

    fail_ratio: float
    """Share of requests that may fail, 0 to 1."""

    p95: float | None
    """Limit of the 95th percentile of latency in seconds."""

    log_output: bool
    """See `base.Work`."""

    return_output: bool
    """See `base.Work`."""

    @property
    def label(self) -> str:
        """What the log calls the test."""
        return f"locust {self.host}, {self.users} users, {durations.render(self.run_time)}"

    def complaint(self, report: Report) -> str:
        """Say what is wrong with the measured figures; empty when nothing is."""
        result = report.result
        if report.exceptions:
            return f"the locustfile raised {report.exceptions[0]}"
        if not result.requests:
            return "no request was made"
        complaints = []
        if result.failures / result.requests > self.fail_ratio:
            share = f"{result.failures / result.requests:.1%}"
            counts = f"{result.failures} of {result.requests} requests failed, {share}"
            complaints.append(f"{counts}; the limit is {self.fail_ratio:.1%}")
        if self.p95 is not None:
            complaints += _late(result.percentiles.get("95"), self.p95)
        return "; ".join(complaints)


@dataclasses.dataclass(frozen=True)
class Planned:
    """What the work of a Locust test is, wherever it runs; see `base.Work`."""

    canary: str
    """``name.namespace``."""

    plan: Plan
    """The load."""

    @property
    def label(self) -> str:
        """What the log calls the test."""
        return self.plan.label

    @property
    def log_output(self) -> bool:
        """Whether what a good test measured is logged."""
        return self.plan.log_output

    @property
    def return_output(self) -> bool:
        """Whether it is the body of the reply."""
        return self.plan.return_output

    def failure(self, outcome: Outcome) -> str:
        """Return reason and summary."""
        return f"{self.label} failed: {outcome.reason}\n{outcome.output}"


def _late(measured: float | None, limit: float) -> list[str]:
    if measured is None:  # the locustfile chose other percentiles
        return ["the 95th percentile was not measured"]
    if measured <= limit:
        return []
    figures = durations.render(measured), durations.render(limit)
    return ["the 95th percentile of latency is {}; the limit is {}".format(*figures)]


def read(metadata: Mapping[str, str], timeout: float, *, blocking: bool) -> Plan:
    """Read the metadata that all Locust tests have.

    Args:
        metadata: of the hook.
        timeout: limit of the task in seconds; a longer test is cut to what fits into it.
        blocking: whether the result decides; then no request may fail unless `failRatio` is given.

    Raises:
        base.TaskError: naming the key, its value, and what is expected.
    """
    users = number(metadata, "users", _USERS)
    wanted = _get(metadata, "runTime", _seconds, _RUN_TIME, "a duration above zero, say 1m30s")
    return Plan(
        host=_read(
            metadata.get("host", ""), "host", _host, "a URL, say http://podinfo-canary.test"
        ),
        users=users,
        spawn_rate=_get(metadata, "spawnRate", _rate, float(users), "a number above zero"),
        run_time=min(math.ceil(wanted), max(1, math.floor(timeout - MARGIN))),
        fail_ratio=_get(
            metadata, "failRatio", _ratio, 0.0 if blocking else 1.0, "a number from 0 to 1"
        ),
        p95=_get(metadata, "p95", _seconds, None, "a duration above zero, say 500ms"),
        log_output=blocking or base.flag(metadata, "logCmdOutput"),
        return_output=base.flag(metadata, "returnCmdOutput"),
    )


def number(metadata: Mapping[str, str], key: str, default: int) -> int:
    """Read a number of things.

    Raises:
        base.TaskError: when it is not a whole number above zero.
    """
    return _get(metadata, key, _count, default, "a whole number above zero")


def refuse(metadata: Mapping[str, str], keys: tuple[str, ...], why: str) -> None:
    """Refuse keys that mean nothing to this kind of test.

    Raises:
        base.TaskError: naming the first of them.
    """
    for key in keys:
        if key in metadata:
            raise base.TaskError(f"{key} cannot be given: {why}")


def _get(
    metadata: Mapping[str, str],
    key: str,
    convert: Callable[[str], _T],
    default: _T,
    expected: str,
) -> _T:
    return _read(metadata[key], key, convert, expected) if key in metadata else default


def _read(text: str, key: str, convert: Callable[[str], _T], expected: str) -> _T:
    try:
        return convert(text)
    except ValueError as error:
        raise base.TaskError(f'{key} is "{text}", expected {expected}') from error


def _host(text: str) -> str:
    parts = urllib.parse.urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("no URL")
    if not _ADDRESS.fullmatch(text) or (parts.port is not None and parts.port == 0):
        raise ValueError("odd characters, or no port")
    return text


def _count(text: str) -> int:
    return int(_within(int(text), 1))


def _rate(text: str) -> float:
    rate = _within(float(text), 0)
    if rate == 0:
        raise ValueError("nobody starts")
    return rate


def _ratio(text: str) -> float:
    return _within(float(text), 0, 1)


def _seconds(text: str) -> float:
    seconds = durations.parse(text)
    if seconds <= 0:
        raise ValueError("no time")
    return seconds


def _within(value: float, low: float, high: float = sys.float_info.max) -> float:
    if not low <= value <= high:  # so NaN is not, either
        raise ValueError("out of range")
    return value
