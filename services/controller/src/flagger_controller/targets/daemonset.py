"""DaemonSets as targets: scaled by a node selector that no node has (targets.md section 6)."""

import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Resource
from flagger_controller.errors import ConfigError
from flagger_controller.rollout.evidence import Health
from flagger_controller.targets import metadata, readiness, revision, tracking, traits
from flagger_controller.targets import primary as primaries
from flagger_controller.targets.base import ConfigRef, Configs, TargetSettings

SCALE_TO_ZERO: Final = "flagger.app/scale-to-zero"
"""Node selector key that keeps all pods away; never part of a revision or of a primary."""
_CARRIED: Final = ("minReadySeconds", "revisionHistoryLimit", "updateStrategy")


@dataclass(frozen=True)
class DaemonSet:
    """The `Target` for DaemonSets."""

    settings: TargetSettings = field(default_factory=TargetSettings)
    resource: Resource = resources.DAEMON_SETS

    @property
    def tracks_configs(self) -> bool:
        """Config tracking can be switched off for the whole controller."""
        return self.settings.config_tracking

    def traits(self, canary: Canary, target: Object) -> Traits:
        """Selector and discovered ports.

        Raises:
            ConfigError: no usable selector label, or an update strategy that never replaces pods.
        """
        strategy = (target["spec"].get("updateStrategy") or {}).get("type") or "RollingUpdate"
        if strategy != "RollingUpdate":
            raise ConfigError(
                f"daemonset {canary.target}.{canary.namespace} "
                f"must have RollingUpdate strategy but have {strategy}"
            )
        return traits.of(canary, target, self.settings, "daemonset")

    def revision(self, target: Object) -> str:
        """Hash of the pod template; being scaled to zero is no difference."""
        return revision.digest(_scheduled(target))

    def configs(self, target: Object) -> tuple[ConfigRef, ...]:
        """What the pod template refers to; nothing when tracking is off."""
        if not self.tracks_configs:
            return ()
        return tracking.references(target["spec"]["template"]["spec"])

    def primary(
        self, canary: Canary, target: Object, configs: Configs, live: Object | None
    ) -> Object:
        """The primary DaemonSet, which runs even when the target is scaled to zero (T9)."""
        selector = traits.selector(canary, target, self.settings, "daemonset")
        body = metadata.header(self.resource) if live is None else {}
        body |= primaries.body(canary, self.settings, target, live, selector)
        spec = body["spec"]
        primaries.carry(target["spec"], spec, _CARRIED)
        wanted = self._template(canary, target, configs)
        spec["template"] = primaries.settled(canary, wanted, spec.get("template"), configs)
        return body

    def promoted(self, canary: Canary, target: Object, configs: Configs, primary: Object) -> bool:
        """Does the primary run the target's template with these configs?"""
        wanted = self._template(canary, target, configs)
        return primaries.promoted(canary, wanted, primary["spec"]["template"], configs)

    def twin(self, canary: Canary, target: Object, live: Object | None) -> Object | None:
        """Workloads have no copy besides the primary."""
        return None

    def scaled(self, canary: Canary, target: Object, *, up: bool, replicas: int) -> Object | None:
        """Remove or add the node selector that matches no node; `replicas` means nothing here."""
        down = SCALE_TO_ZERO in _node_selector(target)
        if up:
            return _selecting(None) if down else None
        return None if down else _selecting("true")

    def reverted(self, target: Object, primary: Object | None, *, replicas: int) -> Object | None:
        """Let the target's pods run again."""
        return _selecting(None) if SCALE_TO_ZERO in _node_selector(target) else None

    def health(self, canary: Canary, workload: Object, *, primary: bool, now: datetime) -> Health:
        """Readiness by scheduled and available pods (6.3)."""
        return readiness.daemonset(canary, workload, primary=primary, now=now)

    def _template(self, canary: Canary, target: Object, configs: Configs) -> Object:
        selector = traits.selector(canary, target, self.settings, "daemonset")
        spec = self.revision(target)
        return primaries.template(canary, _scheduled(target), spec, configs, selector)


def _node_selector(workload: Object) -> Object:
    return workload["spec"]["template"]["spec"].get("nodeSelector") or {}


def _scheduled(target: Object) -> Object:
    """The pod template as it is when it is not scaled to zero."""
    template = copy.deepcopy(target["spec"]["template"])
    nodes = template["spec"].get("nodeSelector") or {}
    if nodes.pop(SCALE_TO_ZERO, None) is not None and not nodes:
        del template["spec"]["nodeSelector"]
    return dict(template)


def _selecting(value: str | None) -> Object:
    return {"spec": {"template": {"spec": {"nodeSelector": {SCALE_TO_ZERO: value}}}}}
