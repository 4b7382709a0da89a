"""DaemonSets as targets: scaled by a node selector that no node has (targets.md section 6)."""

import copy
from dataclasses import dataclass
from functools import partial
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.traits import Selector
from flagger_controller.cluster import resources
from flagger_controller.errors import ConfigError
from flagger_controller.targets import readiness
from flagger_controller.targets.workload import Kind, Workload

SCALE_TO_ZERO: Final = "flagger.app/scale-to-zero"
"""Node selector key that keeps all pods away; never part of a revision or of a primary."""


@dataclass(frozen=True)
class ByNodes:
    """The `Scaling` by a node selector; numbers of replicas mean nothing here."""

    def template(self, target: Object) -> Object:
        """The pod template without our node selector."""
        template = copy.deepcopy(target["spec"]["template"])
        nodes = template["spec"].get("nodeSelector") or {}
        if nodes.pop(SCALE_TO_ZERO, None) is not None and not nodes:
            del template["spec"]["nodeSelector"]
        return dict(template)

    def resize(self, canary: Canary, source: Object, spec: Object, *, new: bool) -> None:
        """Nothing: the primary runs on all nodes, even while the target has none (T9)."""

    def scaled(self, target: Object, *, up: bool, replicas: int) -> Object | None:
        """Remove or add the node selector that matches no node."""
        if up:
            return _selecting(None) if _is_down(target) else None
        return None if _is_down(target) else _selecting("true")

    def reverted(self, target: Object, primary: Object | None, *, replicas: int) -> Object | None:
        """Let the target's pods run again."""
        return _selecting(None) if _is_down(target) else None


def _check(canary: Canary, target: Object, primary: Object | None, selector: Selector) -> None:
    """Refuse an update strategy that never replaces pods."""
    strategy = (target["spec"].get("updateStrategy") or {}).get("type") or "RollingUpdate"
    if strategy != "RollingUpdate":
        raise ConfigError(
            f"daemonset {canary.target}.{canary.namespace} "
            f"must have RollingUpdate strategy but have {strategy}"
        )


def _hashed(template: Object) -> Object:
    """Upstream's template always has a node selector, be it empty."""
    spec = template["spec"]
    return {**template, "spec": {**spec, "nodeSelector": spec.get("nodeSelector") or {}}}


def _is_down(target: Object) -> bool:
    return SCALE_TO_ZERO in (target["spec"]["template"]["spec"].get("nodeSelector") or {})


def _selecting(value: str | None) -> Object:
    return {"spec": {"template": {"spec": {"nodeSelector": {SCALE_TO_ZERO: value}}}}}


KIND: Final = Kind(
    resource=resources.DAEMON_SETS,
    scaling=ByNodes(),
    carried=("minReadySeconds", "revisionHistoryLimit", "updateStrategy"),
    health=readiness.daemonset,
    check=_check,
    hashed=_hashed,
)
DaemonSet: Final = partial(Workload, KIND)
