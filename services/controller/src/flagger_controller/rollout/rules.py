"""The state machine: `RULES`, read from top to bottom.

Each rule looks at the case and either does not apply (None), adds something to say (Remark),
asks for evidence (Need), or decides (Decision). The first need or decision ends the walk.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from flagger_controller.rollout import adoption, finishing, judging, lifecycle, strategy
from flagger_controller.rollout.case import Case
from flagger_controller.rollout.decision import Announcement, Decision, Need, Remark

Rule = Callable[[Case], Need | Decision | Remark | None]


def not_due(case: Case) -> Decision | None:
    """Before the interval is over nothing advances, restarts included (fault R)."""
    return None if case.due else lifecycle.idle(case, "not due yet")


RULES: Final[tuple[Rule, ...]] = (
    finishing.announce,
    lifecycle.terminating,
    lifecycle.suspended,
    lifecycle.blocked,
    lifecycle.bootstrap,
    adoption.adopt,
    lifecycle.restart,
    lifecycle.opened,
    finishing.unfinished,
    lifecycle.unchanged,
    lifecycle.reverted_while_waiting,
    lifecycle.rollback_while_waiting,
    lifecycle.start,
    finishing.promotion_superseded,
    not_due,
    judging.primary_unhealthy,
    judging.route_lagging,
    judging.canary_unhealthy,
    judging.skip,
    judging.rollback_requested,
    finishing.promoting,
    finishing.finalising,
    judging.too_many_failures,
    judging.pre_rollout,
    judging.checks,
    strategy.without_weights,
    strategy.ab_testing,
    strategy.blue_green,
    strategy.progressive,
)


def walk(case: Case) -> Need | Decision:
    """The first need or decision, with everything that was said on the way."""
    said: tuple[Announcement, ...] = ()
    for rule in RULES:
        match rule(case):
            case None:
                continue
            case Remark(announcements):
                said += announcements
            case Need() as need:
                return need
            case Decision() as decision:
                announcements = said + decision.announcements
                return replace(decision, announcements=announcements, rule=rule.__name__)
    raise AssertionError("the last rule must match")
