"""The step that a passed analysis earns, by strategy (state-machine.md section 7)."""

from typing import Any

from flagger_controller.api.canary import Canary, HookType, Strategy
from flagger_controller.api.status import Obligation, Phase, Route
from flagger_controller.rollout import messages, transitions, weights
from flagger_controller.rollout.case import KUBERNETES, Case
from flagger_controller.rollout.decision import Announcement, Decision, Event, Need, Remark
from flagger_controller.rollout.hooks import ask_all
from flagger_controller.rollout.lifecycle import Outcome, idle

TRAFFIC_GATE = "confirm-traffic-increase"
"""Marks a run whose closed traffic gate was already reported to people."""


def without_weights(case: Case) -> Outcome:
    """Provider `kubernetes` tells what it cannot do (state-machine.md step 26)."""
    if case.provider != KUBERNETES:
        return None
    said: list[Announcement] = []
    if case.analysis.match:
        said.append(Event(messages.NO_AB_TESTING, warning=True))
    if case.analysis.iterations < 1:
        said.append(Event(messages.NO_WEIGHTS, warning=True))
        said.append(Event(messages.FORCING_ITERATIONS, warning=True))
    return Remark(tuple(said)) if said else None


def in_force(canary: Canary, provider: str) -> Strategy:
    """The strategy that is played: provider `kubernetes` knows Blue/Green only."""
    return Strategy.BLUE_GREEN if provider == KUBERNETES else canary.strategy


def conditional(case: Case) -> bool:
    """Only requests that meet the conditions of the analysis get to the canary."""
    return bool(case.analysis.match) and not case.status.run.promotion_failed


def ab_testing(case: Case) -> Outcome:
    """Matching requests go to the canary for N iterations (state-machine.md 7.2)."""
    if in_force(case.canary, case.provider) is not Strategy.AB_TESTING:
        return None
    if case.iterations > case.status.iterations:
        return _next_iteration(case, weights.split(100))
    return _promote(case)


def blue_green(case: Case) -> Outcome:
    """N iterations beside production, then all traffic, then promotion (state-machine.md 7.3)."""
    if in_force(case.canary, case.provider) is not Strategy.BLUE_GREEN:
        return None
    done = case.status.iterations
    if case.iterations > done:
        mirror = case.analysis.mirror and case.provider != KUBERNETES and case.route.canary == 0
        return _next_iteration(case, case.route.model_copy(update={"mirrored": mirror}))
    if done > case.iterations:
        return _promote(case)
    gate = _promotion_gate(case)
    if not isinstance(gate, tuple):
        return gate
    run: dict[str, Any] = {"promotion_approved": True, "pre_rollout_passed": True}
    said: list[Announcement] = list(gate)
    if case.provider != KUBERNETES:
        mirrored = case.analysis.mirror
        said.append(Event(messages.STOP_MIRRORING if mirrored else messages.ROUTING_TO_CANARY))
        run |= {"route": weights.split(100), "conditional": False}
    status = transitions.update(case, iterations=done + 1, run=run)
    return Decision(status, tuple(said), reason="iterations done", ticked=True, measured=True)


def progressive(case: Case) -> Outcome:
    """More traffic step by step (state-machine.md 7.1)."""
    weight = case.route.canary
    if weight >= case.canary.max_weight:
        return _promote(case)
    gate = _traffic_gate(case)
    if not isinstance(gate, tuple):
        return gate
    if case.analysis.mirror and weight == 0 and not case.route.mirrored:
        route = Route(mirrored=True)
    else:
        route = weights.split(weights.next_weight(case.canary, weight))
    run = {"conditional": conditional(case), "pre_rollout_passed": True, "halted": ""}
    run["route"] = route
    return Decision(
        transitions.update(case, canary_weight=route.canary, run=run),
        (*gate, Event(messages.advance_weight(case.canary, route.canary))),
        reason="the analysis passed",
        ticked=True,
        measured=True,
    )


def _next_iteration(case: Case, route: Route) -> Decision:
    iteration = case.status.iterations + 1
    text = messages.advance_iteration(case.canary, iteration, case.iterations)
    run = {"route": route, "conditional": conditional(case), "pre_rollout_passed": True}
    status = transitions.update(case, iterations=iteration, run=run)
    return Decision(
        status, (Event(text),), reason="the analysis passed", ticked=True, measured=True
    )


def _traffic_gate(case: Case) -> Need | Decision | tuple[Announcement, ...]:
    """What the open gate says, or the end of the walk.

    Asked before an increase only (sharp edge S17); alerts when it closes, not at every tick.
    """
    if case.phase is not Phase.PROGRESSING or case.route.mirrored:
        return ()
    gate = ask_all(case, HookType.CONFIRM_TRAFFIC_INCREASE, Phase.PROGRESSING)
    if isinstance(gate, Need):
        return gate
    said: list[Announcement] = [
        Event(messages.hook_passed("Confirm-traffic-increase", hook.name)) for hook in gate.passed
    ]
    if gate.failed is None:
        return tuple(said)
    said.append(messages.waiting_traffic(case.canary, gate.failed.name))
    if case.status.run.halted != TRAFFIC_GATE and not gate.failed.mute_alert:
        said.append(messages.WAITING_TRAFFIC_ALERT)
    status = transitions.update(case, run={"halted": TRAFFIC_GATE, "pre_rollout_passed": True})
    if case.status.run.halted == TRAFFIC_GATE:
        status = case.status
    return Decision(status, tuple(said), reason="waiting for approval", ticked=True, measured=True)


def _promotion_gate(case: Case) -> Need | Decision | tuple[Announcement, ...]:
    """What the open gate says, or the end of the walk; asked once a run (sharp edge S14)."""
    if case.status.run.promotion_approved:
        return ()
    gate = ask_all(case, HookType.CONFIRM_PROMOTION, Phase.PROGRESSING)
    if isinstance(gate, Need):
        return gate
    said: list[Announcement] = [
        Event(messages.hook_passed("Confirm-promotion", hook.name)) for hook in gate.passed
    ]
    if gate.failed is None:
        return tuple(said)
    if case.phase is Phase.WAITING_PROMOTION:
        waiting = idle(case, "waiting for approval", *said, ticked=True)
        return Decision(
            waiting.status, waiting.announcements, reason=waiting.reason, ticked=True, measured=True
        )
    said.append(messages.waiting_promotion(case.canary, gate.failed.name))
    if not gate.failed.mute_alert:
        said.append(messages.WAITING_PROMOTION_ALERT)
    status = transitions.enter(case, Phase.WAITING_PROMOTION)
    return Decision(status, tuple(said), reason="waiting for approval", ticked=True, measured=True)


def _promote(case: Case) -> Outcome:
    gate = _promotion_gate(case)
    if not isinstance(gate, tuple):
        return gate
    approved = {"obligation": Obligation.PROMOTE, "promotion_approved": True}
    return Decision(
        transitions.update(case, run=approved),
        (*gate, Event(messages.copying(case.canary))),
        reason="the analysis is complete",
        again=True,
        ticked=True,
        measured=True,
    )
