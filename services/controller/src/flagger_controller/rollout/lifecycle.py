"""Rules before and around a run: suspension, first release, start, restart.

Each rule returns None where it does not apply; `rules.RULES` has their order.
"""

from flagger_controller.api.canary import HookType
from flagger_controller.api.status import Obligation, Phase
from flagger_controller.rollout import conditions, messages, transitions
from flagger_controller.rollout.case import ACTIVE, ANALYSING, SETTLED, Case
from flagger_controller.rollout.decision import (
    Alert,
    Announcement,
    Decision,
    Event,
    Need,
    Remark,
    Severity,
)
from flagger_controller.rollout.evidence import HookCheck, ProvidersCheck
from flagger_controller.rollout.hooks import ask_all

Outcome = Need | Decision | Remark | None


def idle(case: Case, reason: str, *announcements: Announcement, ticked: bool = False) -> Decision:
    """Leave everything as it is."""
    return Decision(case.status, announcements, reason=reason, ticked=ticked)


def terminating(case: Case) -> Outcome:
    """A deleted canary is reverted, then released (state-machine.md section 12)."""
    metadata = case.canary.metadata
    if metadata.deletion_timestamp is None:
        return None
    if not metadata.finalizers or not case.canary.spec.revert_on_deletion:
        return idle(case, "the canary is being deleted")
    if case.phase is not Phase.TERMINATING:
        event = Event(messages.terminating(case.canary))
        return Decision(
            transitions.enter(case, Phase.TERMINATING), (event,), reason="deleted", again=True
        )
    if not case.seen.settled and not case.seen.problem:
        return idle(case, "waiting until everything is reverted", ticked=True)
    event = Event(messages.terminated(case.canary))
    return Decision(case.status, (event,), reason="everything is reverted", release=True)


def suspended(case: Case) -> Outcome:
    """A suspended canary is frozen; people are told once (sharp edge S29)."""
    halted = case.status.run.halted == messages.SUSPENDED
    if not case.canary.spec.suspend:
        if halted:
            status = transitions.update(
                case, run={"halted": "", "ticked_at": case.status.run.ticked_at}
            )
            return Decision(status, reason="resumed", again=True)
        return None
    if halted:
        return idle(case, "suspended")
    status = transitions.update(
        case, run={"halted": messages.SUSPENDED, "ticked_at": case.status.run.ticked_at}
    )
    return Decision(status, (Event(messages.SUSPENDED),), reason="suspended")


def blocked(case: Case) -> Outcome:
    """A canary that cannot be served tells why, in a condition and an event; see `step`.

    A run that is held back says so at every tick.
    """
    problem = case.seen.problem
    if not problem:
        return None
    again = case.due and case.phase in ACTIVE and conditions.told(case.status) == problem
    events = (Event(problem, warning=True),) if again else ()
    return idle(case, problem, *events, ticked=case.due)


def bootstrap(case: Case) -> Outcome:
    """First sight, then the first production revision (state-machine.md steps 6 to 13).

    Nothing that serves is touched before the primary was ready once (sharp edge S18): the
    converge sees to that, and reports `settled` when Services, routes and scale are in place.
    """
    if case.phase is Phase.NEW:
        return Decision(
            transitions.enter(case, Phase.INITIALIZING, run={"ticked_at": ""}),
            reason="first sight",
            again=True,
        )
    if case.phase is not Phase.INITIALIZING:
        return None
    ready = case.canary.skip_analysis or case.seen.primary.ready
    if not (ready and case.seen.settled) and not case.due:
        return idle(case, "waiting for the primary")
    answer = case.evidence.answers.get(ProvidersCheck())
    if answer is None and not case.canary.skip_analysis:
        return Need(ProvidersCheck())
    events: list[Event] = []
    if answer is not None and answer.ok:
        events.append(Event(messages.PROVIDERS_AVAILABLE))
    elif answer is not None:
        events.append(messages.providers_unavailable(answer.error))
    return _first_release(case, events, ready=ready)


def _first_release(case: Case, events: list[Event], *, ready: bool) -> Decision:
    if not (ready and case.seen.settled):
        if not case.seen.primary.ready:
            events.append(Event(case.seen.primary.reason, warning=True))
        return idle(case, "waiting for the primary, Services and routes", *events, ticked=True)
    done = Event(messages.initialized(case.canary), phase=Phase.INITIALIZED)
    return Decision(
        transitions.initialized(case),
        (*events, done, messages.initialized_alert(case.canary)),
        reason="the primary serves",
        ticked=True,
    )


def unchanged(case: Case) -> Outcome:
    """Between runs nothing happens until the target or its configs change."""
    if case.phase in SETTLED and not case.changed:
        return idle(case, "nothing to release")
    return None


def reverted_while_waiting(case: Case) -> Outcome:
    """A revision that was taken back needs no approval any more (sharp edge S5)."""
    if case.phase is not Phase.WAITING or case.changed:
        return None
    phase = case.status.run.waiting_from
    status = transitions.enter(
        case,
        phase if phase in SETTLED else Phase.SUCCEEDED,
        run={"waiting_from": Phase.NEW},
        canary_weight=case.status.canary_weight,
    )
    return Decision(status, reason="the target is back at the promoted revision", ticked=True)


def restart(case: Case) -> Outcome:
    """The target changed during a run: analyse what is there now (state-machine.md step 18).

    Also while the primary does not carry the analysed revision yet: what was not analysed is
    never promoted (fault D). And while a rollback waits for a primary that has no pods: the new
    revision may be the repair.
    """
    if case.phase not in ACTIVE or not case.superseded or not _restartable(case):
        return None
    event = Event(messages.restarting(case.canary), phase=Phase.PROGRESSING)
    return Decision(
        transitions.started(case), (event,), reason="the target changed during the run", ticked=True
    )


def opened(case: Case) -> Outcome:
    """The conditions of the analysis are gone: analyse again, from no traffic at all.

    Those who met them have tested the canary at their full share, which nobody decided for
    everybody. The converge has sent all to the primary already.
    """
    run = case.status.run
    if case.phase not in ANALYSING or run.obligation is not Obligation.NONE:
        return None
    if case.route.canary == 0 or not run.conditional or case.analysis.match:
        return None
    event = Event(messages.unconditional(case.canary), phase=Phase.PROGRESSING)
    return Decision(
        transitions.started(case), (event,), reason="the conditions are gone", ticked=True
    )


def _restartable(case: Case) -> bool:
    match case.status.run.obligation:
        case Obligation.NONE:
            promoting = case.phase is Phase.PROMOTING and not case.seen.promoted
            return case.phase in ANALYSING or promoting
        case Obligation.PROMOTE | Obligation.SKIP:
            return not case.seen.promoted
        case Obligation.ROLLBACK:
            return not case.seen.settled and not case.seen.primary.available
        case Obligation.FINALISE | Obligation.KEEP_CANARY:
            return False


def start(case: Case) -> Outcome:
    """A new revision: ask the gates, then scale up (state-machine.md section 5).

    A primary that is on its way to ready is waited for; one that cannot become ready on its own
    does not hold back its repair (sharp edges S1 and S2).
    """
    if case.phase not in SETTLED and case.phase is not Phase.WAITING:
        return None
    waiting = case.phase is Phase.WAITING
    if waiting and not case.due:
        return idle(case, "waiting for approval")
    said: list[Event] = []
    primary = case.seen.primary
    if not primary.ready and not case.canary.skip_analysis:
        if primary.retriable and not case.status.run.promotion_failed:
            told = (Event(primary.reason, warning=True),) if case.due else ()
            return idle(case, "the primary is not ready", *told, ticked=case.due)
        said.append(Event(primary.reason, warning=True))
    return _start_gate(case, said)


def _start_gate(case: Case, said: list[Event]) -> Outcome:
    gate = ask_all(case, HookType.CONFIRM_ROLLOUT, case.phase)
    if isinstance(gate, Need):
        return gate
    said += [Event(messages.hook_passed("Confirm-rollout", hook.name)) for hook in gate.passed]
    if gate.failed is not None:
        if case.phase is Phase.WAITING:
            return idle(case, "waiting for approval", *said, ticked=True)
        halt: list[Announcement] = [*said, messages.waiting_rollout(case.canary, gate.failed.name)]
        if not gate.failed.mute_alert:
            halt.append(messages.WAITING_ROLLOUT_ALERT)
        status = transitions.enter(case, Phase.WAITING, run={"waiting_from": case.phase})
        return Decision(status, tuple(halt), reason="waiting for approval", ticked=True)
    return Decision(
        transitions.started(case),
        (
            *said,
            Event(messages.scaling_up(case.canary), phase=Phase.PROGRESSING),
            Alert(messages.STARTED, Severity.INFO, metadata=True),
        ),
        reason="new revision",
        ticked=True,
    )


def rollback_while_waiting(case: Case) -> Outcome:
    """A rollback hook cancels a revision that waits for approval (sharp edge S4)."""
    if case.phase is not Phase.WAITING or not case.due:
        return None
    for index, hook in enumerate(case.analysis.hooks(HookType.ROLLBACK)):
        check = HookCheck(HookType.ROLLBACK, index, case.phase)
        answer = case.evidence.answers.get(check)
        if answer is None:
            return Need(check)
        if answer.ok:
            passed = Event(messages.hook_passed("Rollback", hook.name), warning=True)
            return Decision(
                transitions.refused(case, messages.MANUAL_ROLLBACK),
                (passed, messages.manual_rollback(case.canary)),
                reason="rollback hook",
                again=True,
                ticked=True,
            )
    return None
