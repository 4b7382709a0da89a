"""Workloads as targets: what Deployments, DaemonSets and StatefulSets have in common.

`Workload` is the `Target`; what is special to a kind is said in its `Kind`, in a file of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.traits import Selector, Traits
from flagger_controller.cluster.client import Ref, Resource
from flagger_controller.rollout.evidence import Health
from flagger_controller.targets import disruption, godump, metadata, revision, tracking, traits
from flagger_controller.targets import primary as primaries
from flagger_controller.targets.base import ConfigRef, Configs, TargetSettings, twin_ref


class Scaling(Protocol):
    """How a workload gets its pods and loses all of them."""

    def template(self, target: Object) -> Object:
        """The pod template as it is while the target has pods; not to be changed."""
        ...

    def resize(self, canary: Canary, source: Object, spec: Object, *, new: bool) -> None:
        """Give the primary's spec the size of the target's spec `source`."""
        ...

    def scaled(self, target: Object, *, up: bool, replicas: int) -> Object | None:
        """As `Target.scaled`."""
        ...

    def reverted(self, target: Object, primary: Object | None, *, replicas: int) -> Object | None:
        """As `Target.reverted`."""
        ...


class Readiness(Protocol):
    """How the status of a workload is read."""

    def __call__(self, canary: Canary, workload: Object, *, primary: bool, now: datetime) -> Health:
        """As `Target.health`."""
        ...


@dataclass(frozen=True)
class Kind:
    """What is special to one kind of workload."""

    resource: Resource
    scaling: Scaling
    carried: tuple[str, ...]
    """What a promotion takes over besides template and size."""
    health: Readiness
    hashed: Callable[[Object], Object] = lambda template: template
    """The pod template in the form that upstream hashes."""
    fixed: Callable[[Object], Object] = lambda spec: {}
    """What only a new primary takes over of the target's spec: the server lets nobody change it."""
    check: Callable[[Canary, Object, Object | None, Selector], None] = lambda *_: None
    """As `Target.check`, with the selector of the target."""
    refs: Callable[[Canary, Object], tuple[Ref, ...]] = lambda *_: ()
    """As `Target.refs`."""
    copies: Callable[[Canary, Object, Mapping[Ref, Object], Selector], Mapping[Ref, Object]] = (
        lambda *_: {}
    )
    """As `Target.copies`, with the selector of the target."""


@dataclass(frozen=True)
class Workload:
    """The `Target` for a kind of workload."""

    kind: Kind
    settings: TargetSettings = field(default_factory=TargetSettings)
    twin: bool = True

    @property
    def resource(self) -> Resource:
        """How the API server addresses the kind."""
        return self.kind.resource

    @property
    def tracks_configs(self) -> bool:
        """Config tracking can be switched off for the whole controller."""
        return self.settings.config_tracking

    def check(self, canary: Canary, target: Object, primary: Object | None) -> None:
        """What the kind cannot do; raises `ConfigError`."""
        self.kind.check(canary, target, primary, self._selector(canary, target))

    def traits(self, canary: Canary, target: Object) -> Traits:
        """Selector and discovered ports; `ConfigError` without a usable selector label."""
        return traits.of(canary, target, self.settings, self._label)

    def revision(self, target: Object) -> str:
        """Hash of the whole pod template, annotations included; the size is no difference."""
        return revision.digest(self.kind.scaling.template(target))

    def upstream(self, target: Object) -> str:
        """Hash of the pod template, as upstream takes it."""
        template = self.kind.hashed(self.kind.scaling.template(target))
        return godump.hashed(template, "v1.PodTemplateSpec")

    def configs(self, target: Object) -> tuple[ConfigRef, ...]:
        """What the pod template refers to; nothing when tracking is off."""
        if not self.tracks_configs:
            return ()
        return tracking.references(target["spec"]["template"]["spec"])

    def primary(
        self, canary: Canary, target: Object, configs: Configs, live: Object | None
    ) -> Object:
        """The primary (5.1, 5.2).

        A template that says the same as the live one keeps its identity, so that nothing is rolled
        for nothing.
        """
        body = metadata.header(self.resource) if live is None else {}
        selector = self._selector(canary, target)
        body |= primaries.body(canary, self.settings, target, live, selector)
        spec, source = body["spec"], target["spec"]
        if live is None:
            spec.update(self.kind.fixed(source))
        primaries.carry(source, spec, self.kind.carried)
        self.kind.scaling.resize(canary, source, spec, new=live is None)
        wanted = self._template(canary, target, self.revision(target), configs)
        spec["template"] = primaries.settled(canary, wanted, spec.get("template"), configs)
        return body

    def promoted(self, canary: Canary, target: Object, configs: Configs, primary: Object) -> bool:
        """Does the primary run the target's template with these configs?"""
        live, spec = primary["spec"]["template"], self.revision(target)
        if primaries.marked(live, primaries.identity(canary, spec, tracking.checksums(configs))):
            return True
        if primaries.runs_others(live, self.kind.scaling.template(target)):
            return False
        # Only for few templates a primary has to be built to know.
        wanted = self._template(canary, target, spec, configs)
        return primaries.promoted(canary, wanted, live, configs)

    def carries(self, canary: Canary, primary: Object) -> bool:
        """The identity on the primary's pods tells."""
        return primaries.carries(canary, primary["spec"]["template"])

    def workload(self, canary: Canary, target: Object, *, primary: bool) -> Ref:
        """The workload itself."""
        return twin_ref(self.resource, canary, primary=primary)

    def refs(self, canary: Canary, target: Object) -> tuple[Ref, ...]:
        """What the kind follows, and every disruption budget here."""
        return (*self.kind.refs(canary, target), disruption.budgets(canary))

    def copies(
        self, canary: Canary, target: Object, live: Mapping[Ref, Object]
    ) -> Mapping[Ref, Object]:
        """What the kind follows, and the disruption budget of the primary."""
        selector = self._selector(canary, target)
        budgets = disruption.copies(canary, target, live, selector)
        return {**self.kind.copies(canary, target, live, selector), **budgets}

    def stale(self, canary: Canary, target: Object, live: Mapping[Ref, Object]) -> tuple[Ref, ...]:
        """Disruption budgets of the primary that it must not have any more."""
        return disruption.stale(canary, target, live, self._selector(canary, target))

    def scaled(self, canary: Canary, target: Object, *, up: bool, replicas: int) -> Object | None:
        """Give the target pods, or take all of them."""
        return self.kind.scaling.scaled(target, up=up, replicas=replicas)

    def reverted(self, target: Object, primary: Object | None, *, replicas: int) -> Object | None:
        """Give the target its size back."""
        return self.kind.scaling.reverted(target, primary, replicas=replicas)

    def health(self, canary: Canary, workload: Object, *, primary: bool, now: datetime) -> Health:
        """Readiness, as the kind reports it."""
        return self.kind.health(canary, workload, primary=primary, now=now)

    @property
    def _label(self) -> str:
        """The kind in messages."""
        return self.resource.kind.lower()

    def _selector(self, canary: Canary, target: Object) -> Selector:
        return traits.selector(canary, target, self.settings, self._label)

    def _template(self, canary: Canary, target: Object, spec: str, configs: Configs) -> Object:
        source = self.kind.scaling.template(target)
        selector = self._selector(canary, target)
        return primaries.template(canary, source, spec, configs, selector)
