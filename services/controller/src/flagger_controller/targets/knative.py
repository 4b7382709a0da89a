"""Knative Services as targets: releases between the revisions of one object (targets.md 7.2).

No workload is touched and none is generated. An annotation of the Knative Service names the
revision that is the primary, so a promotion moves the annotation to the revision that was
analysed; the router of provider `knative` moves the traffic.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from flagger_controller.api import knative
from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Phase
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref, Resource
from flagger_controller.errors import ConfigError
from flagger_controller.rollout.evidence import Health
from flagger_controller.targets import godump, readiness, revision
from flagger_controller.targets.base import ConfigRef, Configs, TargetSettings


@dataclass(frozen=True)
class KnativeService:
    """The `Target` for Knative Services."""

    settings: TargetSettings = field(default_factory=TargetSettings)
    resource: Resource = resources.KNATIVE_SERVICES
    tracks_configs: bool = False
    twin: bool = False

    def check(self, canary: Canary, target: Object, primary: Object | None) -> None:
        """There must be a revision; raises `ConfigError`."""
        if not knative.latest(target):
            raise ConfigError(
                f"Knative Service {canary.target}.{canary.namespace} has no revision yet: "
                "if none comes, see the conditions in its status"
            )

    def traits(self, canary: Canary, target: Object) -> Traits:
        """No Services are generated: Knative has its own."""
        return Traits(selector=None)

    def revision(self, target: Object) -> str:
        """Hash of the name of the latest revision, as in upstream."""
        return _ours(knative.latest(target))

    def upstream(self, target: Object) -> str:
        """Upstream's hash of the same name."""
        return _upstreams(knative.latest(target))

    def configs(self, target: Object) -> tuple[ConfigRef, ...]:
        """None: both revisions use the originals."""
        return ()

    def primary(
        self, canary: Canary, target: Object, configs: Configs, live: Object | None
    ) -> Object:
        """The Knative Service with its latest revision as the primary.

        Name and annotation are in one object, and it is written only as it was read: a revision
        that comes meanwhile is not promoted in place of the analysed one.
        """
        return _marked(live or target, knative.latest(target))

    def promoted(self, canary: Canary, target: Object, configs: Configs, primary: Object) -> bool:
        """Is the latest revision the primary?"""
        return knative.primary(primary) == knative.latest(target)

    def carries(self, canary: Canary, primary: Object) -> bool:
        """Is the primary the revision that the status is about?"""
        return _ours(knative.primary(primary)) == canary.status.last_applied_spec

    def workload(self, canary: Canary, target: Object, *, primary: bool) -> Ref:
        """The revision; where no primary is marked yet, the latest is what will be it."""
        name = (primary and knative.primary(target)) or knative.latest(target)
        return Ref(resources.KNATIVE_REVISIONS, name, canary.namespace)

    def refs(self, canary: Canary, target: Object) -> tuple[Ref, ...]:
        """Both revisions; all of them when the mark was lost, one of them had it."""
        marked = knative.primary(target)
        names = dict.fromkeys((knative.latest(target), marked))
        found = [Ref(resources.KNATIVE_REVISIONS, name, canary.namespace) for name in names if name]
        lost = () if marked else (Ref(resources.KNATIVE_REVISIONS, "", canary.namespace),)
        return (*found, *lost)

    def copies(
        self, canary: Canary, target: Object, live: Mapping[Ref, Object]
    ) -> Mapping[Ref, Object]:
        """The Knative Service with a mark: set for the first release, restored later on."""
        ref = Ref(self.resource, canary.target, canary.namespace)
        if canary.status.phase is Phase.INITIALIZING:
            return {ref: _marked(target, knative.latest(target))}
        if knative.primary(target):
            return {}
        return {ref: _marked(target, _promoted_name(canary, live))}

    def stale(self, canary: Canary, target: Object, live: Mapping[Ref, Object]) -> tuple[Ref, ...]:
        """Revisions are Knative's to collect."""
        return ()

    def scaled(self, canary: Canary, target: Object, *, up: bool, replicas: int) -> Object | None:
        """Revisions without traffic scale themselves."""
        return None

    def reverted(self, target: Object, primary: Object | None, *, replicas: int) -> Object | None:
        """Revisions without traffic scale themselves."""
        return None

    def health(self, canary: Canary, workload: Object, *, primary: bool, now: datetime) -> Health:
        """Readiness of a revision."""
        return readiness.knative_revision(canary, workload, now=now)


def _ours(name: str) -> str:
    """Our hash of a revision."""
    return revision.digest(name)


def _upstreams(name: str) -> str:
    """Upstream's hash of a revision."""
    return godump.hashed(name, "string")


def _marked(target: Object, name: str) -> Object:
    body = copy.deepcopy(target)
    metadata = body["metadata"]
    metadata["annotations"] = {
        **(metadata.get("annotations") or {}),
        knative.PRIMARY_REVISION: name,
    }
    return body


def _promoted_name(canary: Canary, live: Mapping[Ref, Object]) -> str:
    """The revision that was promoted last: the status has a hash of its name, ours or upstream's.

    Upstream takes the latest revision instead, which nobody may have analysed.
    """
    wanted = canary.status.last_promoted_spec
    for ref in live:
        is_revision = ref.resource == resources.KNATIVE_REVISIONS
        if is_revision and wanted in (_ours(ref.name), _upstreams(ref.name)):
            return ref.name
    raise ConfigError(
        f"Knative Service {canary.target}.{canary.namespace} has lost its annotation "
        f"{knative.PRIMARY_REVISION}, and the revision that was promoted last is not there: "
        "set it to the name of the revision that must serve"
    )
