"""Building on live objects."""

from typing import Any

import pytest

from flagger_controller.routing import objects


@pytest.mark.parametrize(
    ("live", "wanted"),
    [
        (None, None),
        (None, []),
        ({}, None),
        ([], ()),
        ([1, 2], (1, 2)),
        ({"a": 1, "b": None, "c": []}, {"a": 1}),
        ({"a": [{"b": None}]}, {"a": [{}]}),
        (10, 10.0),
    ],
)
def test_absent_null_and_empty_are_the_same(live: Any, wanted: Any) -> None:
    assert objects.same(live, wanted)
    assert objects.same(wanted, live)


@pytest.mark.parametrize(
    ("live", "wanted"),
    [
        (None, 0),
        (None, ""),
        (None, False),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 2}),
        ({"header": {}}, {}),
        ([{}], []),
    ],
)
def test_zero_and_order_and_empty_conditions_say_something(live: Any, wanted: Any) -> None:
    assert not objects.same(live, wanted)


def test_patching_keeps_what_is_not_named_and_returns_the_same_object() -> None:
    live = {"a": 1, "b": 2, "c": 3}
    assert objects.patched(live, {"a": 1, "d": None}) is live
    assert objects.patched(live, {"a": 4, "b": None}) == {"a": 4, "c": 3}
    assert live == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize(
    ("live", "length", "expected"),
    [
        ([], 2, [{}, {}]),
        ([{"n": 1}], 3, [{}, {}, {"n": 1}]),
        ([{"n": 1}, {"n": 2}, {"n": 3}], 1, [{"n": 3}]),
        ([{"n": 1}], 0, []),
    ],
)
def test_lists_are_aligned_at_the_end(
    live: list[dict[str, int]], length: int, expected: list[dict[str, int]]
) -> None:
    assert objects.aligned(live, length) == expected


def test_an_absent_weight_counts_as_one() -> None:
    assert objects.weight_of({}) == 1
    assert objects.weight_of({"weight": None}) == 1
    assert objects.weight_of({"weight": 0}) == 0
