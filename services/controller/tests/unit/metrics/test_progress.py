"""Our own series of each canary."""

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus, Phase, Route, Run
from flagger_controller.metrics.progress import RESULTS, Progress
from flagger_controller.metrics.series import Series
from flagger_controller.rollout.decision import Cause, Outcome

from .conftest import Build

NOON = "2026-01-01T12:00:00.500Z"
OTHER = {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}
LABELS = {"canary": "podinfo", "name": "web", "namespace": "default"}


class Bench:
    """The series, and what they show."""

    def __init__(self, canary: Canary) -> None:
        self.made = Series()
        self.progress = Progress(self.made)
        self._canary = canary

    def canary(self, phase: Phase = Phase.PROGRESSING, **status: Any) -> Canary:
        return self._canary.model_copy(update={"status": CanaryStatus(phase=phase, **status)})

    def show(self, phase: Phase = Phase.PROGRESSING, **status: Any) -> None:
        self.progress.show(self.canary(phase, **status))

    def values(self, name: str) -> dict[str, float]:
        """Value by the labels that not every series has."""
        families = text_string_to_metric_families(self.made.render().decode())
        samples = [each for family in families for each in family.samples]
        found: dict[str, float] = {}
        for sample in samples:
            if sample.name == f"flagger_canary_{name}":
                assert sample.labels.items() >= LABELS.items()
                rest = sorted(sample.labels.items() - LABELS.items())
                found[" ".join(value for _, value in rest)] = sample.value
        return found


@pytest.fixture
def bench(canary: Build) -> Bench:
    return Bench(canary(**OTHER))


def test_one_phase_at_a_time(bench: Bench) -> None:
    for phase in (Phase.NEW, Phase.WAITING, Phase.PROGRESSING, Phase.PROGRESSING):
        bench.show(phase)
        assert bench.values("phase") == ({phase.value: 1} if phase else {})


def test_counters_of_the_run(bench: Bench) -> None:
    run = Run(route=Route(mirrored=True), ticked_at=NOON)
    bench.show(failed_checks=2, iterations=3, run=run)
    assert bench.values("failed_checks") == {"": 2}
    assert bench.values("iterations") == {"": 3}
    assert bench.values("mirrored") == {"": 1}
    assert bench.values("last_step_timestamp_seconds") == {"": 1767268800.5}
    bench.show()
    assert bench.values("failed_checks") == {"": 0}
    assert bench.values("mirrored") == {"": 0}


def test_the_last_step_of_a_status_that_upstream_wrote(bench: Bench) -> None:
    bench.show()
    assert bench.values("last_step_timestamp_seconds") == {}
    bench.show(last_transition_time="2026-01-01T12:00:00Z")
    assert bench.values("last_step_timestamp_seconds") == {"": 1767268800}


def test_checks_are_counted_by_name_and_result(bench: Bench) -> None:
    for check, result in (("latency", "passed"), ("latency", "passed"), ("gate", "failed")):
        bench.progress.count_check(bench.canary(), check, result)
    counted = bench.values("checks_total")
    assert {name: count for name, count in counted.items() if count} == {
        "latency passed": 2,
        "gate failed": 1,
    }
    assert {name for name in counted if name.startswith("gate")} == {
        f"gate {result}" for result in RESULTS
    }


def test_the_duration_of_a_release_is_there_before_its_end(bench: Bench) -> None:
    bench.show(run=Run(ticked_at=NOON))
    assert bench.values("run_duration_seconds_count") == {}
    bench.show(run=Run(ticked_at=NOON, started_at=NOON))
    assert bench.values("run_duration_seconds_count") == {"succeeded": 0, "failed": 0}


@pytest.mark.parametrize(
    ("cause", "outcome", "causes"),
    [(None, "succeeded", {}), (Cause.DEADLINE, "failed", {"progress-deadline": 1})],
)
def test_the_end_of_a_release(
    bench: Bench, cause: Cause | None, outcome: str, causes: dict[str, int]
) -> None:
    run = Run(started_at="2026-01-01T11:58:00.000Z", ticked_at=NOON)
    bench.progress.end(bench.canary(run=run), Outcome(cause=cause))
    assert bench.values("rollbacks_total") == causes
    assert bench.values("run_duration_seconds_sum") == {outcome: 120.5}
    buckets = bench.values("run_duration_seconds_bucket")
    assert (buckets[f"120.0 {outcome}"], buckets[f"300.0 {outcome}"]) == (0, 1)


def test_how_long_a_release_took_that_upstream_began_is_not_known(bench: Bench) -> None:
    bench.progress.end(bench.canary(run=Run(ticked_at=NOON)), Outcome())
    assert bench.values("run_duration_seconds_count") == {}


def test_nothing_is_left(bench: Bench) -> None:
    run = Run(started_at=NOON, ticked_at=NOON)
    bench.show(Phase.FAILED, run=run)
    failed = Outcome(cause=Cause.CHECKS)
    bench.progress.end(bench.canary(run=run), failed)
    bench.progress.count_check(bench.canary(), "latency", "error")
    for _ in range(2):
        bench.progress.forget("podinfo", "web", "default")
        assert b'canary="podinfo"' not in bench.made.render()
    bench.show(Phase.PROGRESSING)
    assert bench.values("phase") == {"Progressing": 1}
