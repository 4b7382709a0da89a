"""Which shard a Canary belongs to: the same for ever, exactly one, and few move at a resize."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagger_controller.operator.shards import MOST, WHOLE, Shard, placed

COUNTS = st.integers(1, 12)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=63)


def metadata(namespace: str = "shop", **labels: str) -> dict[str, Any]:
    return {"name": "cart", "namespace": namespace, "labels": labels}


GOLDEN = {
    "default": (1, 1, 4, 4, 208),
    "shop": (0, 0, 0, 10, 129),
    "market": (0, 0, 0, 6, 163),
    "payments": (0, 0, 0, 14, 245),
    "kube-system": (0, 0, 3, 5, 176),
    "team-a": (1, 1, 4, 11, 144),
    "team-b": (1, 1, 4, 14, 14),
    "x": (1, 1, 3, 3, 63),
}
"""Where namespaces are with 2, 3, 5, 16 and 256 shards."""


@pytest.mark.parametrize("namespace", GOLDEN)
def test_an_upgrade_never_moves_a_namespace(namespace: str) -> None:
    assert tuple(placed(namespace, count) for count in (2, 3, 5, 16, MOST)) == GOLDEN[namespace]


@pytest.mark.parametrize(
    ("shard", "lease"),
    [
        (WHOLE, "flagger-leader-election"),
        (Shard(0, 1, "team"), "flagger-leader-election"),
        (Shard(1, 3), "flagger-leader-election-1-of-3"),
        (Shard(0, 2, "team"), "flagger-leader-election-0-of-2-by-ca8b22d0"),
    ],
)
def test_an_upgrade_never_renames_a_lease(shard: Shard, lease: str) -> None:
    assert shard.lease == lease


@given(NAMES, COUNTS, st.sampled_from(["", "team"]), NAMES)
def test_every_canary_belongs_to_exactly_one_shard(
    namespace: str, count: int, label: str, team: str
) -> None:
    body = metadata(namespace, team=team)
    owners = [index for index in range(count) if Shard(index, count, label).owns(body)]
    assert len(owners) == 1


@given(NAMES, COUNTS)
def test_with_one_shard_more_only_the_new_one_gets_any(namespace: str, count: int) -> None:
    assert placed(namespace, count + 1) in (placed(namespace, count), count)


def test_shards_are_about_as_large_as_each_other() -> None:
    found = [placed(f"namespace-{number}", 4) for number in range(1000)]
    assert all(200 < found.count(index) < 300 for index in range(4))


def test_without_the_label_the_namespace_counts() -> None:
    """As with an empty value, which would put all such Canaries into one shard."""
    for namespace, index in itertools.product(GOLDEN, range(3)):
        plain, by_label = Shard(index, 3), Shard(index, 3, "team")
        for body in (metadata(namespace), metadata(namespace, team=""), {"namespace": namespace}):
            assert by_label.owns(body) is plain.owns(body)


def test_a_value_of_the_label_is_one_group_in_all_namespaces() -> None:
    shards = [Shard(index, 5, "team") for index in range(5)]
    teams = {
        team: {
            shard.index
            for shard in shards
            for namespace in ("a", "b", "c", "d", "e")
            if shard.owns(metadata(namespace, team=team))
        }
        for team in ("red", "green", "blue", "black", "white")
    }
    assert all(len(found) == 1 for found in teams.values())
    assert len(set.union(*teams.values())) > 1


def test_only_with_a_label_and_several_shards_canaries_can_move() -> None:
    assert Shard(0, 2, "team").splits_namespaces
    assert not Shard(0, 2).splits_namespaces
    assert not Shard(0, 1, "team").splits_namespaces


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (WHOLE, Shard(1, 2)),
        (Shard(0, 2), Shard(1, 3)),
        (Shard(0, 2), Shard(1, 2, "team")),
        (Shard(0, 2, "team"), Shard(1, 2, "group")),
    ],
)
def test_generations_that_divide_differently_clash(one: Shard, other: Shard) -> None:
    assert one.clashes(other.lease)
    assert other.clashes(one.lease)


def test_peers_and_leases_of_others_do_not_clash() -> None:
    shard = Shard(0, 3)
    assert not any(shard.clashes(Shard(index, 3).lease) for index in range(3))
    for name in ("cert-manager", "flagger-leader-election-2", "my-flagger-leader-election"):
        assert not shard.clashes(name)


def test_shards_in_words() -> None:
    assert str(Shard(1, 3)) == "1 of 3"
    assert str(Shard(1, 3, "team")) == "1 of 3 by the label team"
