"""How rules ask hooks: in list order, stopping at the first refusal."""

from dataclasses import dataclass

from flagger_controller.api.canary import HookType, Webhook
from flagger_controller.api.status import Phase
from flagger_controller.rollout.case import Case
from flagger_controller.rollout.decision import Need
from flagger_controller.rollout.evidence import HookCheck


@dataclass(frozen=True)
class Gate:
    """What the hooks of one type said."""

    passed: tuple[Webhook, ...]
    failed: Webhook | None = None
    error: str = ""


def ask_all(case: Case, kind: HookType, phase: Phase) -> Need | Gate:
    """All hooks of a type must pass; the first refusal stops (webhooks.md section 2)."""
    hooks = case.analysis.hooks(kind)
    for index, hook in enumerate(hooks):
        check = HookCheck(kind, index, phase)
        answer = case.evidence.answers.get(check)
        if answer is None:
            return Need(check)
        if not answer.ok:
            return Gate(hooks[:index], hook, answer.error)
    return Gate(hooks)
