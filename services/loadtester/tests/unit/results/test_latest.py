"""The gauges of the last results."""

import prometheus_client as prometheus

from flagger_loadtester.results.base import LoadResult
from flagger_loadtester.results.latest import MOST_CANARIES, LatestResults

LABELS = {"namespace": "test", "canary": "podinfo", "type": "hey"}


def test_the_last_result_is_told_by_canary_and_program() -> None:
    latest, registry = LatestResults("x"), prometheus.CollectorRegistry()
    registry.register(latest)
    latest.update(("test", "podinfo"), "hey", LoadResult(1, 1, 1.0, percentiles={"90": 1}), 5.0)
    latest.update(("test", "podinfo"), "hey", LoadResult(40, 8, 46.5, percentiles={"50": 0.2}), 6.0)
    latest.update(("test", "podinfo"), "wrk", LoadResult(7, 0, 1.0), 7.0)
    for name, value in {
        "requests_per_second": 46.5,
        "requests": 40,
        "failures": 8,
        "timestamp_seconds": 6.0,
    }.items():
        assert registry.get_sample_value(f"x_result_{name}", LABELS) == value
    latency = "x_result_latency_seconds"
    assert registry.get_sample_value(latency, LABELS | {"percentile": "50"}) == 0.2
    assert registry.get_sample_value(latency, LABELS | {"percentile": "90"}) is None
    assert registry.get_sample_value("x_result_requests", LABELS | {"type": "wrk"}) == 7


def test_canaries_that_were_not_heard_of_for_long_go() -> None:
    latest, registry = LatestResults("x"), prometheus.CollectorRegistry()
    registry.register(latest)
    for number in [*range(MOST_CANARIES), 0, MOST_CANARIES]:
        latest.update(("test", f"c{number}"), "hey", LoadResult(number, 0, 1.0), 1.0)
    known = [
        sample.labels["canary"]
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "x_result_requests"
    ]
    assert len(known) == MOST_CANARIES
    assert {"c0", "c1", f"c{MOST_CANARIES}"} & set(known) == {"c0", f"c{MOST_CANARIES}"}
