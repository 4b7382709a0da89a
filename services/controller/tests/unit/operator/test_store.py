"""The newest known Canaries: by version, by age, and through re-creation."""

import pydantic
import pytest

from flagger_controller.operator.store import CanaryStore, key_of, version_of

from .bodies import broken, canary

KEY = "cart.shop"


@pytest.fixture
def store() -> CanaryStore:
    return CanaryStore()


def version(store: CanaryStore, key: str = KEY) -> str:
    found = store.get(key)
    assert found is not None
    return found[0].metadata.resource_version


def test_an_empty_store(store: CanaryStore) -> None:
    assert store.get(KEY) is None
    assert store.keys() == set()
    assert list(store) == []
    assert store.count("shop") == 0
    assert store.remove(KEY) is None
    assert not store.knows(canary())


def test_what_was_put_comes_out_with_what_a_status_write_needs(store: CanaryStore) -> None:
    body = {**canary(version=7), "status": {"phase": "Succeeded", "ofOthers": {"a": 1}}}
    body["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    decoded, kept = store.put(body)
    assert decoded.key == KEY
    assert kept["status"] == body["status"]
    assert kept["metadata"]["resourceVersion"] == "7"
    assert "managedFields" not in kept["metadata"]
    assert "spec" not in kept, "it is decoded, and thousands of them need memory"
    assert store.get(KEY) == (decoded, kept)
    assert [each.key for each in store] == [KEY]
    assert store.keys() == {KEY}


def test_a_newer_version_replaces_an_older_one(store: CanaryStore) -> None:
    store.put(canary(version=9))
    store.put(canary(version=10))
    assert version(store) == "10"


def test_an_older_version_never_replaces_a_newer_one(store: CanaryStore) -> None:
    newest = store.put(canary(version=10))
    assert store.put(canary(version=9, target="other")) == newest
    assert version(store) == "10"


def test_the_same_version_again_changes_nothing(store: CanaryStore) -> None:
    first = store.put(canary(version=5))
    again = store.put(canary(version=5))
    assert again[0] is first[0], "not decoded again"


def test_versions_are_numbers(store: CanaryStore) -> None:
    store.put(canary(version=99))
    store.put(canary(version=100))
    assert version(store) == "100"
    assert version_of({"metadata": {}}) == 0
    assert version_of(canary(version=7)) == 7


def test_a_recreated_canary_replaces_the_one_before(store: CanaryStore) -> None:
    store.put(canary(version=5, uid="u-1"))
    recreated = canary(version=8, uid="u-2", target="other")
    assert not store.knows(recreated)
    decoded, _ = store.put(recreated)
    assert decoded.target == "other"
    assert [each.metadata.uid for each in store] == ["u-2"]


def test_what_is_known(store: CanaryStore) -> None:
    store.put(canary(version=5))
    assert store.knows(canary(version=4))
    assert store.knows(canary(version=5))
    assert not store.knows(canary(version=6))
    assert not store.knows(canary(version=5, uid="u-2"))
    assert not store.knows(canary("other", version=5))


def test_what_cannot_be_decoded_drops_what_was_there(store: CanaryStore) -> None:
    store.put(canary(version=5))
    with pytest.raises(pydantic.ValidationError):
        store.put(broken(version=6))
    assert store.get(KEY) is None
    assert list(store) == []


def test_an_older_version_that_cannot_be_decoded_does_no_harm(store: CanaryStore) -> None:
    store.put(canary(version=5))
    store.put(broken(version=4))
    assert version(store) == "5"


def test_rejected_ones_are_known_by_their_key_until_they_are_mended(store: CanaryStore) -> None:
    store.rejected[KEY] = (broken(), "why")
    assert store.keys() == {KEY}
    assert store.get(KEY) is None
    assert store.count("shop") == 0
    store.put(canary(version=7))
    assert store.rejected == {}
    store.rejected[KEY] = (broken(), "why")
    store.remove(KEY)
    assert store.rejected == {}
    assert store.keys() == set()


def test_removing_returns_what_it_was(store: CanaryStore) -> None:
    decoded, _ = store.put(canary())
    assert store.remove(KEY) is decoded
    assert store.get(KEY) is None


def test_counts_are_by_namespace(store: CanaryStore) -> None:
    store.put(canary("a"))
    store.put(canary("b"))
    store.put(canary("a", namespace="other"))
    assert (store.count("shop"), store.count("other"), store.count("third")) == (2, 1, 0)
    assert store.keys() == {"a.shop", "b.shop", "a.other"}


def test_a_namespace_is_as_empty_as_before_when_its_last_canary_has_gone(
    store: CanaryStore,
) -> None:
    store.put(canary("a"))
    store.put(canary("b", version=6))
    store.put(canary("b", version=7))
    assert [each.key for each in store.within("shop")] == ["a.shop", "b.shop"]
    store.remove("a.shop")
    assert [each.key for each in store.within("shop")] == ["b.shop"]
    store.remove("b.shop")
    assert store.within("shop") == []


def test_a_store_may_change_while_it_is_walked(store: CanaryStore) -> None:
    store.put(canary("a"))
    store.put(canary("b"))
    for each in store:
        store.remove(each.key)
    assert list(store) == []


# Two Canaries for one target


def test_the_older_canary_of_a_target_is_the_rival_of_the_younger(store: CanaryStore) -> None:
    older, _ = store.put(canary("z-older", created="2026-01-01T00:00:00Z"))
    younger, _ = store.put(canary("a-younger", created="2026-01-02T00:00:00Z"))
    assert store.rival(younger) == "z-older"
    assert store.rival(older) == ""


def test_of_two_of_the_same_second_the_name_decides(store: CanaryStore) -> None:
    first, _ = store.put(canary("a"))
    second, _ = store.put(canary("b"))
    assert store.rival(second) == "a"
    assert store.rival(first) == ""


def test_of_several_rivals_the_oldest_is_named(store: CanaryStore) -> None:
    store.put(canary("second", created="2026-01-02T00:00:00Z"))
    store.put(canary("first", created="2026-01-01T00:00:00Z"))
    third, _ = store.put(canary("third", created="2026-01-03T00:00:00Z"))
    assert store.rival(third) == "first"
    store.remove("first.shop")
    assert store.rival(third) == "second"


@pytest.mark.parametrize(
    "other",
    [
        canary("older", created="2020-01-01T00:00:00Z", namespace="other"),
        canary("older", created="2020-01-01T00:00:00Z", target="other"),
        canary(
            "older",
            created="2020-01-01T00:00:00Z",
            targetRef={"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "cart"},
        ),
    ],
)
def test_other_targets_are_no_rivals(store: CanaryStore, other: dict[str, object]) -> None:
    store.put(other)
    mine, _ = store.put(canary())
    assert store.rival(mine) == ""


def test_a_service_and_a_knative_service_of_a_name_are_two_targets(store: CanaryStore) -> None:
    name, core = "cart", {"apiVersion": "v1", "kind": "Service"}
    knative = {"apiVersion": "serving.knative.dev/v1", "kind": "Service"}
    store.put(canary("older", created="2020-01-01T00:00:00Z", targetRef={**core, "name": name}))
    mine, _ = store.put(canary(targetRef={**knative, "name": name}))
    assert store.rival(mine) == ""


def test_keys_of_objects() -> None:
    assert key_of(canary()) == KEY
    assert key_of({"metadata": {"name": "x"}}) == "x."
