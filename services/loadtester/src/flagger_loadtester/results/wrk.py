"""The report of ``wrk``, with and without ``--latency``."""

import re
from typing import Final

from flagger_common import durations

from .base import LoadResult, UnreadableError, kept

_START: Final = "  Thread Stats   Avg      Stdev     Max   +/- Stdev\n"
_MEAN_AND_MAX: Final = re.compile(
    r"^    Latency\s+([\d.]+\w+)\s+[\d.]+\w+\s+([\d.]+\w+)", re.MULTILINE
)
_LATENCY: Final = re.compile(r"^\s+([\d.]+)%\s+([\d.]+[a-z]+)$", re.MULTILINE)
_REQUESTS: Final = re.compile(r"^  (\d+) requests in ", re.MULTILINE)
_SOCKET: Final = re.compile(
    r"^  Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$", re.MULTILINE
)
_BAD: Final = re.compile(r"^  Non-2xx or 3xx responses: (\d+)$", re.MULTILINE)
_RATE: Final = re.compile(r"^Requests/sec:\s+([\d.]+)$", re.MULTILINE)


def parse(output: str) -> LoadResult:
    """Read the last report; socket errors are requests without an answer.

    Raises:
        ValueError: there is no report, as when wrk could not connect at all.
    """
    _, found, text = output.rpartition(_START)
    requests, rate = _REQUESTS.search(text), _RATE.search(text)
    if not found or not requests or not rate:
        raise UnreadableError("no report of wrk")
    socket, bad = _SOCKET.search(text), _BAD.search(text)
    lost = sum(int(count) for count in socket.groups()) if socket else 0
    times = _MEAN_AND_MAX.search(text)
    latencies = [(name, durations.parse(value)) for name, value in _LATENCY.findall(text)]
    answered = int(requests[1])
    if times and answered:
        latencies.append(("100", durations.parse(times[2])))
    return LoadResult(
        requests=answered + lost,
        failures=lost + (int(bad[1]) if bad else 0),
        rate=float(rate[1]),
        mean=durations.parse(times[1]) if times and answered else None,
        percentiles=kept(latencies) if answered else {},
    )
