"""Conditions (canary-api.md 5.2); `kubectl wait --for=condition=promoted` depends on them."""

from datetime import timedelta
from typing import Any

import pytest

from flagger_controller.api.status import CanaryStatus, Condition, Phase, Run
from flagger_controller.rollout import conditions

from .cases import NOW, STAMP, status
from .scenario import canary

LATER, LATER_STAMP = NOW + timedelta(minutes=1), "2026-01-01T12:01:00Z"
TABLE = {
    Phase.INITIALIZING: ("Unknown", "New Deployment detected, starting initialization."),
    Phase.INITIALIZED: ("True", "Deployment initialization completed."),
    Phase.WAITING: ("Unknown", "Waiting for approval."),
    Phase.WAITING_PROMOTION: ("Unknown", "Waiting for approval."),
    Phase.PROGRESSING: ("Unknown", "New revision detected, progressing canary analysis."),
    Phase.PROMOTING: ("Unknown", "Canary analysis completed, starting primary rolling update."),
    Phase.FINALISING: ("Unknown", "Canary analysis completed, routing all traffic to primary."),
    Phase.SUCCEEDED: (
        "True",
        "Canary analysis completed successfully, promotion finished.",
    ),
    Phase.FAILED: ("False", "Canary analysis failed, Deployment scaled to zero."),
    Phase.TERMINATING: ("Unknown", "Deployment canary deleted, reverting."),  # A16
}


@pytest.mark.parametrize("phase", TABLE)
def test_promoted(phase: Phase) -> None:
    value, message = TABLE[phase]
    assert conditions.promoted(canary(), CanaryStatus(phase=phase), NOW) == (
        Condition(
            type="Promoted",
            status=value,
            reason=phase.value,
            message=message,
            last_update_time=STAMP,
            last_transition_time=STAMP,
        ),
    )


def test_the_kind_of_the_target_is_named() -> None:
    ref = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "podinfo"}
    daemon = canary(targetRef=ref)
    (condition,) = conditions.promoted(daemon, CanaryStatus(phase=Phase.FAILED), NOW)
    assert condition.message == "Canary analysis failed, DaemonSet scaled to zero."


def test_a_failed_promotion_does_not_claim_that_anything_was_scaled() -> None:
    failed = CanaryStatus(phase=Phase.FAILED, run=Run(promotion_failed=True))
    (condition,) = conditions.promoted(canary(), failed, NOW)
    assert condition.message == "Promotion failed, primary not ready, traffic stays on Deployment."


def entered(phase: Phase, before: CanaryStatus) -> tuple[Condition, ...]:
    return conditions.promoted(canary(), before.model_copy(update={"phase": phase}), LATER)


def test_times() -> None:
    first = conditions.promoted(canary(), CanaryStatus(phase=Phase.PROGRESSING), NOW)
    at = CanaryStatus(phase=Phase.PROGRESSING, conditions=first)
    assert entered(Phase.PROGRESSING, at) == first, "nothing to say, nothing is written"
    (same_value,) = entered(Phase.PROMOTING, at)
    assert (same_value.last_update_time, same_value.last_transition_time) == (LATER_STAMP, STAMP)
    (other_value,) = entered(Phase.SUCCEEDED, at)
    assert other_value.last_transition_time == LATER_STAMP


def ready(at: CanaryStatus, problem: str = "", warning: str = "", now: Any = NOW) -> CanaryStatus:
    return conditions.ready(at, problem, warning, now)


def test_ready_is_there_only_while_there_is_something_to_say() -> None:
    promoted = conditions.promoted(canary(), CanaryStatus(phase=Phase.SUCCEEDED), NOW)
    at = status(Phase.SUCCEEDED, conditions=promoted)
    assert ready(at) is at
    blocked = ready(at, problem="no target")
    assert [each.type for each in blocked.conditions] == ["Promoted", "Ready"]
    assert blocked.conditions[1] == Condition(
        type="Ready",
        status="False",
        reason="Blocked",
        message="no target",
        last_update_time=STAMP,
        last_transition_time=STAMP,
    )
    assert ready(blocked) == at


def test_a_warning_leaves_the_canary_ready() -> None:
    warned = ready(CanaryStatus(), warning="odd")
    assert [(each.status, each.message) for each in warned.conditions] == [("True", "odd")]
    assert conditions.told(warned) == "odd"
    worse = ready(warned, problem="broken", warning="odd", now=LATER)
    assert [(each.status, each.message) for each in worse.conditions] == [("False", "broken")]
    assert worse.conditions[0].last_transition_time == LATER_STAMP


def test_ready_changes_with_its_text() -> None:
    first = ready(CanaryStatus(), problem="a")
    assert ready(first, problem="a", now=LATER).conditions == first.conditions
    second = ready(first, problem="b", now=LATER)
    (condition,) = second.conditions
    assert (condition.last_update_time, condition.last_transition_time) == (LATER_STAMP, STAMP)


def test_conditions_of_others_survive() -> None:
    foreign = Condition(type="Audited", status="True")
    at = CanaryStatus(phase=Phase.SUCCEEDED, conditions=(foreign,))
    blocked = ready(at, problem="a")
    promoted = conditions.promoted(canary(), blocked, NOW)
    assert [each.type for each in promoted] == ["Promoted", "Audited", "Ready"]
    assert ready(blocked).conditions == (foreign,)


def test_nothing_was_told() -> None:
    assert conditions.told(CanaryStatus()) == ""
