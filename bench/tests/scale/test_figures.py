"""The numbers of a scenario."""

import pytest
from bench.scale import figures
from bench.scale.bout import Cost
from bench.scale.releases import Release

RELEASES = [
    Release(100, (101, 111, 121.5), "Succeeded"),
    Release(100.5, (104.5, 114.5, 124.5), "Failed"),
]


def test_a_rolling_release() -> None:
    cost = Cost(seconds=30, requests=24, cpu=0.06, memory=70)
    assert figures.rolled(RELEASES, cost) == pytest.approx(
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
        }
    )


def test_a_restart() -> None:
    found = [*RELEASES, Release(100, (101, 109, 117), "Succeeded")]
    assert figures.restarted(found, 116) == pytest.approx(
        {"early": 1, "under_way": 3, "shortest": 8, "failed": 1}
    )


def test_a_restart_when_nothing_was_under_way() -> None:
    assert figures.restarted(RELEASES, 200) == {"early": 0, "under_way": 0, "failed": 1}
