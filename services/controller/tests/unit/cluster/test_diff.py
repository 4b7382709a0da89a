from typing import Any

import pytest

from flagger_controller.cluster import diff


@pytest.mark.parametrize(
    ("desired", "live"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 2, "d": 3}], "e": 1}}),
        ({"a": None}, {}),
        ({"a": {}}, {}),
        ({"a": []}, {"a": None}),
        ({}, {"a": []}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": True}, {"a": True}),
        ([], []),
    ],
)
def test_same(desired: Any, live: Any) -> None:
    assert diff.same(desired, live)


@pytest.mark.parametrize(
    ("desired", "live"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {}),
        ({"a": {}}, {"a": 1}),
        ({"a": [1]}, {"a": [1, 2]}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": []}, {"a": [1]}),
        ({"a": None}, {"a": 1}),
        ({"a": 1}, {"a": "1"}),
        ({"a": True}, {"a": 1}),
        ({"a": 1}, {"a": True}),
        ({"a": 0}, {}),
        ({"a": ""}, {}),
        ({"a": {"b": 1}}, {"a": [1]}),
    ],
)
def test_different(desired: Any, live: Any) -> None:
    assert not diff.same(desired, live)


def test_an_empty_object_is_not_a_promise_about_a_full_one() -> None:
    # What only live has is the server's or somebody else's.
    assert diff.same({"a": {}}, {"a": {"b": 1}})


@pytest.mark.parametrize(
    ("desired", "live", "place"),
    [
        ({"a": {"b": [{"c": 1}, {"d": 2}]}}, {"a": {"b": [{"c": 1}, {"e": 3}]}}, "a.b[1].d"),
        ({"a": {"b": 1}}, {}, "a"),
        ({"a": [1, 2]}, {"a": [1]}, "a"),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, "b"),
        ({"a": {"b": None}}, {"a": {"c": 1}}, ""),
    ],
)
def test_lost(desired: Any, live: Any, place: str) -> None:
    assert diff.lost(desired, live) == place


def test_pruned() -> None:
    full: dict[str, Any] = {
        "a": None,
        "b": {"c": {}, "d": [None, {"e": []}]},
        "f": 0,
        "g": "",
        "h": False,
    }
    assert diff.pruned(full) == {"b": {"d": [None, {}]}, "f": 0, "g": "", "h": False}
    assert full["a"] is None


@pytest.mark.parametrize(  # the examples of RFC 7386
    ("value", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merged(value: Any, patch: Any, result: Any) -> None:
    assert diff.merged(value, patch) == result
