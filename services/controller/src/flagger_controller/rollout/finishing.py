"""Rules that end a run: traffic back, scale down, obligations, terminal announcements."""

from flagger_controller.api.canary import HookType
from flagger_controller.api.status import Obligation, Phase
from flagger_controller.rollout import messages, transitions, weights
from flagger_controller.rollout.case import KUBERNETES, Case
from flagger_controller.rollout.decision import (
    Alert,
    Announcement,
    Cause,
    Decision,
    Event,
    Need,
    Severity,
)
from flagger_controller.rollout.decision import (
    Outcome as Counted,
)
from flagger_controller.rollout.evidence import HookCheck
from flagger_controller.rollout.lifecycle import Outcome, idle


def unfinished(case: Case) -> Outcome:
    """An obligation is confirmed by the cluster before the phase changes (fault K).

    A promotion that cannot be written can still be rolled back; nothing else comes between.
    """
    obligation, settled = case.status.run.obligation, case.seen.settled
    match obligation:
        case Obligation.PROMOTE if case.seen.promoted:
            status = transitions.fulfilled(case, Phase.PROMOTING)
            return Decision(status, reason="the primary carries the revision")
        case Obligation.FINALISE if settled:
            status = transitions.fulfilled(case, Phase.FINALISING)
            return Decision(status, reason="all traffic is on the primary")
        case Obligation.SKIP if settled and case.seen.promoted:
            done = transitions.succeeded(case)
            return Decision(done, reason="promoted without analysis", again=True)
        case Obligation.ROLLBACK | Obligation.KEEP_CANARY if settled:
            return Decision(transitions.rolled_back(case), reason="rolled back", again=True)
        case Obligation.NONE | Obligation.PROMOTE | Obligation.FINALISE:
            return None
    return idle(case, f"waiting for the cluster to finish: {obligation}")


def announce(case: Case) -> Outcome:
    """Tell the world about a finished run, at least once (architecture 2.1, step 8).

    All post-rollout hooks are called, whatever the others say (sharp edge S32).
    """
    if not case.status.run.unannounced:
        return None
    over = {"unannounced": False, "reason": "", "started_at": ""}
    run = case.status.run.model_copy(update=over)
    status = case.status.model_copy(update={"run": run})
    if case.announced:
        return Decision(status, reason="announced")
    said: list[Announcement] = []
    for index, hook in enumerate(case.analysis.hooks(HookType.POST_ROLLOUT)):
        check = HookCheck(HookType.POST_ROLLOUT, index, case.phase)
        answer = case.evidence.answers.get(check)
        if answer is None:
            return Need(check)
        text = (
            messages.hook_passed("Post-rollout", hook.name)
            if answer.ok
            else messages.post_rollout_failed(hook.name, answer.error)
        )
        said.append(Event(text, warning=not answer.ok))
    told = _failure(case, said) if case.phase is Phase.FAILED else _success(case, said)
    return Decision(status, told, reason="announced", announce_first=True)


def _success(case: Case, hooks: list[Announcement]) -> tuple[Announcement, ...]:
    skipped = case.status.run.reason == messages.SKIPPED
    text = messages.SKIPPED if skipped else messages.COMPLETED
    completed = Event(messages.completed(case.canary, skipped=skipped))
    counted = Counted(skipped=skipped)
    return (counted, *hooks, completed, Alert(text, Severity.INFO))


def _failure(case: Case, hooks: list[Announcement]) -> tuple[Announcement, ...]:
    """An error, also where people asked for the rollback (alerting.md A10)."""
    reason = case.status.run.reason
    cause = _cause(reason)
    alert, counted = Alert(reason, Severity.ERROR), Counted(cause=cause)
    if cause is Cause.PROMOTION:
        error = reason.removeprefix(messages.promotion_failed_alert(""))
        text = messages.promotion_failed(case.canary, error)
        event = Event(text, warning=True, phase=Phase.PROMOTING, failure=True)
        return (counted, event, alert, *hooks)
    failed = Event(messages.failed(case.canary), warning=True, failure=True)
    return (counted, alert, failed, *hooks)


def _cause(reason: str) -> Cause:
    """What ended a run, by the text of its alert, which the status keeps."""
    if reason == messages.MANUAL_ROLLBACK:
        return Cause.HOOK
    if reason.startswith(messages.promotion_failed_alert("")):
        return Cause.PROMOTION
    if reason.startswith(messages.deadline_alert("")):
        return Cause.DEADLINE
    return Cause.CHECKS


def promotion_superseded(case: Case) -> Outcome:
    """The target changed while the promoted primary takes over: stop sending it traffic.

    Its pods are of a revision that nobody analysed (sharp edge S8); that revision is found after
    this run.
    """
    if case.phase is not Phase.PROMOTING or case.canary.skip_analysis:
        return None
    if not (case.seen.promoted and case.seen.primary.ready):
        return None
    if not case.superseded or case.route.canary == 0:
        return None
    return _finalise(case, Event(messages.ROUTING_TO_PRIMARY))


def promoting(case: Case) -> Outcome:
    """Traffic back to the promoted primary, at once or in steps (state-machine.md 7.4)."""
    owed = case.status.run.obligation
    if case.phase is not Phase.PROMOTING and owed is not Obligation.PROMOTE:
        return None
    if owed is not Obligation.NONE or not case.seen.promoted:
        return idle(case, "the primary or its route is not written yet", ticked=True)
    if case.provider == KUBERNETES:
        return _finalise(case)
    step = case.analysis.step_weight_promotion
    if step <= 0 or case.route.canary == 0:
        return _finalise(case, Event(messages.ROUTING_TO_PRIMARY))
    canary = max(0, case.route.canary - step)
    event = Event(messages.advance_primary(case.canary, 100 - canary))
    if canary == 0:
        return _finalise(case, event)
    run = {"route": weights.split(canary), "promotion_failed": False}
    status = transitions.update(case, canary_weight=canary, run=run)
    return Decision(status, (event,), reason="traffic goes back", ticked=True)


def _finalise(case: Case, *said: Announcement) -> Decision:
    status = transitions.obliged(case, Obligation.FINALISE)
    return Decision(status, said, reason="all traffic to the primary", again=True, ticked=True)


def finalising(case: Case) -> Outcome:
    """The target goes to zero, then the run has succeeded (state-machine.md 7.5)."""
    if case.phase is not Phase.FINALISING:
        return None
    if not case.seen.settled:
        return idle(case, "waiting for the target to scale down")
    return Decision(
        transitions.succeeded(case),
        reason="the release is in production",
        again=True,
        ticked=True,
    )
