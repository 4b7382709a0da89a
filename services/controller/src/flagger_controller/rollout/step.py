"""One step of the state machine: the walk, and what holds for every decision.

Pure: the same case gives the same answer, so a logged case can be replayed.
"""

from dataclasses import replace

from flagger_controller.rollout import conditions, cookies, measurements
from flagger_controller.rollout.case import Case
from flagger_controller.rollout.decision import Announcement, Decision, Event, Need
from flagger_controller.rollout.rules import walk


def step(case: Case) -> Need | Decision:
    """What to ask next, or what to do."""
    outcome = walk(case)
    if isinstance(outcome, Need):
        return outcome
    status = cookies.renewed(case.canary, outcome.status, case.entropy)
    status = conditions.ready(status, case.seen.problem, case.seen.warning, case.now)
    status = measurements.recorded(case, status)
    return replace(outcome, status=status, announcements=_warned(case) + outcome.announcements)


def _warned(case: Case) -> tuple[Announcement, ...]:
    """What is wrong with the Canary or odd about it, told once, whatever else is decided."""
    text = case.seen.problem or case.seen.warning
    if not text or conditions.told(case.status) == text:
        return ()
    return (Event(text, warning=True),)
