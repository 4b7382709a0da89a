"""Self-references of pods on their way to the primary (targets.md 5.5)."""

import pytest

from flagger_controller.api.base import Object
from flagger_controller.api.traits import Selector
from flagger_controller.targets import primary as primaries
from flagger_controller.targets import selfref
from flagger_controller.targets.deployment import Deployment

from .workloads import Build

SELECTOR = Selector("app", "web")


def labels(value: str) -> Object:
    return {
        "matchLabels": {"app": value, "tier": "web"},
        "matchExpressions": [
            {"key": "app", "operator": "In", "values": ["other", value, value]},
            {"key": "app", "operator": "Exists"},
            {"key": "tier", "operator": "NotIn", "values": ["web"]},
        ],
    }


def pod(value: str) -> Object:
    """Every selector is an object of its own: one that was forgotten must not be hidden."""

    def term() -> Object:
        keys = {"matchLabelKeys": ["pod-template-hash"], "mismatchLabelKeys": ["app"]}
        return {"labelSelector": labels(value), "topologyKey": "zone"} | keys

    def rules() -> Object:
        return {
            "requiredDuringSchedulingIgnoredDuringExecution": [term()],
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "podAffinityTerm": term()}
            ],
        }

    spread = {"maxSkew": 1, "labelSelector": labels(value), "matchLabelKeys": ["app"]}
    return {
        "topologySpreadConstraints": [spread],
        "affinity": {"podAntiAffinity": rules(), "podAffinity": rules(), "nodeAffinity": {}},
    }


def test_t10_every_selector_of_the_own_label_follows() -> None:
    spec = pod("web")
    selfref.rewrite(spec, SELECTOR)
    assert spec == pod("web-primary")


def test_other_pods_are_left_alone() -> None:
    spec = pod("db")
    selfref.rewrite(spec, SELECTOR)
    assert spec == pod("db")


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"affinity": None, "topologySpreadConstraints": None},
        {"affinity": {"podAntiAffinity": None}},
        {"topologySpreadConstraints": [{"labelSelector": None}, {}]},
    ],
)
def test_odd_pods(spec: Object) -> None:
    selfref.rewrite(spec, SELECTOR)


def test_upstreams_rewriting_is_no_difference(
    canary: Build, deployment: Build, stored: Build
) -> None:
    """Upstream also renames labels that the primary's pods still have under the old value."""
    constraint = {
        "maxSkew": 1,
        "labelSelector": {"matchLabels": {"app": "podinfo", "name": "podinfo"}},
    }
    target = deployment(pod={"topologySpreadConstraints": [constraint]})
    live = stored(Deployment().primary(canary(), target, {}, None))
    template = live["spec"]["template"]
    found = template["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"]
    assert found == {"app": "podinfo-primary", "name": "podinfo"}
    found["name"] = "podinfo-primary"
    template["metadata"]["annotations"][primaries.IDENTITY] = "8d5f3e0a-54a1-4a57-9a44-6d1a1c9f1f11"
    assert Deployment().promoted(canary(), target, {}, live)
