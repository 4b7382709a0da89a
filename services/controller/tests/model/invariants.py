"""The invariants of architecture section 5, checked on a rig and on everything it went through."""

import itertools

from flagger_controller.api.status import CanaryStatus, Phase
from flagger_controller.cluster import resources
from flagger_controller.rollout import conditions

from . import kubelet
from .process import PROVIDER
from .rig import Rig
from .traffic import splits


def check_now(rig: Rig) -> None:
    """What must hold at any moment between two ticks."""
    status = rig.status
    route = status.route
    assert route.primary + route.canary == 100, f"I1: {route}"
    if blocked(status):
        return
    canary = rig.canary
    rules = splits(rig.api, canary, canary.spec.provider or PROVIDER)
    for rule in rules:
        assert sum(rule.values()) == 100, f"I1: {rules}"
    if status.run.obligation or canary.spec.suspend:
        return
    on_canary = any(rule.get(canary.canary_service) for rule in rules)
    if on_canary and available(rig, primary=True):
        assert available(rig, primary=False), f"I2: {rules}, but the target has no pods"
    confined = canary.analysis.match and not status.run.promotion_failed
    if route.canary and not confined and available(rig, primary=False):
        on_primary = any(rule.get(canary.primary_service) for rule in rules)
        assert available(rig, primary=True) or not on_primary, f"I2: {rules}, no primary"
    if status.phase is Phase.FAILED and not status.run.promotion_failed:
        assert not on_canary, f"I6: {rules}"


def blocked(status: CanaryStatus) -> bool:
    """The Canary cannot be served: everything stays as it is."""
    return any(c.type == conditions.READY and c.status == "False" for c in status.conditions)


def available(rig: Rig, *, primary: bool) -> bool:
    """Can the pods of a version take traffic? What is behind a Service is not known."""
    ref = rig.workload(primary=primary)
    return ref.resource == resources.SERVICES or kubelet.available(rig.api.object(ref)) > 0


def check_all(rig: Rig) -> None:
    """What must hold at the end of a release."""
    check_now(rig)
    if rig.deaths == 0:
        check_ends(rig, len(_ends(rig)))
    promoted = {status.last_promoted_spec for status in rig.statuses}
    applied = {status.last_applied_spec for status in rig.statuses}
    assert promoted <= applied | {""}, "I3: promoted what was never applied"


def check_ends(rig: Rig, ends: int) -> None:
    """Every end of a run was told once."""
    told = [alert for alert in rig.log.alerts if alert.startswith(_TERMINAL)]
    assert len(told) == ends, f"I7: {told} for {ends} ends"
    assert len(rig.log.outcomes) == ends, f"I7: {rig.log.outcomes} for {ends} ends"


_TERMINAL = (
    "Canary analysis completed",
    "Canary analysis was skipped",
    "Failed checks threshold",
    "Progress deadline",
    "Promotion failed",
    "Rolling back",
)


def _ends(rig: Rig) -> list[Phase]:
    """The terminal transitions, as one sees them from tick to tick."""
    terminal = (Phase.SUCCEEDED, Phase.FAILED)
    return [
        after.phase
        for before, after in itertools.pairwise(rig.statuses)
        if after.phase in terminal and before.phase is not after.phase
    ]
