"""DaemonSets as targets (targets.md section 6)."""

from collections.abc import Callable
from typing import Any

import pytest

from flagger_controller.api.base import Object
from flagger_controller.errors import ConfigError
from flagger_controller.targets.daemonset import SCALE_TO_ZERO, DaemonSet

Build = Callable[..., Any]

TARGET = DaemonSet()
DOWN = {SCALE_TO_ZERO: "true"}


@pytest.fixture
def daemonset(template: Object) -> Build:
    def build(nodes: Object | None = None, **spec: Any) -> Object:
        pod = template["spec"] | ({} if nodes is None else {"nodeSelector": nodes})
        return {
            "metadata": {"name": "podinfo", "namespace": "test", "labels": {"app": "podinfo"}},
            "spec": {
                "revisionHistoryLimit": 10,
                "selector": {"matchLabels": {"app": "podinfo"}},
                "template": {"metadata": template["metadata"], "spec": pod},
                "updateStrategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
                },
            }
            | spec,
        }

    return build


def test_new_primary(canary: Build, daemonset: Build, template: Object) -> None:
    body = TARGET.primary(canary(), daemonset(), {}, None)
    assert body["spec"]["template"]["metadata"].pop("annotations").keys() == {"flagger-id"}
    assert body == {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {
            "name": "podinfo-primary",
            "namespace": "test",
            "labels": {"app": "podinfo-primary"},
            "ownerReferences": [canary().owner_reference],
        },
        "spec": {
            "revisionHistoryLimit": 10,
            "selector": {"matchLabels": {"app": "podinfo-primary"}},
            "template": {
                "metadata": {"labels": {"app": "podinfo-primary"}},
                "spec": template["spec"],
            },
            "updateStrategy": {
                "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
                "type": "RollingUpdate",
            },
        },
    }


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [(DOWN, None), (DOWN | {"disk": "ssd"}, {"disk": "ssd"}), ({"disk": "ssd"}, {"disk": "ssd"})],
)
def test_t9_a_primary_is_never_born_scaled_to_zero(
    canary: Build, daemonset: Build, nodes: Object, expected: Object | None
) -> None:
    target = daemonset(nodes)
    body = TARGET.primary(canary(), target, {}, None)
    assert body["spec"]["template"]["spec"].get("nodeSelector") == expected
    assert target["spec"]["template"]["spec"]["nodeSelector"] == nodes


def test_scaling_is_no_revision(daemonset: Build) -> None:
    assert TARGET.revision(daemonset()) == TARGET.revision(daemonset(DOWN))
    assert TARGET.revision(daemonset()) == TARGET.revision(daemonset({}))
    assert TARGET.revision(daemonset()) != TARGET.revision(daemonset({"disk": "ssd"}))


def test_promoting_while_scaled_to_zero_is_no_difference(
    canary: Build, daemonset: Build, stored: Build
) -> None:
    live = stored(TARGET.primary(canary(), daemonset(), {}, None))
    assert TARGET.promoted(canary(), daemonset(DOWN), {}, live)
    assert TARGET.primary(canary(), daemonset(DOWN), {}, live) == live


@pytest.mark.parametrize(
    ("nodes", "up", "value"),
    [(None, False, "true"), (DOWN, False, "same"), (DOWN, True, None), (None, True, "same")],
)
def test_scaling(
    canary: Build, daemonset: Build, nodes: Object | None, up: bool, value: str | None
) -> None:
    patch = TARGET.scaled(canary(), daemonset(nodes), up=up, replicas=3)
    if value == "same":
        assert patch is None
    else:
        assert patch == {"spec": {"template": {"spec": {"nodeSelector": {SCALE_TO_ZERO: value}}}}}


def test_revert_is_scaling_up(daemonset: Build) -> None:
    assert TARGET.reverted(daemonset(), None, replicas=1) is None
    assert TARGET.reverted(daemonset(DOWN), daemonset(), replicas=1) == {
        "spec": {"template": {"spec": {"nodeSelector": {SCALE_TO_ZERO: None}}}}
    }


@pytest.mark.parametrize("strategy", [None, {}, {"type": "RollingUpdate"}])
def test_rolling_update_is_the_default(
    canary: Build, daemonset: Build, strategy: Object | None
) -> None:
    TARGET.check(canary(), daemonset(updateStrategy=strategy), None)


def test_on_delete_is_refused(canary: Build, daemonset: Build) -> None:
    with pytest.raises(ConfigError) as caught:
        TARGET.check(canary(), daemonset(updateStrategy={"type": "OnDelete"}), None)
    assert str(caught.value) == (
        "daemonset podinfo.test must have RollingUpdate strategy but have OnDelete"
    )


def test_selector_label_missing(canary: Build, daemonset: Build) -> None:
    with pytest.raises(ConfigError) as caught:
        TARGET.traits(canary(), daemonset(selector={}))
    assert str(caught.value) == (
        "getSelectorLabel failed: daemonset podinfo.test spec.selector.matchLabels "
        "must contain one of [app name app.kubernetes.io/name]"
    )
