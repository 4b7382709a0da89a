"""Core Services as targets: releases of whatever is behind a Service (targets.md 7.1).

No workload is touched. Two copies of the target are kept, `-canary` (always current) and
`-primary` (current after a promotion), and routes move traffic between them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref, Resource
from flagger_controller.rollout.evidence import Health
from flagger_controller.targets import godump, revision, service_copy
from flagger_controller.targets.base import ConfigRef, Configs, TargetSettings, twin_ref


@dataclass(frozen=True)
class Service:
    """The `Target` for core Services."""

    settings: TargetSettings = field(default_factory=TargetSettings)
    resource: Resource = resources.SERVICES
    tracks_configs: bool = False
    twin: bool = True

    def check(self, canary: Canary, target: Object, primary: Object | None) -> None:
        """Every Service can be served."""

    def traits(self, canary: Canary, target: Object) -> Traits:
        """No Services are generated for a Service."""
        return Traits(selector=None)

    def revision(self, target: Object) -> str:
        """Hash of what users write into the spec; allocated fields are no difference (T15)."""
        return revision.digest(service_copy.portable(target))

    def upstream(self, target: Object) -> str:
        """Hash of the whole spec, as upstream takes it."""
        return godump.hashed(target["spec"], "v1.ServiceSpec")

    def configs(self, target: Object) -> tuple[ConfigRef, ...]:
        """A Service uses no configs."""
        return ()

    def primary(
        self, canary: Canary, target: Object, configs: Configs, live: Object | None
    ) -> Object:
        """The copy that serves production; it stays owned by the Canary (T12)."""
        return _copied(canary, target, canary.primary, live)

    def promoted(self, canary: Canary, target: Object, configs: Configs, primary: Object) -> bool:
        """Does the primary copy say what the target says, allocated fields aside?"""
        wanted = _copied(canary, target, canary.primary, primary)
        return revision.canonical(wanted["spec"]) == revision.canonical(primary["spec"])

    def carries(self, canary: Canary, primary: Object) -> bool:
        """A Service has no mark of its revision."""
        return False

    def workload(self, canary: Canary, target: Object, *, primary: bool) -> Ref:
        """The Service itself."""
        return twin_ref(self.resource, canary, primary=primary)

    def refs(self, canary: Canary, target: Object) -> tuple[Ref, ...]:
        """The copy that follows the target all the time."""
        return (Ref(resources.SERVICES, canary.canary_service, canary.namespace),)

    def copies(
        self, canary: Canary, target: Object, live: Mapping[Ref, Object]
    ) -> Mapping[Ref, Object]:
        """The copy that follows the target all the time."""
        (ref,) = self.refs(canary, target)
        return {ref: _copied(canary, target, ref.name, live.get(ref))}

    def stale(self, canary: Canary, target: Object, live: Mapping[Ref, Object]) -> tuple[Ref, ...]:
        """The copy stays as long as the Canary."""
        return ()

    def scaled(self, canary: Canary, target: Object, *, up: bool, replicas: int) -> Object | None:
        """Services have no size."""
        return None

    def reverted(self, target: Object, primary: Object | None, *, replicas: int) -> Object | None:
        """Services have no size."""
        return None

    def health(self, canary: Canary, workload: Object, *, primary: bool, now: datetime) -> Health:
        """Services are always ready; what is behind them is not known here."""
        return Health(ready=True)


def _copied(canary: Canary, target: Object, name: str, live: Object | None) -> Object:
    spec = service_copy.portable(target)
    if canary.spec.service and canary.spec.service.traffic_distribution:
        spec["trafficDistribution"] = canary.spec.service.traffic_distribution
    return service_copy.copied(canary, target, name, live, spec)
