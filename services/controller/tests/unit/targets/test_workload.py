"""What every kind of workload does alike (targets.md section 4)."""

import pytest

from flagger_controller.errors import ConfigError
from flagger_controller.targets.daemonset import DaemonSet
from flagger_controller.targets.deployment import Deployment
from flagger_controller.targets.statefulset import StatefulSet
from flagger_controller.targets.workload import Workload

from .workloads import Build


@pytest.mark.parametrize(
    "target", [Deployment(), DaemonSet(), StatefulSet()], ids=lambda t: t.kind.resource.kind
)
def test_selector_label_missing(canary: Build, deployment: Build, target: Workload) -> None:
    body = deployment(spec={"selector": {"matchLabels": {"app": None, "id": "x"}}})
    with pytest.raises(ConfigError) as caught:
        target.traits(canary(), body)
    assert str(caught.value) == (
        f"getSelectorLabel failed: {target.resource.kind.lower()} podinfo.test "
        "spec.selector.matchLabels must contain one of [app name app.kubernetes.io/name]"
    )
