"""Our own series of the process."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from flagger_controller.metrics.process import ProcessSeries
from flagger_controller.metrics.series import Series


class Bench:
    """The series, and what they show."""

    def __init__(self) -> None:
        self.made = Series()
        self.process = ProcessSeries(self.made)

    def values(self, name: str) -> dict[str, float]:
        """Value by labels."""
        families = text_string_to_metric_families(self.made.render().decode())
        return {
            " ".join(sample.labels[label] for label in sorted(sample.labels)): sample.value
            for family in families
            for sample in family.samples
            if sample.name == f"flagger_{name}"
        }


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_fresh_start(bench: Bench) -> None:
    assert bench.values("leader") == {"": 0}
    assert bench.values("tick_lag_seconds_count") == {"": 0}
    assert b"process_cpu_seconds_total" in bench.made.render()
    assert b"_created" not in bench.made.render()


def test_leadership(bench: Bench) -> None:
    bench.process.lead()
    assert bench.values("leader") == {"": 1}


def test_ticks(bench: Bench) -> None:
    bench.process.began(0.3)
    bench.process.ended(1.5, "")
    bench.process.ended(0.5, "forbidden")
    assert bench.values("tick_lag_seconds_sum") == {"": 0.3}
    assert bench.values("tick_duration_seconds_sum") == {"": 2}
    assert bench.values("tick_errors_total") == {"unexpected": 0, "forbidden": 1}


def test_checks(bench: Bench) -> None:
    bench.process.checked("builtin", 0.02)
    bench.process.checked("pre-rollout", 45)
    assert bench.values("check_duration_seconds_sum") == {"builtin": 0.02, "pre-rollout": 45}


def test_requests(bench: Bench) -> None:
    for code in ("200", "200", "timeout"):
        bench.process.asked("patch", "canaries.flagger.app/status", code)
    assert bench.values("api_requests_total") == {
        "200 canaries.flagger.app/status patch": 2,
        "timeout canaries.flagger.app/status patch": 1,
    }


def test_queues_are_looked_at_when_somebody_asks(bench: Bench) -> None:
    waiting = ["a"]
    bench.process.watch_queue("alerts", lambda: len(waiting))
    bench.process.measure()
    assert bench.values("queue_depth") == {"alerts": 1}
    waiting.clear()
    bench.process.measure()
    assert bench.values("queue_depth") == {"alerts": 0}
