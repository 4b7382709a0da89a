"""DaemonSets as targets (targets.md section 6)."""

from typing import Any

import pytest

from flagger_controller.api.base import Object
from flagger_controller.errors import ConfigError
from flagger_controller.targets.daemonset import SCALE_TO_ZERO, DaemonSet

from .workloads import Build, new_primary, of_kind, take_identity

TARGET = DaemonSet()
DOWN = {SCALE_TO_ZERO: "true"}


SPEC: Object = {
    "revisionHistoryLimit": 10,
    "updateStrategy": {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
    },
}


@pytest.fixture
def daemonset(deployment: Build) -> Build:
    """Build a target on these nodes; keyword arguments replace parts of its spec."""

    def build(nodes: Object | None = None, **spec: Any) -> Object:
        pod = {} if nodes is None else {"nodeSelector": nodes}
        return of_kind("DaemonSet", deployment(pod=pod), SPEC | spec)

    return build


def test_new_primary(canary: Build, daemonset: Build, template: Object) -> None:
    body = TARGET.primary(canary(), daemonset(), {}, None)
    assert take_identity(body)
    assert body == new_primary(canary(), "DaemonSet", template, SPEC)


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
