import prometheus_client

from flagger_helmtester import metrics
from flagger_helmtester.outcome import Report, Result


def test_callers_cannot_make_any_number_of_series() -> None:
    registry = prometheus_client.CollectorRegistry()
    counters = metrics.Counters(registry)
    for number in range(150):
        counters.finished(f"n{number}", Report(Result.PASSED))
    counters.finished("n0", Report(Result.PASSED))

    def count(namespace: str) -> float | None:
        labels = {"namespace": namespace, "result": "passed"}
        return registry.get_sample_value("flagger_helmtester_tests_total", labels)

    assert (count("n0"), count("n99"), count("n100"), count("other")) == (2, 1, None, 50)
    assert registry.get_sample_value("flagger_helmtester_test_duration_seconds_count") == 151
