"""Everything one tick knows of the cluster, as values: the input of plan and engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Phase, Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster.client import Ref
from flagger_controller.rollout.evidence import Health, Revision
from flagger_controller.routing.base import Router
from flagger_controller.targets.base import Configs, Scaler, Target


@dataclass(frozen=True)
class Parts:
    """The implementations that serve one canary."""

    target: Target
    router: Router
    scaler: Scaler | None
    provider: str

    def target_ref(self, canary: Canary) -> Ref:
        """What is under progressive delivery."""
        return Ref(self.target.resource, canary.target, canary.namespace)

    def primary_ref(self, canary: Canary) -> Ref:
        """What a promotion writes: the primary, or the object that it is a part of."""
        if not self.target.twin:
            return self.target_ref(canary)
        return Ref(self.target.resource, canary.primary, canary.namespace)


@dataclass(frozen=True)
class World:
    """One canary and its objects at one moment."""

    canary: Canary
    parts: Parts
    live: Mapping[Ref, Object]
    """Every object that exists of those this canary refers to."""
    traits: Traits
    revision: Revision
    configs: Configs
    target_health: Health
    primary_health: Health
    promoted: bool
    due: bool = True
    rerouted: bool = False
    """A converge had to write a route since the objects were read."""
    missing: str = ""
    """Which config is not there without which no pod starts; nothing is made from the target."""
    config_copies: Mapping[Ref, Object] = field(default_factory=dict)
    """The `-primary` copies as they must be."""

    @property
    def target_ref(self) -> Ref:
        """What is under progressive delivery."""
        return self.parts.target_ref(self.canary)

    @property
    def primary_ref(self) -> Ref:
        """What a promotion writes."""
        return self.parts.primary_ref(self.canary)

    @property
    def scaler_ref(self) -> Ref | None:
        """The target's autoscaler."""
        reference = self.canary.spec.autoscaler_ref
        if reference is None or self.parts.scaler is None:
            return None
        return Ref(self.parts.scaler.resource, reference.name, self.canary.namespace)

    @property
    def primary_scaler_ref(self) -> Ref | None:
        """The primary's autoscaler."""
        ref = self.scaler_ref
        return None if ref is None else replace(ref, name=f"{ref.name}-primary")

    @property
    def route(self) -> Route:
        """The split to keep: the recorded one, or what upstream left in a run under way."""
        run = self.canary.status.run
        if run.route is not None:
            return run.route
        adoptable = self.canary.status.phase not in (Phase.NEW, Phase.INITIALIZING)
        found = self.parts.router.read(self.canary, self.live) if adoptable else None
        return found or Route()

    @property
    def upstream(self) -> str:
        """What upstream calls the live target's revision."""
        return self.parts.target.upstream(self.live[self.target_ref])

    @property
    def promoting(self) -> bool:
        """The primary must be given the target's revision, which passed its analysis."""
        status, configs = self.canary.status, self.revision.configs
        pinned = self.revision.spec == status.last_applied_spec and (
            configs is None or dict(configs) == (status.tracked_configs or {})
        )
        return status.replacing and pinned and not self.promoted and not self.missing
