"""Rules that judge a run: readiness, rollback hooks, the threshold, checks of the analysis."""

from flagger_controller.api.canary import Canary, HookType, Metric
from flagger_controller.api.status import Obligation, Phase
from flagger_controller.rollout import messages, thresholds, transitions
from flagger_controller.rollout.case import ACTIVE, ANALYSING, Case
from flagger_controller.rollout.decision import Announcement, Decision, Event, Need, Remark
from flagger_controller.rollout.evidence import (
    HookCheck,
    Measured,
    MetricCheck,
    MetricPart,
    Unmeasured,
)
from flagger_controller.rollout.hooks import ask_all
from flagger_controller.rollout.lifecycle import Outcome, idle


def roll_back(case: Case, reason: str, *said: Announcement) -> Decision:
    """Owe a rollback: traffic to the primary, target to zero, then Failed (section 8)."""
    status = transitions.obliged(case, Obligation.ROLLBACK, reason)
    return Decision(status, said, reason=reason, again=True, ticked=True)


def primary_unhealthy(case: Case) -> Outcome:
    """The primary is not ready during a run (state-machine.md step 15)."""
    primary = case.seen.primary
    if case.phase not in ACTIVE or case.canary.skip_analysis or primary.ready:
        return None
    event = Event(primary.reason, warning=True)
    promoting = case.phase in (Phase.PROMOTING, Phase.FINALISING)
    if promoting and not primary.retriable:
        reason = messages.promotion_failed_alert(primary.reason)
        status = transitions.obliged(case, Obligation.KEEP_CANARY, reason)
        return Decision(status, (event,), reason=reason, again=True, ticked=True)
    if not promoting and case.status.run.primary_broken:
        return None
    if primary.retriable:
        return idle(case, "the primary is not ready", event, ticked=True)
    if not primary.available:
        status = transitions.update(case, run={"primary_broken": True})
        return Decision(status, (event,), reason="the run may repair the primary", ticked=True)
    rolling = messages.deadline_exceeded(case.canary, primary.reason)
    return roll_back(case, messages.deadline_alert(primary.reason), event, rolling)


def canary_unhealthy(case: Case) -> Outcome:
    """The target is not ready during a run (state-machine.md step 19).

    A target without pods is not ready either, whatever its replicas say (fault E).
    """
    target = case.seen.target
    if case.phase not in ACTIVE:
        return None
    if target.ready and not target.available and case.phase in ANALYSING:
        told = Event(messages.scaled_to_zero(case.canary), warning=True)
        return idle(case, "the target has no pods", told, ticked=True)
    if target.ready or case.phase is Phase.FINALISING:
        return None
    if case.phase is Phase.PROMOTING and case.seen.promoted:
        return None  # the revision is in production already, and serves
    event = Event(target.reason, warning=True)
    if target.retriable:
        return idle(case, "the target is not ready", event, ticked=True)
    rolling = messages.deadline_exceeded(case.canary, target.reason)
    return roll_back(case, messages.deadline_alert(target.reason), event, rolling)


def route_lagging(case: Case) -> Outcome:
    """The data plane has not taken over the last split: wait (routing.md 7.2).

    Not when the run may repair the primary: a route to what is broken may never get in force.
    """
    if case.phase not in ACTIVE or not case.seen.lagging or case.status.run.primary_broken:
        return None
    return idle(
        case, "the route is not in force", Event(case.seen.lagging, warning=True), ticked=True
    )


def skip(case: Case) -> Outcome:
    """Promote without analysis (state-machine.md section 10)."""
    if case.phase not in ACTIVE or not case.canary.skip_analysis:
        return None
    status = transitions.obliged(case, Obligation.SKIP, messages.SKIPPED)
    event = Event(messages.copying(case.canary))
    return Decision(status, (event,), reason="skipAnalysis", again=True, ticked=True)


def rollback_requested(case: Case) -> Outcome:
    """Ask the rollback hooks, the first yes wins (state-machine.md step 21)."""
    if case.phase not in ANALYSING:
        return None
    said: list[Announcement] = []
    for index, hook in enumerate(case.analysis.hooks(HookType.ROLLBACK)):
        check = HookCheck(HookType.ROLLBACK, index, case.phase)
        answer = case.evidence.answers.get(check)
        if answer is None:
            return Need(check)
        if answer.ok:
            said.append(Event(messages.hook_passed("Rollback", hook.name), warning=True))
            said.append(messages.manual_rollback(case.canary))
            return roll_back(case, messages.MANUAL_ROLLBACK, *said)
        said.append(Event(messages.not_rolling_back(hook.name)))
    return Remark(tuple(said)) if said else None


def too_many_failures(case: Case) -> Outcome:
    """The accumulated failed checks reach the threshold (state-machine.md step 24)."""
    failed = case.status.failed_checks
    if case.phase not in ANALYSING or failed < case.canary.threshold:
        return None
    rolling = messages.threshold_reached(case.canary, failed)
    return roll_back(case, messages.threshold_alert(failed), rolling)


def untested(case: Case) -> bool:
    """No client, no mirror and no iteration has tried the canary yet: nothing to analyse."""
    mirroring = case.analysis.mirror and case.route.mirrored
    return case.route.canary == 0 and case.status.iterations == 0 and not mirroring


def pre_rollout(case: Case) -> Outcome:
    """The first analysis tick; its hooks pass once a run (sharp edge S16)."""
    if not untested(case) or case.status.run.pre_rollout_passed:
        return None
    said: list[Announcement] = [Event(messages.starting_analysis(case.canary))]
    gate = ask_all(case, HookType.PRE_ROLLOUT, Phase.PROGRESSING)
    if isinstance(gate, Need):
        return gate
    said += [Event(messages.hook_passed("Pre-rollout", hook.name)) for hook in gate.passed]
    if gate.failed is not None:
        failure = messages.pre_rollout_failed(case.canary, gate.failed.name, gate.error)
        return _failed_check(case, *said, failure)
    return Remark(tuple(said))


def checks(case: Case) -> Outcome:
    """Rollout hooks, then built-in metrics, then templates (state-machine.md section 6).

    All metrics are measured, so that every problem is told and seen in the status; together they
    cost one failed check (sharp edge M19 of metrics.md), or none when all of them are held.
    """
    if untested(case):
        return None
    gate = ask_all(case, HookType.ROLLOUT, Phase.PROGRESSING)
    if isinstance(gate, Need):
        return gate
    if gate.failed is not None:
        failure = messages.rollout_failed(case.canary, gate.failed.name, gate.error)
        return _failed_check(case, failure)
    missing, halts, held = [], [], []
    for check in metric_checks(case.analysis.metrics):
        measured = case.evidence.measurements.get(check)
        if measured is None:
            missing.append(check)
        elif halt := metric_failure(case, check, measured):
            halts.append(halt)
            held.append(_held(case, check, measured))
    if missing:
        return Need(missing[0], tuple(missing[1:]))
    if halts and all(held):
        status = transitions.update(case)
        return Decision(status, tuple(halts), reason="inconclusive", ticked=True, measured=True)
    return _failed_check(case, *halts) if halts else None


def _held(case: Case, check: MetricCheck, measured: Measured | Unmeasured) -> bool:
    """Nobody knows whether the canary is good, and its owner wants to wait (M18)."""
    policy = case.analysis.metrics[check.index].failure_policy
    return policy == "Hold" and isinstance(measured, Unmeasured) and measured.failed


def metric_checks(metrics: tuple[Metric, ...]) -> tuple[MetricCheck, ...]:
    """Built-in and inline checks in list order, then templates in list order (section 6)."""
    first: list[MetricCheck] = []
    second: list[MetricCheck] = []
    for index, metric in enumerate(metrics):
        builtin = metric.name in thresholds.BUILTINS
        if builtin:
            first.append(MetricCheck(index, MetricPart.BUILTIN))
        if metric.query:
            first.append(MetricCheck(index, MetricPart.QUERY))
        if metric.template_ref is not None or not (builtin or metric.query):
            second.append(MetricCheck(index, MetricPart.TEMPLATE))
    return (*first, *second)


def metric_failure(case: Case, check: MetricCheck, measured: Measured | Unmeasured) -> Event | None:
    """What holds up the release, if this measurement does."""
    if isinstance(measured, Unmeasured):
        return Event(measured.text, warning=True, error=measured.failed)
    text = verdict(case.canary, check, measured)
    return None if text is None else Event(text, warning=True)


def verdict(canary: Canary, check: MetricCheck, measured: Measured) -> str | None:
    """None when the value is within the bounds of its metric, else the text of the Halt event."""
    metric = canary.analysis.metrics[check.index]
    judge = thresholds.verdict if check.part is MetricPart.BUILTIN else thresholds.custom_verdict
    return judge(canary, metric, measured.value)


def _failed_check(case: Case, *said: Announcement) -> Decision:
    status = transitions.update(case, failed_checks=case.status.failed_checks + 1)
    return Decision(status, said, reason="failed check", ticked=True, measured=True)
