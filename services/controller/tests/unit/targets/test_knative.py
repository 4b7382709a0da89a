"""Knative Services as targets: which revision is which, and when one is ready (targets.md 7.2)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flagger_controller.api import knative
from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Phase
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.targets import godump, revision
from flagger_controller.targets.knative import KnativeService

from .workloads import Build

TARGET = KnativeService()
REF = Ref(resources.KNATIVE_SERVICES, "podinfo", "test")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
REFERENCE = {"apiVersion": "serving.knative.dev/v1", "kind": "Service"}


def service(latest: str = "podinfo-00002", marked: str = "podinfo-00001") -> Object:
    annotations = {knative.PRIMARY_REVISION: marked} if marked else {"other": "yes"}
    metadata = {"name": "podinfo", "namespace": "test", "annotations": annotations}
    return {"metadata": metadata, "status": {"latestCreatedRevisionName": latest}}


def ref(name: str) -> Ref:
    return Ref(resources.KNATIVE_REVISIONS, name, "test")


@pytest.fixture
def at(canary: Build) -> Build:
    """The Canary of a Knative Service in a phase."""

    def build(phase: Phase = Phase.SUCCEEDED, promoted: str = "") -> Canary:
        hashed = promoted or revision.digest("podinfo-00001")
        status = {"phase": phase, "lastPromotedSpec": hashed}
        built: Canary = canary(status, targetRef=REFERENCE, progressDeadlineSeconds=60)
        return built

    return build


def test_a_service_without_revision_cannot_be_served_yet(at: Build) -> None:
    TARGET.check(at(), service(), service())
    for body in (service(latest=""), {"metadata": {"name": "podinfo"}}):
        with pytest.raises(ConfigError, match=r"Knative Service podinfo\.test has no revision yet"):
            TARGET.check(at(), body, body)


def test_the_revision_is_the_name_of_the_latest_one() -> None:
    assert TARGET.revision(service()) == revision.digest("podinfo-00002")
    assert TARGET.revision(service()) == TARGET.revision(service(marked="other"))


def test_a_promotion_moves_the_mark(at: Build) -> None:
    before = service()
    assert not TARGET.promoted(at(), before, {}, before)
    after = TARGET.primary(at(), before, {}, before)
    assert knative.primary(after) == "podinfo-00002"
    assert TARGET.promoted(at(), after, {}, after)
    assert {**after, "metadata": before["metadata"]} == before


def test_before_the_first_release_the_mark_follows_the_latest_revision(at: Build) -> None:
    initializing = at(Phase.INITIALIZING)
    for body in (service(), service(marked="")):
        (marked,) = TARGET.copies(initializing, body, {}).values()
        assert knative.primary(marked) == "podinfo-00002"
        assert TARGET.copies(initializing, marked, {}) == {REF: marked}


def test_a_mark_is_left_alone(at: Build) -> None:
    assert TARGET.copies(at(), service(), {}) == {}


def test_a_lost_mark_is_that_of_the_promoted_revision(at: Build) -> None:
    lost = service(marked="")
    live: dict[Ref, Object] = {ref(f"podinfo-0000{number}"): {} for number in (2, 1)}
    (body,) = TARGET.copies(at(), lost, live).values()
    assert knative.primary(body) == "podinfo-00001"
    assert body["metadata"]["annotations"]["other"] == "yes"
    del live[ref("podinfo-00001")]
    with pytest.raises(ConfigError, match=r"lost its annotation flagger\.app/primary-revision"):
        TARGET.copies(at(), lost, live)


def test_a_lost_mark_is_found_by_upstreams_hash_too(at: Build) -> None:
    """As after a take-over, when the last promotion was upstream's."""
    live: dict[Ref, Object] = {ref(f"podinfo-0000{number}"): {} for number in (2, 1)}
    by_upstream = at(Phase.FAILED, godump.hashed("podinfo-00001", "string"))
    (body,) = TARGET.copies(by_upstream, service(marked=""), live).values()
    assert knative.primary(body) == "podinfo-00001"


def test_both_revisions_are_watched_and_all_of_them_without_a_mark(at: Build) -> None:
    first, second = ref("podinfo-00001"), ref("podinfo-00002")
    assert TARGET.refs(at(), service()) == (second, first)
    assert TARGET.refs(at(), service(marked="podinfo-00002")) == (second,)
    assert TARGET.refs(at(), service(marked="")) == (second, second.peers)
    assert TARGET.refs(at(), service(latest="", marked="")) == (second.peers,)


def test_the_revision_without_a_mark_is_what_will_be_the_primary(at: Build) -> None:
    assert TARGET.workload(at(), service(), primary=True) == ref("podinfo-00001")
    assert TARGET.workload(at(), service(), primary=False) == ref("podinfo-00002")
    assert TARGET.workload(at(), service(marked=""), primary=True) == ref("podinfo-00002")


def revision_body(status: str = "True", *, ago: int = 0, **more: Any) -> Object:
    since = (NOW - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
    ready = {"type": "Ready", "status": status, "lastTransitionTime": since}
    found = {"observedGeneration": 1, "conditions": [{"type": "Active"}, ready | more]}
    return {"metadata": {"name": "podinfo-00002", "generation": 1}, "status": found}


def test_a_revision_that_knative_calls_ready_is_ready(at: Build) -> None:
    """With no pods, too: the first request starts them."""
    health = TARGET.health(at(), revision_body(), primary=True, now=NOW)
    assert (health.ready, health.available, health.reason) == (True, True, "")


@pytest.mark.parametrize(
    ("body", "retriable", "why"),
    [
        (revision_body("Unknown", ago=60, reason="Deploying"), True, "Deploying"),
        (revision_body("False", message="no image", reason="Image"), True, "no image"),
        (
            revision_body("Unknown", ago=61, reason="Deploying"),
            False,
            "exceeded its progressDeadlineSeconds: 60: Deploying",
        ),
        (
            {"metadata": {"name": "podinfo-00002", "creationTimestamp": "2026-01-01T11:58:00Z"}},
            False,
            "exceeded its progressDeadlineSeconds: 60: Knative has not said why",
        ),
        ({"metadata": {"name": "podinfo-00002"}}, True, "Knative has not said why"),
    ],
)
def test_t18_a_revision_has_a_deadline(at: Build, body: Object, retriable: bool, why: str) -> None:
    health = TARGET.health(at(), body, primary=False, now=NOW)
    assert (health.ready, health.retriable, health.available) == (False, retriable, False)
    assert health.reason == f"Knative Revision podinfo-00002.test is not ready: {why}"


def test_a_state_that_is_out_of_date_does_not_count(at: Build) -> None:
    body = revision_body()
    body["metadata"]["generation"] = 2
    assert not TARGET.health(at(), body, primary=False, now=NOW).ready


def test_pods_that_serve_count_while_a_revision_is_not_ready(at: Build) -> None:
    body = revision_body("Unknown")
    body["status"]["actualReplicas"] = 1
    assert TARGET.health(at(), body, primary=True, now=NOW).available
