"""Status conditions: `Promoted` as upstream has it, `Ready` only while there is something to say.

Implements canary-api.md section 5.2.
"""

from datetime import datetime
from typing import Final

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus, Condition, Phase

PROMOTED: Final = "Promoted"
READY: Final = "Ready"
BLOCKED: Final = "Blocked"
WARNED: Final = "Warning"

_STATUS: Final = {
    Phase.INITIALIZED: "True",
    Phase.SUCCEEDED: "True",
    Phase.FAILED: "False",
}
_MESSAGE: Final = {
    Phase.INITIALIZED: "{kind} initialization completed.",
    Phase.WAITING: "Waiting for approval.",
    Phase.WAITING_PROMOTION: "Waiting for approval.",
    Phase.PROGRESSING: "New revision detected, progressing canary analysis.",
    Phase.PROMOTING: "Canary analysis completed, starting primary rolling update.",
    Phase.FINALISING: "Canary analysis completed, routing all traffic to primary.",
    Phase.SUCCEEDED: "Canary analysis completed successfully, promotion finished.",
    Phase.FAILED: "Canary analysis failed, {kind} scaled to zero.",
    Phase.TERMINATING: "{kind} canary deleted, reverting.",
}
_STARTING: Final = "New {kind} detected, starting initialization."
_PROMOTION_FAILED: Final = "Promotion failed, primary not ready, traffic stays on {kind}."


def timestamp(now: datetime) -> str:
    """RFC 3339 with seconds, as Kubernetes writes times."""
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def promoted(canary: Canary, status: CanaryStatus, now: datetime) -> tuple[Condition, ...]:
    """The conditions of a status that enters its phase; unchanged where phase and value are."""
    template = _MESSAGE.get(status.phase, _STARTING)
    if status.phase is Phase.FAILED and status.run.promotion_failed:
        template = _PROMOTION_FAILED
    fresh = Condition(
        type=PROMOTED,
        status=_STATUS.get(status.phase, "Unknown"),
        reason=status.phase.value,
        message=template.format(kind=canary.spec.target_ref.kind),
    )
    return _replaced(status.conditions, fresh, now)


def ready(status: CanaryStatus, problem: str, warning: str, now: datetime) -> CanaryStatus:
    """The status with a `Ready` condition while there is something to say, and without otherwise.

    False while a problem keeps us from serving the Canary, True with a message while something
    about it is odd.
    """
    others = tuple(c for c in status.conditions if c.type != READY)
    if not (problem or warning):
        same = others == status.conditions
        return status if same else status.model_copy(update={"conditions": others})
    fresh = Condition(
        type=READY,
        status="False" if problem else "True",
        reason=BLOCKED if problem else WARNED,
        message=problem or warning,
    )
    conditions = _replaced(status.conditions, fresh, now)
    return status.model_copy(update={"conditions": conditions})


def told(status: CanaryStatus) -> str:
    """The problem or warning that people were already told."""
    return next((c.message for c in status.conditions if c.type == READY), "")


def _replaced(
    conditions: tuple[Condition, ...], fresh: Condition, now: datetime
) -> tuple[Condition, ...]:
    """Conditions with one of them renewed; `Promoted` stays first, as upstream's readers expect."""
    old = next((c for c in conditions if c.type == fresh.type), None)
    same = (
        old is not None
        and (old.status, old.reason) == (fresh.status, fresh.reason)
        and (fresh.type == PROMOTED or old.message == fresh.message)
    )
    if same:
        return conditions
    stamp = timestamp(now)
    kept = old.last_transition_time if old is not None and old.status == fresh.status else stamp
    fresh = fresh.model_copy(update={"last_update_time": stamp, "last_transition_time": kept})
    others = tuple(c for c in conditions if c.type != fresh.type)
    return tuple(sorted((*others, fresh), key=lambda c: c.type != PROMOTED))
