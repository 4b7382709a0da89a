"""The numbers of a scenario."""

import pytest
from bench.scale import figures
from bench.scale.bout import Cost
from bench.scale.releases import Release

RELEASES = [
    Release(100, (101, 111, 121.5), "Succeeded"),
    Release(100.5, (104.5, 114.5, 124.5), "Failed"),
]


COST = Cost(
    seconds=30, asked={"patch canaries/status": 6, "get pods": 18}, cpu=0.06, memory=70, peak=90
)


def test_a_rolling_release() -> None:
    assert figures.rolled(RELEASES, COST) == pytest.approx(
        {
            "noticed_p50": 1,
            "noticed_p99": 4,
            "seconds": 24.5,
            "failed": 1,
            "ticks": 3,
            "lag_p50": 0,
            "lag_p99": 0.5,
            "requests": 4,
            "cpu": 10,
            "cores": 0.002,
            "memory": 70,
            "peak": 90,
            "requests: patch canaries/status": 1,
            "requests: get pods": 3,
        }
    )


def test_rest_is_a_cost_of_each_canary() -> None:
    assert figures.rested(COST, 4) == pytest.approx({"requests": 12, "cpu": 2})


def test_noise_is_told_beside_what_it_costs() -> None:
    found = figures.disturbed(COST, 4, changes=594)
    assert found == pytest.approx({"requests": 12, "cpu": 2, "memory": 70, "changes": 19.8})


def test_a_restart() -> None:
    found = [*RELEASES, Release(100, (101, 109, 117), "Succeeded")]
    assert figures.restarted(found, 116) == pytest.approx(
        {"early": 1, "under_way": 3, "shortest": 8, "failed": 1}
    )


def test_a_restart_when_nothing_was_under_way() -> None:
    assert figures.restarted(RELEASES, 200) == {"early": 0, "under_way": 0, "failed": 1}
