"""Status to status: the only places where phases, counters and hashes change.

Implements the primitives of state-machine.md section 2; `lastTransitionTime` moves with the phase
only (canary-api.md A18).
"""

from datetime import datetime
from typing import Any, Final

from flagger_controller.api.status import CanaryStatus, Obligation, Phase, Route, Run
from flagger_controller.rollout import conditions
from flagger_controller.rollout.case import Case
from flagger_controller.rollout.weights import split

_KEEPS_COUNTERS: Final = frozenset(
    {Phase.PROGRESSING, Phase.WAITING, Phase.WAITING_PROMOTION, Phase.PROMOTING}
)


def stamp(now: datetime) -> str:
    """RFC 3339 with milliseconds: due times need more than seconds."""
    return now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"


def update(case: Case, *, run: dict[str, Any] | None = None, **changes: Any) -> CanaryStatus:
    """The status with some fields changed, and the tick recorded."""
    fresh = case.status.run.model_copy(update={"ticked_at": stamp(case.now), **(run or {})})
    return case.status.model_copy(update={**changes, "run": fresh})


def enter(
    case: Case, phase: Phase, *, run: dict[str, Any] | None = None, **changes: Any
) -> CanaryStatus:
    """The status in another phase, with its condition; counters are reset outside a run."""
    if phase not in _KEEPS_COUNTERS:
        changes = {"canary_weight": 0, "iterations": 0, **changes}
    status = update(case, run=run, phase=phase, **changes)
    if phase is not case.phase:
        status = status.model_copy(update={"last_transition_time": conditions.timestamp(case.now)})
    renewed = conditions.promoted(case.canary, status, case.now)
    return status.model_copy(update={"conditions": renewed})


def initialized(case: Case) -> CanaryStatus:
    """The first production revision is that of the target.

    Of a target that has moved on since its primary was made nothing is recorded, so it is released
    next.
    """
    revision = case.seen.revision.spec if case.seen.promoted else ""
    return enter(
        case,
        Phase.INITIALIZED,
        failed_checks=0,
        last_applied_spec=revision,
        last_promoted_spec=revision,
        tracked_configs=_configs(case),
        run={"route": Route()},
    )


def started(case: Case) -> CanaryStatus:
    """A run for the live target from zero, whatever was before.

    Traffic starts on the primary, except when the primary has no pod and traffic had to stay on
    the target: then it stays there.
    """
    primary, run = case.seen.primary, case.status.run
    stranded = (run.promotion_failed and not primary.ready) or (
        case.route.canary > 0 and not primary.available
    )
    weight = 100 if stranded else 0
    status = enter(
        case,
        Phase.PROGRESSING,
        canary_weight=weight,
        failed_checks=0,
        iterations=0,
        last_applied_spec=case.seen.revision.spec,
        tracked_configs=_configs(case),
        checks=(),
    )
    fresh = Run(
        route=split(weight),
        ticked_at=stamp(case.now),
        started_at=stamp(case.now),
        promotion_failed=stranded,
        primary_broken=not primary.ready and not case.canary.skip_analysis,
    )
    return status.model_copy(update={"run": fresh})


def obliged(case: Case, obligation: Obligation, reason: str = "") -> CanaryStatus:
    """The same phase, with an effect that must be confirmed before it changes."""
    return update(
        case, run={"obligation": obligation, "reason": reason, **_target_route(case, obligation)}
    )


def fulfilled(case: Case, phase: Phase) -> CanaryStatus:
    """The next phase of a promotion, now that the cluster shows what it stands for."""
    return enter(case, phase, run={"obligation": Obligation.NONE})


def _target_route(case: Case, obligation: Obligation) -> dict[str, Any]:
    if obligation is Obligation.PROMOTE:
        return {}
    if obligation is Obligation.KEEP_CANARY:
        return {"route": split(100), "conditional": False, "promotion_failed": True}
    stranded = case.status.run.promotion_failed and not case.seen.primary.available
    if obligation is Obligation.ROLLBACK and stranded:
        return {"route": case.route}
    return {"route": Route(), "promotion_failed": False}


def rolled_back(case: Case) -> CanaryStatus:
    """Failed: traffic is where it was sent; the revision is not tried again."""
    kept = case.status.run.promotion_failed
    return enter(
        case,
        Phase.FAILED,
        failed_checks=0,
        canary_weight=case.route.canary if kept else 0,
        run={
            **_END_OF_RUN,
            "reason": case.status.run.reason,
            "unannounced": True,
            "promotion_failed": kept,
        },
    )


def refused(case: Case, reason: str) -> CanaryStatus:
    """Failed without a run: the revision was rolled back while it waited for approval.

    Traffic stays where it is, also when an earlier promotion had stranded it on the target.
    """
    return enter(
        case,
        Phase.FAILED,
        failed_checks=0,
        canary_weight=case.status.canary_weight,
        last_applied_spec=case.seen.revision.spec,
        tracked_configs=_configs(case),
        run={
            **_END_OF_RUN,
            "reason": reason,
            "unannounced": True,
            "promotion_failed": case.status.run.promotion_failed,
        },
    )


def succeeded(case: Case) -> CanaryStatus:
    """Succeeded: what was analysed is what serves."""
    return enter(
        case,
        Phase.SUCCEEDED,
        last_promoted_spec=case.status.last_applied_spec,
        run={
            **_END_OF_RUN,
            "reason": case.status.run.reason,
            "unannounced": True,
            "route": Route(),
        },
    )


_END_OF_RUN: Final[dict[str, Any]] = {
    "obligation": Obligation.NONE,
    "conditional": False,
    "promotion_failed": False,
    "primary_broken": False,
    "pre_rollout_passed": False,
    "promotion_approved": False,
    "halted": "",
    "waiting_from": Phase.NEW,
}


def _configs(case: Case) -> dict[str, str] | None:
    configs = case.seen.revision.configs
    return None if configs is None else dict(configs)
