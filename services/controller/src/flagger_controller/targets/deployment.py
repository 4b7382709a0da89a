"""Deployments as targets (targets.md section 5)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Resource
from flagger_controller.rollout.evidence import Health
from flagger_controller.targets import metadata, readiness, revision, tracking, traits
from flagger_controller.targets import primary as primaries
from flagger_controller.targets.base import ConfigRef, Configs, TargetSettings

_CARRIED: Final = ("progressDeadlineSeconds", "minReadySeconds", "revisionHistoryLimit", "strategy")
"""What a promotion takes over besides template and replicas."""


@dataclass(frozen=True)
class Deployment:
    """The `Target` for Deployments."""

    settings: TargetSettings = field(default_factory=TargetSettings)
    resource: Resource = resources.DEPLOYMENTS

    @property
    def tracks_configs(self) -> bool:
        """Config tracking can be switched off for the whole controller."""
        return self.settings.config_tracking

    def traits(self, canary: Canary, target: Object) -> Traits:
        """Selector and discovered ports; `ConfigError` without a usable selector label."""
        return traits.of(canary, target, self.settings, "deployment")

    def revision(self, target: Object) -> str:
        """Hash of the whole pod template, annotations included."""
        return revision.digest(target["spec"]["template"])

    def configs(self, target: Object) -> tuple[ConfigRef, ...]:
        """What the pod template refers to; nothing when tracking is off."""
        if not self.tracks_configs:
            return ()
        return tracking.references(target["spec"]["template"]["spec"])

    def primary(
        self, canary: Canary, target: Object, configs: Configs, live: Object | None
    ) -> Object:
        """The primary Deployment (5.1, 5.2).

        It never gets 0 replicas from a target that is scaled down (T23), and none at all when an
        autoscaler owns them. A template that says the same as the live one keeps its identity, so
        that nothing is rolled for nothing.
        """
        selector = traits.selector(canary, target, self.settings, "deployment")
        body = metadata.header(self.resource) if live is None else {}
        body |= primaries.body(canary, self.settings, target, live, selector)
        spec, source = body["spec"], target["spec"]
        primaries.carry(source, spec, _CARRIED)
        replicas = source.get("replicas", 1)
        if live is None:
            spec["replicas"] = replicas or 1
        elif canary.spec.autoscaler_ref is None and replicas:
            spec["replicas"] = replicas
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
        """Set the replicas to 0, or to `replicas` when they are 0 (5.3)."""
        current = _replicas(target)
        if up:
            return None if current else _sized(max(1, replicas))
        return _sized(0) if current else None

    def reverted(self, target: Object, primary: Object | None, *, replicas: int) -> Object | None:
        """Give the target the size of the primary, or `replicas` where that is 0 or unknown."""
        wanted = _replicas(primary) if primary else 0
        wanted = wanted or _replicas(target) or max(1, replicas)
        return None if wanted == _replicas(target) else _sized(wanted)

    def health(self, canary: Canary, workload: Object, *, primary: bool, now: datetime) -> Health:
        """Readiness by replica counts and conditions (5.4)."""
        return readiness.deployment(canary, workload, primary=primary, now=now)

    def _template(self, canary: Canary, target: Object, configs: Configs) -> Object:
        selector = traits.selector(canary, target, self.settings, "deployment")
        source = target["spec"]["template"]
        return primaries.template(canary, source, self.revision(target), configs, selector)


def _replicas(workload: Object) -> int:
    value = (workload.get("spec") or {}).get("replicas")
    return 1 if value is None else int(value)


def _sized(replicas: int) -> Object:
    return {"spec": {"replicas": replicas}}
