"""The one status write: the smallest change, on the version that was read, nothing foreign lost."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus, Obligation, Phase, Revision, Route, Run
from flagger_controller.cluster.client import ApiConflict
from flagger_controller.cluster.diff import merged
from flagger_controller.cluster.fake import FakeApi
from flagger_controller.errors import Gone
from flagger_controller.tick.commit import FINALIZER, Committer, merge_patch, named, ref_of

from .scene import CANARY, manifest

# A merge patch can say everything but null, which our documents do not have.
leaves = st.booleans() | st.integers() | st.text(max_size=3)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)
documents = st.dictionaries(st.sampled_from("abcd"), values)


@given(documents, documents)
def test_the_patch_turns_one_document_into_the_other(old: Object, new: Object) -> None:
    assert merged(old, merge_patch(old, new)) == new


@given(documents)
def test_without_a_difference_there_is_nothing_to_patch(document: Object) -> None:
    assert merge_patch(document, document) == {}


@given(documents, documents)
def test_the_patch_names_only_what_differs(old: Object, new: Object) -> None:
    patch = merge_patch(old, new)
    same = {key for key in old.keys() & new.keys() if old[key] == new[key]}
    assert not same & patch.keys()


@given(documents, documents)
def test_the_documents_stay_as_they_are(old: Object, new: Object) -> None:
    before = repr((old, new))
    merge_patch(old, new)
    assert repr((old, new)) == before


@pytest.mark.parametrize(
    ("old", "new", "patch"),
    [
        ({"a": 1}, {}, {"a": None}),
        ({}, {"a": 1}, {"a": 1}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}),
        ({"a": {"b": 1}}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": [1, 2]}, {"a": [1]}, {"a": [1]}),
        ({}, {"a": {}}, {"a": {}}),
    ],
)
def test_patches(old: Object, new: Object, patch: Object) -> None:
    assert merge_patch(old, new) == patch


def stored(api: FakeApi, status: Object | None = None, *finalizers: str) -> tuple[Canary, Object]:
    """The Canary in the cluster, as it was read."""
    body = manifest()
    body["metadata"] = {"finalizers": list(finalizers)} if finalizers else {}
    body["status"] = status or {}
    written = api.put(CANARY, body)
    return Canary.from_api(written), written


def live(api: FakeApi) -> Any:
    body = api.object(CANARY)
    assert body is not None
    return body


def test_a_canary_as_an_object_of_the_api() -> None:
    assert ref_of(Canary.from_api(manifest())) == CANARY


async def test_a_commit_writes_the_status_and_nothing_else() -> None:
    api = FakeApi()
    canary, body = stored(api)
    status = CanaryStatus(phase=Phase.PROGRESSING, run=Run(route=Route(primary=75, canary=25)))
    answer = await Committer(api).commit(canary, body, status)
    assert answer == live(api)
    assert Canary.from_api(answer).status == status
    assert live(api)["spec"] == body["spec"]
    (write,) = api.writes
    assert (write.verb, write.subresource) == ("patch", "status")
    assert write.body["metadata"] == {"resourceVersion": body["metadata"]["resourceVersion"]}


async def test_a_commit_names_only_what_changed() -> None:
    api = FakeApi()
    before = CanaryStatus(
        phase=Phase.PROGRESSING,
        tracked_configs={"configmap/a": "1", "configmap/b": "2"},
        run=Run(obligation=Obligation.ROLLBACK, reason="bad", promotion_failed=True),
    )
    canary, body = stored(api, before.to_api())
    after = before.model_copy(
        update={
            "failed_checks": 1,
            "tracked_configs": {"configmap/a": "1"},
            "run": Run(reason="bad"),
        }
    )
    await Committer(api).commit(canary, body, after)
    (write,) = api.writes
    assert write.body["status"] == {
        "failedChecks": 1,
        "trackedConfigs": {"configmap/b": None},
        "run": {"obligation": None, "promotionFailed": None},
    }
    assert Canary.from_api(live(api)).status == after


async def test_status_fields_of_others_survive() -> None:
    api = FakeApi()
    foreign = {"observedBy": {"name": "somebody"}, "notes": ["a"]}
    canary, body = stored(api, {"phase": "Initialized", **foreign})
    await Committer(api).commit(canary, body, CanaryStatus(phase=Phase.PROGRESSING))
    assert {key: live(api)["status"][key] for key in foreign} == foreign
    assert live(api)["status"]["phase"] == "Progressing"


async def test_own_fields_that_say_nothing_any_more_are_removed() -> None:
    api = FakeApi()
    old = {"phase": "Failed", "run": {"reason": "x"}, "trackedConfigs": {}, "lastAppliedSpec": "h"}
    canary, body = stored(api, old)
    await Committer(api).commit(canary, body, CanaryStatus(phase=Phase.INITIALIZED))
    counters = {"canaryWeight": 0, "failedChecks": 0, "iterations": 0}
    assert live(api)["status"] == {"phase": "Initialized", **counters}


async def test_a_commit_for_an_outdated_canary_fails_and_changes_nothing() -> None:
    api = FakeApi()
    canary, body = stored(api, {"phase": "Initialized"})
    current = api.put(CANARY, {**body, "spec": {**body["spec"], "suspend": True}})
    with pytest.raises(ApiConflict):
        await Committer(api).commit(canary, body, CanaryStatus(phase=Phase.PROGRESSING))
    assert live(api) == current


async def test_a_commit_for_a_vanished_canary_fails() -> None:
    api = FakeApi()
    canary, body = stored(api)
    api.remove(CANARY)
    with pytest.raises(Gone):
        await Committer(api).commit(canary, body, CanaryStatus(phase=Phase.PROGRESSING))


async def test_our_finalizer_joins_and_leaves_those_of_others() -> None:
    api = FakeApi()
    canary, body = stored(api, {"phase": "Initialized"}, "foreign/finalizer")
    held = await Committer(api).hold(canary, body)
    assert held["metadata"]["finalizers"] == ["foreign/finalizer", FINALIZER]
    released = await Committer(api).release(Canary.from_api(held), held)
    assert released["metadata"]["finalizers"] == ["foreign/finalizer"]
    assert released["status"] == body["status"]
    assert released["spec"] == body["spec"]


async def test_releasing_a_deleted_canary_lets_it_go() -> None:
    api = FakeApi()
    stored(api, {}, FINALIZER)
    api.remove(CANARY)
    body = live(api)
    await Committer(api).release(Canary.from_api(body), body)
    assert api.object(CANARY) is None


@pytest.mark.parametrize("act", ["hold", "release"])
async def test_the_finalizers_of_an_outdated_canary_are_not_touched(act: str) -> None:
    api = FakeApi()
    canary, body = stored(api)
    api.put(CANARY, {**body, "metadata": {**body["metadata"], "finalizers": ["newer"]}})
    with pytest.raises(ApiConflict):
        await getattr(Committer(api), act)(canary, body)
    assert live(api)["metadata"]["finalizers"] == ["newer"]


def status_of(applied: str, promoted: str, *known: tuple[str, str]) -> CanaryStatus:
    """A status with two hashes, and revisions by our and upstream's hash."""
    revisions = tuple(Revision(ours=ours, upstream=upstream) for ours, upstream in known)
    run = Run(revisions=revisions)
    return CanaryStatus(last_applied_spec=applied, last_promoted_spec=promoted, run=run)


def test_a_new_revision_gets_upstreams_name() -> None:
    before = status_of("v2:1", "v2:1", ("v2:1", "44"))
    after = named(before, status_of("v2:2", "v2:1"), "v2:2", lambda: "55")
    assert after == status_of("v2:2", "v2:1", ("v2:1", "44"), ("v2:2", "55"))
    stored = after.to_api()
    assert (stored["lastAppliedSpec"], stored["lastPromotedSpec"]) == ("55", "44")
    assert CanaryStatus.model_validate(stored).decoded() == after


def test_names_of_revisions_that_are_over_are_forgotten() -> None:
    before = status_of("v2:2", "v2:1", ("v2:1", "44"), ("v2:2", "55"))
    after = named(before, status_of("v2:2", "v2:2"), "v2:2", unasked)
    assert after == status_of("v2:2", "v2:2", ("v2:2", "55"))


def test_of_two_revisions_that_are_one_for_upstream_the_older_is_named() -> None:
    before = status_of("v2:1", "v2:1", ("v2:1", "44"))
    after = named(before, status_of("v2:2", "v2:1"), "v2:2", lambda: "44")
    assert after == status_of("v2:2", "v2:1", ("v2:1", "44"))
    assert after.to_api()["lastAppliedSpec"] == "v2:2"
    assert CanaryStatus.model_validate(after.to_api()).decoded() == after


def test_a_hash_that_upstream_wrote_since_is_upstreams() -> None:
    read = status_of("66", "44", ("v2:1", "44"))
    assert read.decoded() == status_of("66", "v2:1", ("v2:1", "44"))


def unasked() -> str:
    raise AssertionError("nobody has to compute this")
