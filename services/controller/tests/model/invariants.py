"""The invariants of architecture section 5, checked on a rig and on everything it went through."""

import itertools

from flagger_controller.api.status import Phase

from .rig import PRIMARY, TARGET, Rig


def check_now(rig: Rig) -> None:
    """What must hold at any moment between two ticks."""
    status = rig.status
    route = status.route
    assert route.primary + route.canary == 100, f"I1: {route}"
    weights = rig.weights
    if weights:
        assert sum(weights.values()) == 100, f"I1: {weights}"
    if status.run.obligation:
        return
    target = rig.api.object(TARGET)
    available = (target or {}).get("status", {}).get("availableReplicas", 0)
    if weights.get("podinfo-canary", 0) > 0 and _primary_available(rig):
        assert available, f"I2: {weights} but the target has no pods"
    if status.phase is Phase.FAILED and not status.run.promotion_failed:
        assert weights.get("podinfo-canary", 0) == 0, f"I6: {weights}"


def check_all(rig: Rig) -> None:
    """What must hold at the end of a release."""
    check_now(rig)
    if rig.deaths == 0:
        ends = _ends(rig)
        told = [alert for alert in rig.log.alerts if alert.startswith(_TERMINAL)]
        assert len(told) == len(ends), f"I7: {told} for {ends}"
        assert len(rig.log.outcomes) == len(ends), f"I7: {rig.log.outcomes}"
    promoted = {status.last_promoted_spec for status in rig.statuses}
    applied = {status.last_applied_spec for status in rig.statuses}
    assert promoted <= applied | {""}, "I3: promoted what was never applied"


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


def _primary_available(rig: Rig) -> bool:
    primary = rig.api.object(PRIMARY)
    return bool((primary or {}).get("status", {}).get("availableReplicas", 0))
