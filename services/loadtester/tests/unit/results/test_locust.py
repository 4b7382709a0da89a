"""Documents of Locust: what is read from them, and what is refused."""

import copy
from typing import Any

import pytest

from flagger_loadtester.results import locust
from flagger_loadtester.results.base import LoadResult

TOTAL = {
    "num_requests": 200,
    "num_failures": 7,
    "total_rps": 19.96,
    "avg_response_time": 12.25,
    "median_response_time": 11.04,
    "response_time_percentile_0.95": 25,
    "response_time_percentile_0.99": 1200,
    "max_response_time": 1249,
}
ERRORS = [
    {"method": "GET", "name": f"/{n}", "error": "HTTPError('404')", "occurrences": 1}
    for n in range(7)
]
DOCUMENT: dict[str, Any] = {
    "stats": [{"num_requests": 1}, TOTAL],
    "errors": ERRORS,
    "exceptions": [{"msg": "'x'", "traceback": "  File\n    raise KeyError('x')\n", "count": 2}],
}


def test_figures_are_those_of_the_sum() -> None:
    percentiles = {"50": 0.011, "95": 0.025, "99": 1.2, "100": 1.249}
    result = LoadResult(200, 7, 19.96, mean=0.01225, percentiles=percentiles)
    assert locust.read(DOCUMENT).result == result


def test_a_summary_is_short() -> None:
    errors = [f"error: GET /{n}: HTTPError('404') (1 times)\n" for n in range(5)]
    assert locust.read(DOCUMENT).summary() == (
        "200 requests, 7 failed, 20.0/s\n"
        "latency: p50 11ms, p95 25ms, p99 1.2s, p100 1.249s\n"
        f"{''.join(errors)}2 more errors\n"
        "exception: 'x' at raise KeyError('x') (2 times)\n"
    )
    long = DOCUMENT | {"errors": [ERRORS[0] | {"error": "x" * 5000}], "exceptions": []}
    assert len(locust.read(long).summary()) < 500


def test_nothing_measured_has_no_latency() -> None:
    report = locust.read(DOCUMENT | {"stats": [TOTAL | {"num_requests": 0}]})
    assert report.result.percentiles == {}


@pytest.mark.parametrize(
    "change",
    [
        {"stats": []},
        {"stats": None},
        {"stats": [TOTAL | {"num_requests": "many"}]},
        {"stats": [TOTAL | {"avg_response_time": float("nan")}]},
        {"stats": [TOTAL | {"max_response_time": None}]},
        {"errors": [{}]},
        {"exceptions": [{"msg": "x", "count": 1}]},
    ],
)
def test_other_documents_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^no report of Locust: "):
        locust.read(copy.deepcopy(DOCUMENT) | change)
