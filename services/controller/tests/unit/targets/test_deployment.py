"""Deployments as targets (targets.md section 5)."""

import copy
from typing import Any

import pytest

from flagger_controller.api.base import Object
from flagger_controller.targets import primary as primaries
from flagger_controller.targets.base import ConfigRef, TargetSettings
from flagger_controller.targets.deployment import Deployment

from .workloads import Build, new_primary, take_identity

TARGET = Deployment()
PROMOTING = {"phase": "Promoting", "run": {"tickedAt": "2026-01-01T00:00:00.000Z"}}
UPSTREAM_ID = "8d5f3e0a-54a1-4a57-9a44-6d1a1c9f1f11"
CONFIG = ConfigRef("ConfigMap", "settings")
USES_CONFIG = {"volumes": [{"name": "c", "configMap": {"name": "settings"}}]}


def config(color: str = "red") -> Object:
    return {"metadata": {"name": "settings", "namespace": "test"}, "data": {"color": color}}


def written_by_upstream(body: Object) -> Object:
    live = copy.deepcopy(body)
    live["spec"]["template"]["metadata"]["annotations"][primaries.IDENTITY] = UPSTREAM_ID
    return live


def test_new_primary(canary: Build, deployment: Build, template: Object) -> None:
    body = TARGET.primary(canary(), deployment(), {}, None)
    assert take_identity(body) == "9768daf2-822e-5156-b1d2-a08471a15564"
    spec = {
        "progressDeadlineSeconds": 600,
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "strategy": {
            "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
            "type": "RollingUpdate",
        },
    }
    assert body == new_primary(canary(), "Deployment", template, spec)


@pytest.mark.parametrize(("replicas", "expected"), [(0, 1), (3, 3), (None, 1)])
def test_replicas_of_a_new_primary(
    canary: Build, deployment: Build, replicas: int | None, expected: int
) -> None:
    target = deployment(spec={"replicas": replicas})
    assert TARGET.primary(canary(), target, {}, None)["spec"]["replicas"] == expected


@pytest.mark.parametrize(
    ("replicas", "scaler", "expected"),
    [(5, False, 5), (0, False, 2), (5, True, 2), (0, True, 2)],
    ids=["copied", "t23-never-zero", "scaler-owns-them", "scaler-and-zero"],
)
def test_replicas_at_promotion(
    canary: Build, deployment: Build, stored: Build, replicas: int, scaler: bool, expected: int
) -> None:
    ref = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "podinfo"}
    built = canary(autoscalerRef=ref) if scaler else canary()
    live = stored(TARGET.primary(built, deployment(spec={"replicas": 2}), {}, None))
    target = deployment(spec={"replicas": replicas})
    assert TARGET.primary(built, target, {}, live)["spec"]["replicas"] == expected


def test_promotion_carries_strategy_and_limits(
    canary: Build, deployment: Build, stored: Build
) -> None:
    live = stored(TARGET.primary(canary(), deployment(spec={"minReadySeconds": 5}), {}, None))
    changed = {"progressDeadlineSeconds": 60, "strategy": None}
    body = TARGET.primary(canary(), deployment(spec=changed), {}, live)
    assert body["spec"]["progressDeadlineSeconds"] == 60
    assert "minReadySeconds" not in body["spec"]
    assert "strategy" not in body["spec"]


def test_foreign_fields_of_the_live_primary_stay(
    canary: Build, deployment: Build, stored: Build
) -> None:
    live = stored(TARGET.primary(canary(), deployment(), {}, None))
    live["spec"]["paused"] = True
    live["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "3", "mine": "1"}
    live["metadata"]["labels"]["mine"] = "1"
    body = TARGET.primary(canary(), deployment(metadata={"annotations": {"new": "1"}}), {}, live)
    assert body["spec"]["paused"] is True
    assert body["metadata"]["labels"] == {"app": "podinfo-primary", "mine": "1"}
    assert body["metadata"]["annotations"] == {
        "deployment.kubernetes.io/revision": "3",
        "mine": "1",
        "new": "1",
    }


def test_t11_annotations_follow_one_rule(canary: Build, deployment: Build, stored: Build) -> None:
    annotations = {
        "deployment.kubernetes.io/revision": "7",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
        "kopf.zalando.org/last-handled-configuration": "{}",
        "reloader.stakater.com/auto": "true",
    }
    target = deployment(metadata={"annotations": annotations})
    created = TARGET.primary(canary(), target, {}, None)
    assert created["metadata"]["annotations"] == {"reloader.stakater.com/auto": "true"}
    newer = deployment(metadata={"annotations": annotations}, annotations={"restarted": "now"})
    updated = TARGET.primary(canary(), newer, {}, stored(created))
    assert updated["metadata"]["annotations"] == {"reloader.stakater.com/auto": "true"}


@pytest.mark.parametrize(
    ("prefixes", "expected"),
    [
        ((), {}),
        (("team",), {"team": "web", "team.io/x": "1"}),
        (("*",), {"team": "web", "team.io/x": "1", "other": "2"}),
        ((" team.io/ ", ""), {"team.io/x": "1"}),
    ],
    ids=["none", "one", "all", "t30-trimmed"],
)
def test_labels_pass_the_prefix_filter(
    canary: Build, deployment: Build, prefixes: tuple[str, ...], expected: Object
) -> None:
    labels = {
        "team": "web",
        "team.io/x": "1",
        "other": "2",
        "kustomize.toolkit.fluxcd.io/name": "apps",
    }
    target = Deployment(TargetSettings(include_label_prefix=prefixes))
    body = target.primary(canary(), deployment(metadata={"labels": labels}), {}, None)
    assert body["metadata"]["labels"] == expected | {"app": "podinfo-primary"}


def test_prefixed_labels_that_are_gone_go_from_the_primary(
    canary: Build, deployment: Build, stored: Build
) -> None:
    target = Deployment(TargetSettings(include_label_prefix=("team",)))
    live = stored(
        target.primary(canary(), deployment(metadata={"labels": {"team": "a"}}), {}, None)
    )
    body = target.primary(canary(), deployment(), {}, live)
    assert body["metadata"]["labels"] == {"app": "podinfo-primary"}


def test_pod_metadata(canary: Build, deployment: Build) -> None:
    labels = {"app": "podinfo", "version": "1", "helm.toolkit.fluxcd.io/name": "x"}
    target = deployment(
        spec={"template": {"metadata": {"labels": labels}}},
        annotations={
            "prometheus.io/scrape": "true",
            "flagger-id": "mine",
            "x.toolkit.fluxcd.io": "",
        },
    )
    meta = TARGET.primary(canary(), target, {}, None)["spec"]["template"]["metadata"]
    assert meta["labels"] == {"app": "podinfo-primary", "version": "1"}
    assert set(meta["annotations"]) == {"prometheus.io/scrape", "flagger-id"}
    assert meta["annotations"]["flagger-id"] != "mine"


def test_identity_is_that_of_the_revision(canary: Build, deployment: Build) -> None:
    def identity(built: Any, target: Object, configs: dict[ConfigRef, Object]) -> str:
        body = TARGET.primary(built, target, configs, None)
        return str(body["spec"]["template"]["metadata"]["annotations"]["flagger-id"])

    base = identity(canary(), deployment(), {})
    assert base == identity(canary(), deployment(spec={"replicas": 9}), {})
    others = [
        identity(canary(uid="uid-2"), deployment(), {}),
        identity(canary(), deployment(annotations={"restarted": "now"}), {}),
        identity(canary(), deployment(), {CONFIG: config()}),
        identity(canary(), deployment(), {CONFIG: config("blue")}),
    ]
    assert len({base, *others}) == 5


@pytest.mark.parametrize("status", [{}, PROMOTING], ids=["between-runs", "promoting"])
def test_t32_promoting_twice_is_promoting_once(
    canary: Build, deployment: Build, stored: Build, status: Object
) -> None:
    target, at = deployment(pod=USES_CONFIG), canary(status)
    live = stored(TARGET.primary(at, target, {CONFIG: config()}, None))
    assert TARGET.promoted(at, target, {CONFIG: config()}, live)
    assert TARGET.primary(at, target, {CONFIG: config()}, live) == live


def test_new_template_is_not_promoted(canary: Build, deployment: Build, stored: Build) -> None:
    live = stored(TARGET.primary(canary(), deployment(), {}, None))
    newer = deployment(annotations={"restarted": "now"})
    assert not TARGET.promoted(canary(), newer, {}, live)
    assert TARGET.promoted(canary(), newer, {}, TARGET.primary(canary(), newer, {}, live))


def test_another_image_is_not_promoted_whatever_the_identity(
    canary: Build, deployment: Build, stored: Build
) -> None:
    """Known without building a primary: the usual case while a release is under way."""
    target = deployment()
    live = stored(TARGET.primary(canary(), target, {}, None))
    newer = copy.deepcopy(target)
    newer["spec"]["template"]["spec"]["containers"][0]["image"] = "shop:next"
    assert not TARGET.promoted(canary(), newer, {}, live)
    assert not TARGET.promoted(canary(), newer, {}, written_by_upstream(live))


def test_new_config_data_is_not_promoted(canary: Build, deployment: Build, stored: Build) -> None:
    target = deployment(pod=USES_CONFIG)
    live = stored(TARGET.primary(canary(), target, {CONFIG: config()}, None))
    assert not TARGET.promoted(canary(), target, {CONFIG: config("blue")}, live)
    body = TARGET.primary(canary(), target, {CONFIG: config("blue")}, live)
    assert body["spec"]["template"] != live["spec"]["template"]


def test_take_over_of_an_idle_release_rolls_nothing(
    canary: Build, deployment: Build, stored: Build
) -> None:
    target = deployment(pod=USES_CONFIG)
    live = written_by_upstream(stored(TARGET.primary(canary(), target, {CONFIG: config()}, None)))
    idle = canary(status={"phase": "Succeeded"})
    assert TARGET.promoted(idle, target, {CONFIG: config()}, live)
    assert TARGET.primary(idle, target, {CONFIG: config()}, live) == live


def test_take_over_of_another_revision_is_not_promoted(
    canary: Build, deployment: Build, stored: Build
) -> None:
    live = written_by_upstream(stored(TARGET.primary(canary(), deployment(), {}, None)))
    assert not TARGET.promoted(canary(), deployment(annotations={"a": "b"}), {}, live)


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "Promoting"},
        {"phase": "Progressing", "run": {"obligation": "skip"}},
    ],
)
def test_take_over_while_promoting_trusts_no_foreign_identity(
    canary: Build, deployment: Build, stored: Build, status: Object
) -> None:
    target = deployment(pod=USES_CONFIG)
    live = written_by_upstream(stored(TARGET.primary(canary(), target, {CONFIG: config()}, None)))
    promoting = canary(status=status)
    assert not TARGET.promoted(promoting, target, {CONFIG: config()}, live)
    assert TARGET.promoted(promoting, target, {}, _without_config(live))


def _without_config(live: Object) -> Object:
    plain = copy.deepcopy(live)
    plain["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"] = "settings"
    return plain


def test_a_primary_edited_by_hand_is_put_right(
    canary: Build, deployment: Build, stored: Build
) -> None:
    live = stored(TARGET.primary(canary(), deployment(), {}, None))
    edited = copy.deepcopy(live)
    edited["spec"]["template"]["spec"]["containers"][0]["image"] = "rig/podinfo:edited"
    assert TARGET.primary(canary(), deployment(), {}, edited) == live


@pytest.mark.parametrize(
    ("replicas", "up", "expected"),
    [(3, False, 0), (0, False, None), (0, True, 2), (3, True, None), (None, False, 0)],
)
def test_scaling(
    canary: Build, deployment: Build, replicas: int | None, up: bool, expected: int | None
) -> None:
    target = deployment(spec={"replicas": replicas})
    patch = TARGET.scaled(canary(), target, up=up, replicas=2)
    assert patch == (None if expected is None else {"spec": {"replicas": expected}})


def test_scaling_up_never_stays_at_zero(canary: Build, deployment: Build) -> None:
    target = deployment(spec={"replicas": 0})
    assert TARGET.scaled(canary(), target, up=True, replicas=0) == {"spec": {"replicas": 1}}


@pytest.mark.parametrize(
    ("target", "primary", "expected"),
    [(0, 4, 4), (4, 4, None), (2, 4, 4), (0, None, 3), (2, None, None), (0, 0, 3), (2, 0, None)],
)
def test_t22_revert_patches_only_a_different_size(
    deployment: Build, target: int, primary: int | None, expected: int | None
) -> None:
    live = None if primary is None else deployment(spec={"replicas": primary})
    patch = TARGET.reverted(deployment(spec={"replicas": target}), live, replicas=3)
    assert patch == (None if expected is None else {"spec": {"replicas": expected}})


def test_t30_selector_labels_are_trimmed(canary: Build, deployment: Build) -> None:
    target = Deployment(TargetSettings(selector_labels=("app", " name")))
    labels = {"app": None, "name": "web"}
    found = target.traits(canary(), deployment(spec={"selector": {"matchLabels": labels}}))
    assert found.selector is not None
    assert (found.selector.key, found.selector.value) == ("name", "web")


def test_tracking_can_be_off(deployment: Build) -> None:
    off = Deployment(TargetSettings(config_tracking=False))
    target = deployment(pod=USES_CONFIG)
    assert off.configs(target) == ()
    assert not off.tracks_configs
    assert TARGET.configs(target) == (CONFIG,)
