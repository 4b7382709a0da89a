"""The contract of target kinds: what is being rolled out (spec/targets.md section 1).

Everything here is pure: objects in, objects out. Reading, comparing and writing live once, in
`tick/converge.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.traits import Traits
from flagger_controller.cluster.client import Ref, Resource
from flagger_controller.rollout.evidence import Health


@dataclass(frozen=True)
class TargetSettings:
    """Flags that concern targets; names in lists are trimmed and empty ones dropped."""

    selector_labels: tuple[str, ...] = ("app", "name", "app.kubernetes.io/name")
    """Label keys that may tell the pods of target and primary apart, in order of preference."""
    include_label_prefix: tuple[str, ...] = ()
    """Labels of the target whose key starts so are copied to what is generated; `*` is all."""
    config_tracking: bool = True
    """Copy the ConfigMaps and Secrets of the pods and start a run when they change."""

    def __post_init__(self) -> None:
        for field in ("selector_labels", "include_label_prefix"):
            words = (word.strip() for word in getattr(self, field))
            object.__setattr__(self, field, tuple(word for word in words if word))


@dataclass(frozen=True)
class ConfigRef:
    """A ConfigMap or Secret that the target's pods use."""

    kind: str
    """`ConfigMap` or `Secret`."""
    name: str
    optional: bool = False


Configs = Mapping[ConfigRef, Object]
"""The tracked configs that exist and count (targets.md 8.2)."""


def twin_ref(resource: Resource, canary: Canary, *, primary: bool) -> Ref:
    """Target or primary, where they are two objects of one kind."""
    return Ref(resource, canary.primary if primary else canary.target, canary.namespace)


class Target(Protocol):
    """A kind of target."""

    @property
    def resource(self) -> Resource:
        """How the API server addresses targets of this kind."""
        ...

    @property
    def tracks_configs(self) -> bool:
        """False: `trackedConfigs` stays absent (Services, or the flag is off)."""
        ...

    @property
    def twin(self) -> bool:
        """The primary is an object of its own; False: target and primary are parts of one."""
        ...

    def check(self, canary: Canary, target: Object, primary: Object | None) -> None:
        """Raise `ConfigError` if this target cannot be served; the text names field and remedy."""
        ...

    def traits(self, canary: Canary, target: Object) -> Traits:
        """Selector and ports; raises `ConfigError` with the event text of targets.md section 4."""
        ...

    def revision(self, target: Object) -> str:
        """Hash of the target's revision in our `v2:` form (canary-api.md 6.1, 6.3)."""
        ...

    def upstream(self, target: Object) -> str:
        """Hash of the same revision as upstream writes it; takes milliseconds."""
        ...

    def configs(self, target: Object) -> tuple[ConfigRef, ...]:
        """Every config reference of the pod template (targets.md 8.1), each object once."""
        ...

    def primary(
        self, canary: Canary, target: Object, configs: Configs, live: Object | None
    ) -> Object:
        """The complete primary object to write, built from `live` when it exists.

        Deterministic: the same target, configs and status give the same object, so promoting
        twice is promoting once.
        """
        ...

    def promoted(self, canary: Canary, target: Object, configs: Configs, primary: Object) -> bool:
        """Does the primary already carry what `primary()` would write for promotion?"""
        ...

    def carries(self, canary: Canary, primary: Object) -> bool:
        """Does the primary carry the revision that the status is about, whatever the target is?

        For a target that has moved on; False where the primary has no mark that tells.
        """
        ...

    def workload(self, canary: Canary, target: Object, *, primary: bool) -> Ref:
        """The object whose readiness counts: for a twin, target and primary themselves."""
        ...

    def refs(self, canary: Canary, target: Object) -> tuple[Ref, ...]:
        """Objects besides target and primary that `workload`, `copies` and `stale` are about."""
        ...

    def copies(
        self, canary: Canary, target: Object, live: Mapping[Ref, Object]
    ) -> Mapping[Ref, Object]:
        """What is kept right all the time, built on the live objects.

        Copies that follow the user's objects, and what a target must have to be served.
        """
        ...

    def stale(self, canary: Canary, target: Object, live: Mapping[Ref, Object]) -> tuple[Ref, ...]:
        """Copies that must go, because what they were copied from went."""
        ...

    def scaled(self, canary: Canary, target: Object, *, up: bool, replicas: int) -> Object | None:
        """Merge patch that scales the target from or to zero; None when it is there already.

        `replicas` is what scaling from zero uses when the target itself does not know.
        """
        ...

    def reverted(self, target: Object, primary: Object | None, *, replicas: int) -> Object | None:
        """Merge patch that gives the target its size back (`revertOnDeletion`); None: has it.

        `replicas` is what scaling from zero uses when there is no primary to learn from.
        """
        ...

    def health(self, canary: Canary, workload: Object, *, primary: bool, now: datetime) -> Health:
        """Readiness of the `workload` of target or primary, with the complete event text."""
        ...


class Scaler(Protocol):
    """A kind of autoscaler (targets.md sections 10 and 11)."""

    @property
    def resource(self) -> Resource:
        """How the API server addresses autoscalers of this kind."""
        ...

    def primary(self, canary: Canary, scaler: Object, live: Object | None) -> Object:
        """The complete primary scaler in update mode; create-only mode ignores it when live."""
        ...

    def paused(self, scaler: Object, *, pause: bool) -> Object | None:
        """Merge patch that pauses or resumes the target's scaler; None when nothing changes."""
        ...

    def replicas(self, scaler: Object) -> int:
        """Replicas that scaling the target from zero starts with, at least 1."""
        ...
