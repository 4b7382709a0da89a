"""Plans for Knative Services: target, primary and route are one object."""

import itertools
from typing import Any

import pytest

from flagger_controller.api import knative
from flagger_controller.api.base import Object
from flagger_controller.api.status import Obligation, Phase, Route, Run
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.targets import revision
from flagger_controller.tick.plan import plan

from .scene import NAME, NAMESPACE, Scene, canary, names, split

SERVICE = Ref(resources.KNATIVE_SERVICES, NAME, NAMESPACE)
REFERENCE = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": NAME}


def revision_of(number: int) -> Ref:
    return Ref(resources.KNATIVE_REVISIONS, f"{NAME}-0000{number}", NAMESPACE)


def scene(phase: Phase, marked: int = 1, ready: tuple[int, ...] = (1, 2), **spec: Any) -> Scene:
    """Two revisions, of which the first was promoted and the second is analysed."""
    found = Scene(canary(phase, provider="knative", targetRef=REFERENCE, **spec))
    annotations = {knative.PRIMARY_REVISION: revision_of(marked).name} if marked else {}
    found.put(
        SERVICE,
        {
            "metadata": {"annotations": annotations},
            "spec": {"traffic": [{"latestRevision": True, "percent": 100}]},
            "status": {"latestCreatedRevisionName": revision_of(2).name},
        },
    )
    for number in (1, 2):
        state = "True" if number in ready else "False"
        conditions = [{"type": "Ready", "status": state}]
        status = {"observedGeneration": 1, "conditions": conditions}
        found.put(revision_of(number), {"metadata": {"generation": 1}, "status": status})
    hashes = [revision.digest(revision_of(number).name) for number in (1, 2)]
    return found.become(last_promoted_spec=hashes[0], last_applied_spec=hashes[1])


def shown(found: Scene) -> tuple[str, list[tuple[str, int]]]:
    body: Object = found.memory.get(SERVICE)
    entries = [
        (each.get("revisionName", "latest"), each["percent"]) for each in body["spec"]["traffic"]
    ]
    return knative.primary(body), entries


def test_a_lost_mark_is_set_again_and_then_the_traffic() -> None:
    found = scene(Phase.SUCCEEDED, marked=0).become(run=Run(route=Route()))
    found.apply(found.plan())
    assert shown(found) == ("cart-00001", [("latest", 100)])
    found.settle()
    assert shown(found) == ("cart-00001", [("latest", 0), ("cart-00001", 100)])


def test_an_object_is_written_once_a_plan() -> None:
    """Mark and traffic differ, but the second write would be built on what the first replaced."""
    found = scene(Phase.PROMOTING).become(run=Run(route=split(50)))
    planned = found.plan()
    assert names(planned) == ["Service cart"]
    found.apply(planned)
    assert shown(found) == ("cart-00002", [("latest", 100)])
    found.settle()
    assert shown(found) == ("cart-00002", [("latest", 50), ("cart-00002", 50)])


@pytest.mark.parametrize("skip", [False, True])
def test_the_traffic_waits_until_the_first_primary_is_ready(skip: bool) -> None:
    found = scene(Phase.INITIALIZING, ready=(1,), skipAnalysis=skip)
    assert found.settle().waiting == "the primary is not ready"
    assert shown(found) == ("cart-00002", [("latest", 100)])


@pytest.mark.parametrize("marked", [0, 1, 2])
def test_planning_after_writing_finds_nothing_from_any_state(marked: int) -> None:
    routes = [None, split(0), split(25), split(100)]
    health = [(), (1,), (2,), (1, 2)]
    for phase, obligation, route, ready in itertools.product(Phase, Obligation, routes, health):
        found = scene(phase, marked, ready).become(run=Run(obligation=obligation, route=route))
        last = found.settle()
        assert plan(found.world()) == last
        if phase not in (Phase.NEW, Phase.INITIALIZING):
            check(found, route or Route(), ready)


def check(found: Scene, route: Route, ready: tuple[int, ...]) -> None:
    """The shares sum to 100 (I1), and no revision that is dead has one beside a good one (I2)."""
    primary, entries = shown(found)
    shares = dict.fromkeys((1, 2), 0)
    for name, percent in entries:
        shares[2 if name == "latest" else int(name[-1])] += percent
    assert sum(shares.values()) == 100
    for number in (1, 2):
        if shares[number] and shares[3 - number]:
            assert number in ready or not ready, (entries, ready, route)
    assert primary in (revision_of(1).name, revision_of(2).name)
