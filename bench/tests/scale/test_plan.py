"""What a run has left to do."""

import argparse

from bench.scale.__main__ import missing
from bench.scale.machine import Machine
from bench.scale.record import Measurement

HERE = Machine(2, "a processor", 16, "6.1")
OPTIONS = argparse.Namespace(
    sizes=[20, 100], subjects=["ours", "upstream"], scenarios=["rolling", "idle"]
)


def test_controllers_of_a_size_follow_each_other() -> None:
    """So that they meet the same machine; scenarios are in their own order."""
    plan = missing(OPTIONS, [])
    assert list(plan) == [(20, "ours"), (20, "upstream"), (100, "ours"), (100, "upstream")]
    assert set(map(tuple, plan.values())) == {("idle", "rolling")}


def test_what_is_known_is_not_measured_again() -> None:
    known = [
        Measurement(HERE, 20, "ours", "idle", {}),
        Measurement(HERE, 20, "ours", "rolling", {}),
        Measurement(HERE, 100, "upstream", "idle", {}),
    ]
    plan = missing(OPTIONS, known)
    assert list(plan) == [(20, "upstream"), (100, "ours"), (100, "upstream")]
    assert plan[100, "upstream"] == ["rolling"]
