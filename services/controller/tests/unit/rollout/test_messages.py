"""Every text of `messages.py` is said by some rule, as users see it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from flagger_controller.api.status import Phase, Route
from flagger_controller.rollout import messages
from flagger_controller.rollout.decision import Alert, Event
from flagger_controller.rollout.evidence import Health

from .cases import DEAD, DENIED, Walk, case, status
from .scenario import canary, hook

CANARY = canary()
HALF: Final = {"route": Route(primary=50, canary=50), "pre_rollout_passed": True}


def spec(*kinds: str, **analysis: Any) -> Any:
    hooks = [hook(kind, "gate") for kind in kinds]
    return canary(analysis={"interval": "10s", "stepWeight": 50, "webhooks": hooks, **analysis})


def said(phase: Phase, *, run: Any = None, answer: Any = None, **facts: Any) -> list[str]:
    """Events and alerts of one decision, the gate answering so."""
    walk = Walk(case(status(phase, run=run), **facts), {"gate": answer} if answer else None)
    texts = [each.text for each in walk.decision.announcements if isinstance(each, Event | Alert)]
    reason = walk.status.run.reason
    return [*texts, reason]


def deleted() -> Any:
    metadata = CANARY.metadata.model_copy(
        update={"deletion_timestamp": "now", "finalizers": ("finalizer.flagger.app",)}
    )
    revert = CANARY.spec.model_copy(update={"revert_on_deletion": True})
    return CANARY.model_copy(update={"metadata": metadata, "spec": revert})


def finished(phase: Phase, reason: str = "", **run: Any) -> list[str]:
    return said(phase, run={"unannounced": True, "reason": reason, **run})


P = Phase.PROGRESSING
REACHED: Final[Mapping[str, tuple[Any, Callable[[], list[str]]]]] = {
    "SUSPENDED": (messages.SUSPENDED, lambda: said(P, spec=canary(suspend=True))),
    "PROVIDERS_AVAILABLE": (messages.PROVIDERS_AVAILABLE, lambda: said(Phase.INITIALIZING)),
    "providers_unavailable": (
        messages.providers_unavailable("Forbidden"),
        lambda: Walk(case(status(Phase.INITIALIZING)), {"providers": DENIED}).events,
    ),
    "initialized": (messages.initialized(CANARY), lambda: said(Phase.INITIALIZING)),
    "initialized_alert": (messages.initialized_alert(CANARY), lambda: said(Phase.INITIALIZING)),
    "waiting_rollout": (
        messages.waiting_rollout(CANARY, "gate"),
        lambda: said(Phase.SUCCEEDED, spec=spec("confirm-rollout"), answer=DENIED),
    ),
    "WAITING_ROLLOUT_ALERT": (
        messages.WAITING_ROLLOUT_ALERT,
        lambda: said(Phase.SUCCEEDED, spec=spec("confirm-rollout"), answer=DENIED),
    ),
    "waiting_traffic": (
        messages.waiting_traffic(CANARY, "gate"),
        lambda: said(P, spec=spec("confirm-traffic-increase"), answer=DENIED),
    ),
    "WAITING_TRAFFIC_ALERT": (
        messages.WAITING_TRAFFIC_ALERT,
        lambda: said(P, spec=spec("confirm-traffic-increase"), answer=DENIED),
    ),
    "waiting_promotion": (
        messages.waiting_promotion(CANARY, "gate"),
        lambda: said(P, run=HALF, spec=spec("confirm-promotion", maxWeight=50), answer=DENIED),
    ),
    "WAITING_PROMOTION_ALERT": (
        messages.WAITING_PROMOTION_ALERT,
        lambda: said(P, run=HALF, spec=spec("confirm-promotion", maxWeight=50), answer=DENIED),
    ),
    "scaling_up": (messages.scaling_up(CANARY), lambda: said(Phase.SUCCEEDED)),
    "STARTED": (messages.STARTED, lambda: said(Phase.SUCCEEDED)),
    "unconditional": (
        messages.unconditional(CANARY),
        lambda: said(P, run={**HALF, "conditional": True}),
    ),
    "restarting": (messages.restarting(CANARY), lambda: said(P, live="v3")),
    "starting_analysis": (messages.starting_analysis(CANARY), lambda: said(P)),
    "advance_weight": (messages.advance_weight(CANARY, 20), lambda: said(P)),
    "advance_iteration": (
        messages.advance_iteration(CANARY, 1, 3),
        lambda: said(P, spec=spec(iterations=3)),
    ),
    "advance_primary": (
        messages.advance_primary(CANARY, 80),
        lambda: said(Phase.PROMOTING, run=HALF, promoted=True, spec=spec(stepWeightPromotion=30)),
    ),
    "copying": (messages.copying(CANARY), lambda: said(P, run=HALF, spec=spec(maxWeight=50))),
    "completed": (
        messages.completed(CANARY, skipped=False),
        lambda: finished(Phase.SUCCEEDED),
    ),
    "COMPLETED": (messages.COMPLETED, lambda: finished(Phase.SUCCEEDED)),
    "SKIPPED": (messages.SKIPPED, lambda: finished(Phase.SUCCEEDED, messages.SKIPPED)),
    "threshold_reached": (messages.threshold_reached(CANARY, 5), lambda: _threshold()),
    "threshold_alert": (messages.threshold_alert(5), lambda: _threshold()),
    "manual_rollback": (messages.manual_rollback(CANARY), lambda: said(P, spec=spec("rollback"))),
    "MANUAL_ROLLBACK": (messages.MANUAL_ROLLBACK, lambda: said(P, spec=spec("rollback"))),
    "deadline_exceeded": (
        messages.deadline_exceeded(CANARY, "dead"),
        lambda: said(P, target=DEAD),
    ),
    "deadline_alert": (messages.deadline_alert("dead"), lambda: said(P, target=DEAD)),
    "failed": (messages.failed(CANARY), lambda: finished(Phase.FAILED, "why")),
    "promotion_failed": (
        messages.promotion_failed(CANARY, "dead"),
        lambda: finished(Phase.FAILED, messages.promotion_failed_alert("dead")),
    ),
    "promotion_failed_alert": (
        messages.promotion_failed_alert("dead"),
        lambda: said(Phase.PROMOTING, run=HALF, primary=DEAD, promoted=True),
    ),
    "terminating": (messages.terminating(CANARY), lambda: said(P, spec=deleted())),
    "terminated": (messages.terminated(CANARY), lambda: said(Phase.TERMINATING, spec=deleted())),
    "hook_passed": (
        messages.hook_passed("Confirm-rollout", "gate"),
        lambda: said(Phase.SUCCEEDED, spec=spec("confirm-rollout")),
    ),
    "not_rolling_back": (
        messages.not_rolling_back("gate"),
        lambda: said(P, spec=spec("rollback"), answer=DENIED),
    ),
    "pre_rollout_failed": (
        messages.pre_rollout_failed(CANARY, "gate", "Forbidden"),
        lambda: said(P, spec=spec("pre-rollout"), answer=DENIED),
    ),
    "rollout_failed": (
        messages.rollout_failed(CANARY, "gate", "Forbidden"),
        lambda: said(P, run=HALF, spec=spec("rollout"), answer=DENIED),
    ),
    "post_rollout_failed": (
        messages.post_rollout_failed("gate", "Forbidden"),
        lambda: said(
            Phase.FAILED,
            run={"unannounced": True, "reason": "why"},
            spec=spec("post-rollout"),
            answer=DENIED,
        ),
    ),
    "scaled_to_zero": (
        messages.scaled_to_zero(CANARY),
        lambda: said(P, target=Health(ready=True, available=False)),
    ),
    "ROUTING_TO_PRIMARY": (
        messages.ROUTING_TO_PRIMARY,
        lambda: said(Phase.PROMOTING, run=HALF, promoted=True),
    ),
    "ROUTING_TO_CANARY": (messages.ROUTING_TO_CANARY, lambda: _switch()),
    "STOP_MIRRORING": (messages.STOP_MIRRORING, lambda: _switch(mirror=True)),
    "NO_AB_TESTING": (messages.NO_AB_TESTING, lambda: _kubernetes()),
    "NO_WEIGHTS": (messages.NO_WEIGHTS, lambda: _kubernetes()),
    "FORCING_ITERATIONS": (messages.FORCING_ITERATIONS, lambda: _kubernetes()),
}


def _threshold() -> list[str]:
    walk = Walk(case(status(P, failed_checks=5, run=HALF)))
    texts = [each.text for each in walk.decision.announcements if isinstance(each, Event | Alert)]
    return [*texts, walk.status.run.reason]


def _switch(**analysis: Any) -> list[str]:
    at = status(P, iterations=1, run={"pre_rollout_passed": True})
    return Walk(case(at, spec=spec(iterations=1, **analysis))).events


def _kubernetes() -> list[str]:
    match = [{"headers": {"x": {"exact": "1"}}}]
    return said(P, provider="kubernetes", spec=spec(match=match))


@pytest.mark.parametrize("name", REACHED)
def test_a_rule_says_it(name: str) -> None:
    expected, texts = REACHED[name]
    text = expected if isinstance(expected, str) else expected.text
    assert text in texts()


def test_none_is_missing() -> None:
    imported = {"Canary", "Alert", "Event", "Severity", "Phase"}
    public = {name for name in vars(messages) if not name.startswith("_")} - imported
    assert public == REACHED.keys()
