"""Watches every write of the controllers, also in the middle of a tick: I1, I3, I5, I7, I9.

And that nobody gets to the canary who is not meant to.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flagger_controller.api import knative
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus, Obligation, Phase
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref, Resource
from flagger_controller.cluster.fake import Write
from flagger_controller.targets import revision, target_for
from flagger_controller.targets.base import TargetSettings
from flagger_controller.targets.daemonset import SCALE_TO_ZERO

from .invariants import available
from .process import INTERVAL, PROVIDER
from .rig import CANARY, Rig
from .targets import tag_of, tagged
from .traffic import exposed, splits

MARK = "example.org/mine"
"""A label, an annotation and a field that somebody else puts on everything."""


@dataclass(frozen=True)
class Noted:
    """What is remembered from write to write."""

    advanced: datetime | None = None
    """When the last step was."""
    exposure: int = 0
    """Percent of everybody's requests that the canary was meant to get, at most."""
    ends: int = 0
    """Runs that ended."""


class Monitor:
    """Compares every object before and after each write."""

    def __init__(self, rig: Rig, noted: Noted | None = None) -> None:
        self._rig = rig
        self.noted = noted or Noted()
        self._before: Object | None = None
        self._share = 0
        """What the canary got of everybody's requests before the last write."""
        rig.api.before_write(self._remember)
        rig.api.after_write(self._look)

    def _remember(self, write: Write) -> None:
        self._before = self._rig.api.object(write.ref)
        if _is_route(write):
            self._share = self._exposed()

    def _look(self, write: Write) -> None:
        if _is_route(write):
            self._check_exposure()
        before, after = self._before, self._rig.api.object(write.ref)
        if before is None or after is None:
            return
        if write.ref == CANARY:
            self._check_canary(before, after)
        elif write.ref == self._rig.target:
            assert _owners(before) == _owners(after), "I9: the target is its owner's"
        else:
            assert _marks(after) == _marks(before), f"I9: {write.ref}"
        if write.ref == self._rig.primary and "" != _carried(before) != _carried(after) != "":
            self._check_promotion(after)

    def _check_canary(self, before: Object, after: Object) -> None:
        assert _owned(before) == _owned(after), "I9: the Canary is its owner's"
        old = CanaryStatus.model_validate(before.get("status") or {}).decoded()
        new = self._rig.status
        assert new.route.primary + new.route.canary == 100, "I1"
        if new.run.unannounced and not old.run.unannounced:
            self.noted = replace(self.noted, ends=self.noted.ends + 1)
        self._note_exposure(after, old, new)
        if new.last_promoted_spec not in ("", old.last_promoted_spec):
            primary = self._rig.api.object(self._rig.primary)
            assert primary is not None
            assert self._revision(primary) == new.last_promoted_spec, "I3: not in production"
        if _moved(old, new):
            self._check_pace(Canary.from_api(after))

    def _note_exposure(self, canary: Object, old: CanaryStatus, new: CanaryStatus) -> None:
        """What was decided for those who meet conditions is not meant for everybody.

        But for a revision whose primary died of its promotion: it has passed.
        """
        now, passed = new.route.canary, new.run.promotion_failed
        if (now, passed) == (old.route.canary, old.run.promotion_failed):
            return
        if passed or not (now and canary["spec"]["analysis"].get("match")):
            self.noted = replace(self.noted, exposure=now)

    def _check_exposure(self) -> None:
        share = self._exposed()
        wanted = share <= max(self._share, self.noted.exposure)
        if not wanted and self._rig.canary.metadata.deletion_timestamp is None:
            alone = not available(self._rig, primary=True)
            assert alone, f"{share} % instead of {self.noted.exposure} %"

    def _exposed(self) -> int:
        """Percent of everybody's requests that get to the canary."""
        if self._rig.api.object(CANARY) is None:
            return 0
        canary = self._rig.canary
        return exposed(splits(self._rig.api, canary, canary.spec.provider or PROVIDER), canary)

    def _check_pace(self, canary: Canary) -> None:
        now = self._rig.now()
        if self.noted.advanced is not None:
            passed = now - self.noted.advanced
            least = timedelta(seconds=max(INTERVAL, canary.interval) - 0.01)
            assert passed >= least, f"I5: {passed} after the last advance"
        self.noted = replace(self.noted, advanced=now)

    def _check_promotion(self, after: Object) -> None:
        status, target = self._rig.status, self._rig.found(self._rig.target)
        if status.phase is Phase.INITIALIZING and target == after:
            return  # nothing serves by the mark yet: it follows the target
        assert status.replacing, f"I3: promoted in {status.phase}"
        assert self._revision(after) == status.last_applied_spec, "I3: not what was analysed"

    def _revision(self, primary: Object) -> str:
        """Our hash of what a primary carries."""
        target = self._rig.api.object(self._rig.target)
        assert target is not None
        kind = target_for(self._rig.canary, TargetSettings())
        if kind.twin:
            return kind.revision(tagged(target, tag_of(primary)))
        return revision.digest(_carried(primary))


def _is_route(write: Write) -> bool:
    """Neither ours nor one of the kinds that every provider needs."""
    return write.ref.resource.group not in ("", "apps", "autoscaling", "keda.sh", "flagger.app")


def _moved(before: CanaryStatus, after: CanaryStatus) -> bool:
    """Was this a step of an analysis?"""
    if after.run.promotion_failed or after.run.obligation not in ("", Obligation.PROMOTE):
        return False
    return (
        after.route.canary > before.route.canary
        or after.iterations > before.iterations
        or after.failed_checks > before.failed_checks
        or after.run.obligation != before.run.obligation == ""
    )


def _carried(primary: Object) -> str:
    """What a primary carries: a tag, or a revision of the Knative Service; empty: nothing yet."""
    knative_own = primary["apiVersion"] == resources.KNATIVE_SERVICES.api_version
    return knative.primary(primary) if knative_own else tag_of(primary)


def _owners(target: Object) -> Any:
    """All of a target but what scales it to zero, and a Knative Service's mark and traffic."""
    ours = ("replicas", "traffic")
    spec = {key: value for key, value in target["spec"].items() if key not in ours}
    if "template" in spec:
        pod = dict(spec["template"]["spec"])
        nodes = dict(pod.pop("nodeSelector", None) or {})
        nodes.pop(SCALE_TO_ZERO, None)
        spec["template"] = {**spec["template"], "spec": {**pod, "nodeSelector": nodes}}
    metadata = target["metadata"]
    annotations = dict(metadata.get("annotations") or {})
    annotations.pop(knative.PRIMARY_REVISION, None)
    return spec, metadata.get("labels"), annotations, metadata.get("finalizers")


def _owned(canary: Object) -> Any:
    metadata = canary["metadata"]
    return canary["spec"], metadata.get("labels"), metadata.get("annotations")


def mark(rig: Rig, untouched: Collection[Ref | Resource] = ()) -> None:
    """Somebody puts something of his own on every object but the target and the Canary.

    Not into the specs of plain copies: they say what their originals say. Nor into those of
    Knative's revisions, which cannot be changed, or of other kinds and objects that are named.
    """
    copies = {resources.AUTOSCALERS, resources.SCALED_OBJECTS, resources.KNATIVE_REVISIONS}
    for ref, body in list(rig.api.memory.objects.items()):
        if ref not in (CANARY, rig.target):
            plain = {ref, ref.resource} & {*copies, *untouched}
            rig.api.put(ref, marked(body, deep=not plain))


def marked(body: Object, *, deep: bool) -> Object:
    """The object with somebody else's marks."""
    metadata = dict(body["metadata"])
    for field in ("labels", "annotations"):
        metadata[field] = {**(metadata.get(field) or {}), MARK: "1"}
    spec = {**body["spec"], MARK: "1"} if deep else body["spec"]
    return {**body, "metadata": metadata, "spec": spec}


def _marks(body: Object) -> tuple[bool, ...]:
    metadata = body["metadata"]
    places = (metadata.get("labels"), metadata.get("annotations"), body.get("spec"))
    return tuple(MARK in (place or {}) for place in places)
