"""Step arithmetic and safe splits (state-machine.md 7.1, invariant I2)."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagger_controller.api.status import Route
from flagger_controller.rollout import weights

from .scenario import canary


def spec(**analysis: Any) -> Any:
    return canary(analysis=analysis)


@pytest.mark.parametrize(
    ("analysis", "steps"),
    [
        ({"stepWeight": 20}, [20, 40, 60, 80, 100]),
        ({"stepWeight": 30}, [30, 60, 90, 100]),
        ({"stepWeight": 100}, [100]),
        ({"stepWeight": 150}, [100]),
        ({"stepWeights": [1, 2, 10, 80]}, [1, 2, 10, 80, 100]),
        ({"stepWeights": [10, 10, 20]}, [10, 20, 100]),  # upstream is stuck at 10
        ({"stepWeights": [10, 50, 20, 80]}, [10, 50, 80, 100]),  # at 50
        ({"stepWeights": [50, 10]}, [50, 100]),
        ({"stepWeights": [200]}, [100]),
        ({"stepWeight": 50, "stepWeights": [1, 2]}, [50, 100]),
    ],
)
def test_steps(analysis: dict[str, Any], steps: list[int]) -> None:
    weight, found = 0, []
    while weight < 100:
        weight = weights.next_weight(spec(**analysis), weight)
        found.append(weight)
    assert found == steps


@given(
    step=st.integers(-5, 150),
    steps=st.lists(st.integers(-5, 150), max_size=5),
    weight=st.integers(0, 99),
)
def test_a_step_goes_up_and_not_too_far(step: int, steps: list[int], weight: int) -> None:
    following = weights.next_weight(spec(stepWeight=step, stepWeights=steps), weight)
    if step > 0 or steps:
        assert weight < following <= 100


@given(weight=st.integers(0, 100), mirrored=st.booleans())
def test_splits_are_whole(weight: int, mirrored: bool) -> None:
    route = weights.split(weight, mirrored=mirrored)
    assert route == Route(primary=100 - weight, canary=weight, mirrored=mirrored)


@pytest.mark.parametrize(
    ("weight", "mirrored", "primary", "target", "shown"),
    [
        (0, False, True, True, Route()),
        (0, False, False, True, Route()),  # nobody analysed the canary
        (40, False, True, True, weights.split(40)),
        (40, False, True, False, Route()),  # fault E
        (40, False, False, True, weights.split(100)),
        (40, False, False, False, weights.split(40)),  # moving it helps nobody
        (100, False, True, False, Route()),
        (0, True, True, True, Route(mirrored=True)),
        (0, True, True, False, Route()),
    ],
)
def test_the_split_that_is_shown(
    weight: int, mirrored: bool, primary: bool, target: bool, shown: Route
) -> None:
    route = weights.split(weight, mirrored=mirrored)
    assert weights.safe(route, primary_available=primary, canary_available=target) == shown


def test_no_split_sends_traffic_to_nobody_while_somebody_could_answer() -> None:
    """I1, I2, for every split and availability."""
    for weight, mirrored, primary, target in itertools.product(
        range(101), (False, True), (False, True), (False, True)
    ):
        route = weights.split(weight, mirrored=mirrored)
        shown = weights.safe(route, primary_available=primary, canary_available=target)
        assert shown.primary + shown.canary == 100
        if primary and not target:
            assert (shown.canary, shown.mirrored) == (0, False)
        if weight == 0:
            assert shown.canary == 0
        assert weights.safe(shown, primary_available=primary, canary_available=target) == shown
