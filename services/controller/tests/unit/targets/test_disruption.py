"""Disruption budgets of primaries (docs/targets.md)."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from flagger_controller.api.base import Object
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.targets.deployment import Deployment

from .workloads import Build

Live = Mapping[Ref, Object]

TARGET = Deployment()
OWN = {"matchLabels": {"app": "podinfo"}}


def ref(name: str) -> Ref:
    return Ref(resources.DISRUPTION_BUDGETS, name, "test")


def budget(name: str = "web", selector: Object | None = OWN, **spec: Any) -> Object:
    """A budget as the API server returns it."""
    meta = {
        "name": name,
        "namespace": "test",
        "uid": f"uid-{name}",
        "labels": {"team": "web", "kustomize.toolkit.fluxcd.io/name": "x"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "note": "n"},
    }
    chosen = {} if selector is None else {"selector": selector}
    return copy.deepcopy(
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": meta,
            "spec": {"minAvailable": 1} | chosen | spec,
            "status": {"disruptionsAllowed": 1},
        }
    )


def there(*budgets: Object) -> dict[Ref, Object]:
    return {ref(body["metadata"]["name"]): body for body in budgets}


@pytest.fixture
def copies(canary: Build, deployment: Build) -> Callable[..., Live]:
    """The copies that are wanted, for what is there and for labels of the pods."""

    def find(live: Live, **labels: str) -> Live:
        target = deployment(spec={"template": {"metadata": {"labels": labels}}})
        return TARGET.copies(canary(), target, live)

    return find


@pytest.fixture
def stale(canary: Build, deployment: Build) -> Callable[[Live], tuple[Ref, ...]]:
    return lambda live: TARGET.stale(canary(), deployment(), live)


@pytest.fixture
def ours(copies: Callable[..., Live], stored: Build) -> Build:
    """Our copy as the API server returns it."""

    def build(*budgets: Object) -> Object:
        (body,) = copies(there(*budgets)).values()
        live: Object = stored(body) | {"status": {"disruptionsAllowed": 0}}
        return live

    return build


def test_the_primary_has_the_budget_of_its_target(
    canary: Build, copies: Callable[..., Live]
) -> None:
    source = budget(
        maxUnavailable="20%", minAvailable=None, unhealthyPodEvictionPolicy="AlwaysAllow"
    )
    before = copy.deepcopy(source)
    assert copies(there(source)) == {
        ref("web-primary"): {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {
                "name": "web-primary",
                "namespace": "test",
                "labels": {"team": "web"},
                "annotations": {"note": "n"},
                "ownerReferences": [canary().owner_reference],
            },
            "spec": {
                "maxUnavailable": "20%",
                "minAvailable": None,
                "selector": {"matchLabels": {"app": "podinfo-primary"}},
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
            },
        }
    }
    assert source == before


def test_other_conditions_of_the_selector_stay(copies: Callable[..., Live]) -> None:
    rule = {"key": "tier", "operator": "In", "values": ["front"]}
    selector = {"matchLabels": {"app": "podinfo", "tier": "front"}, "matchExpressions": [rule]}
    (body,) = copies(there(budget(selector=selector)), tier="front").values()
    assert body["spec"]["selector"] == {
        "matchLabels": {"app": "podinfo-primary", "tier": "front"},
        "matchExpressions": [rule],
    }


def test_the_copy_is_written_once_and_follows(copies: Callable[..., Live], ours: Build) -> None:
    live = ours(budget())
    assert copies(there(budget(), live)) == {ref("web-primary"): live}
    (body,) = copies(there(budget(minAvailable=2), live)).values()
    assert body == live | {"spec": live["spec"] | {"minAvailable": 2}}


def test_a_copy_that_was_edited_is_put_right(copies: Callable[..., Live], ours: Build) -> None:
    live = ours(budget())
    edited = copy.deepcopy(live)
    edited["spec"]["minAvailable"] = 0
    assert copies(there(budget(), edited)) == {ref("web-primary"): live}


def test_the_copy_goes_with_its_original(
    stale: Callable[[Live], tuple[Ref, ...]], ours: Build
) -> None:
    live = ours(budget())
    assert stale(there(budget(), live)) == ()
    assert stale(there(live)) == (ref("web-primary"),)
    other = budget(selector={"matchLabels": {"app": "other"}})
    assert stale(there(other, live)) == (ref("web-primary"),)
    going = live | {"metadata": live["metadata"] | {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert stale(there(going)) == ()


@pytest.mark.parametrize(
    "selector", [OWN, {"matchLabels": {"app": "podinfo-primary"}}, {"matchLabels": {"app": "x"}}]
)
def test_a_budget_that_somebody_made_is_never_touched(
    copies: Callable[..., Live], stale: Callable[[Live], tuple[Ref, ...]], selector: Object
) -> None:
    live = there(budget(), budget("web-primary", selector))
    assert copies(live) == {}
    assert stale(live) == ()


@pytest.mark.parametrize(
    "selector",
    [
        {"matchLabels": {"app": "podinfo-primary"}},
        {"matchExpressions": [{"key": "app", "operator": "Exists"}]},
        {},
    ],
    ids=["its-label", "an-expression", "all-pods"],
)
def test_pods_are_never_under_two_budgets(
    copies: Callable[..., Live],
    stale: Callable[[Live], tuple[Ref, ...]],
    ours: Build,
    selector: Object,
) -> None:
    """They could not be evicted at all."""
    live = there(budget(), budget("production", selector))
    assert copies(live) == {}
    assert stale(live | there(ours(budget()))) == (ref("web-primary"),)


def test_of_several_budgets_one_is_copied(
    copies: Callable[..., Live], stale: Callable[[Live], tuple[Ref, ...]], ours: Build
) -> None:
    live = there(budget("b"), budget("a"))
    assert set(copies(live)) == {ref("a-primary")}
    assert stale(live | there(ours(budget("b")))) == (ref("b-primary"),)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (OWN, True),
        ({"matchLabels": {"app": "podinfo", "tier": "front"}}, True),
        ({"matchLabels": {"app": "podinfo", "tier": "back"}}, False),
        ({"matchLabels": {"app": "podinfo-canary"}}, False),
        ({"matchLabels": {"tier": "front"}}, False),
        ({"matchLabels": None}, False),
        (None, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["podinfo"]}]}, False),
    ],
)
def test_which_budgets_are_about_the_target(
    copies: Callable[..., Live], selector: Object | None, expected: bool
) -> None:
    live = there(budget(selector=selector))
    assert (copies(live, tier="front") != {}) is expected


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("In", ["front", "middle"], True),
        ("In", ["back"], False),
        ("NotIn", ["back"], True),
        ("NotIn", ["front"], False),
        ("Exists", None, True),
        ("DoesNotExist", None, False),
    ],
)
def test_expressions(
    copies: Callable[..., Live], operator: str, values: list[str] | None, expected: bool
) -> None:
    rule = {"key": "tier", "operator": operator, "values": values}
    live = there(budget(selector=OWN | {"matchExpressions": [rule]}))
    assert (copies(live, tier="front") != {}) is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [("In", False), ("NotIn", True), ("Exists", False), ("DoesNotExist", True)],
)
def test_expressions_about_a_label_that_is_not_there(
    copies: Callable[..., Live], operator: str, expected: bool
) -> None:
    rule = {"key": "tier", "operator": operator, "values": ["front"]}
    live = there(budget(selector=OWN | {"matchExpressions": [rule]}))
    assert (copies(live) != {}) is expected
