"""What is a new revision, and what is only written differently (canary-api.md 6)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagger_controller.targets import revision


def test_hashes_carry_the_prefix_and_16_digits() -> None:
    assert revision.digest({"a": 1}) == "v2:015abd7f5cc57a2d"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, {"a": 1, "b": None}),
        ({"a": 1}, {"a": 1, "resources": {}}),
        ({"a": 1}, {"a": 1, "args": []}),
        ({"a": 1}, {"a": 1, "deep": {"er": {"est": None}}}),
    ],
)
def test_empty_fields_are_no_difference(one: object, other: object) -> None:
    assert revision.digest(one) == revision.digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"runAsUser": 0}, {}),
        ({"runAsNonRoot": False}, {}),
        ({"nodeSelector": {"node-role": ""}}, {}),
        ({"args": ["a", "b"]}, {"args": ["b", "a"]}),
        ({"terms": [{}]}, {}),
        ({"namespaceSelector": {}}, {}),
        ({"labelSelector": {}}, {}),
        ({"a": 1}, {"a": "1"}),
    ],
)
def test_meaning_is_a_difference(one: object, other: object) -> None:
    assert revision.digest(one) != revision.digest(other)


@pytest.mark.parametrize(
    ("text", "upstream"),
    [
        ("6c9dbdd48d", True),
        ("4", True),
        ("", False),
        ("v2:015abd7f5cc57a2d", False),
        ("6c9dbdd48d4", False),
        ("6a9dbdd48d", False),
        ("86f8fbc6f9", True),  # 2**32 - 1
        ("86f8fbc6fb", False),  # 2**32
    ],
)
def test_upstream_hashes_are_recognised(text: str, upstream: bool) -> None:
    assert revision.is_upstream_hash(text) is upstream


@given(st.integers(min_value=0, max_value=2**32 - 1))
def test_every_upstream_hash_is_recognised(number: int) -> None:
    text = str(number).translate(str.maketrans("0123456789", "456789bcdf"))
    assert revision.is_upstream_hash(text)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@given(_values)
def test_pruning_is_idempotent(value: object) -> None:
    once = revision.pruned(value)
    assert revision.pruned(once) == once
