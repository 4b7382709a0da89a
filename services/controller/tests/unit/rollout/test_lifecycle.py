"""Before and around runs: deletion, suspension, odd manifests, first release, start, restart."""

from typing import Any

import pytest

from flagger_controller.api.status import Condition, Phase, Route
from flagger_controller.rollout import messages
from flagger_controller.rollout.decision import Event

from .cases import BEFORE, DEAD, DENIED, SLOW, STAMP, Walk, case, status
from .scenario import canary, hook

ACTIVE = (Phase.PROGRESSING, Phase.WAITING_PROMOTION, Phase.PROMOTING, Phase.FINALISING)
SETTLED = (Phase.INITIALIZED, Phase.SUCCEEDED, Phase.FAILED)
SCALING = "New revision detected! Scaling up podinfo"
RESTARTING = "New revision detected! Restarting analysis for podinfo"
GATED = canary(
    analysis={
        "interval": "10s",
        "stepWeight": 20,
        "webhooks": [hook("confirm-rollout", "first"), hook("confirm-rollout", "second")],
    }
)


def deleted(spec: Any, *finalizers: str) -> Any:
    changes = {"deletion_timestamp": STAMP, "finalizers": finalizers}
    return spec.model_copy(update={"metadata": spec.metadata.model_copy(update=changes)})


REVERTED = deleted(canary(revertOnDeletion=True), "finalizer.flagger.app")


# Deletion (state-machine.md section 12)


@pytest.mark.parametrize("phase", [*SETTLED, *ACTIVE, Phase.WAITING, Phase.NEW])
def test_a_deleted_canary_is_reverted_from_every_phase(phase: Phase) -> None:
    walk = Walk(case(status(phase), spec=REVERTED))
    assert (walk.rule, walk.status.phase) == ("terminating", Phase.TERMINATING)
    assert walk.events == ["Terminating canary podinfo"]
    assert walk.decision.again
    assert not walk.decision.release


def test_the_finalizer_goes_when_everything_is_reverted() -> None:
    at = status(Phase.TERMINATING)
    waiting = Walk(case(at, spec=REVERTED, settled=False))
    assert (waiting.status, waiting.decision.release, waiting.events) == (at, False, [])
    done = Walk(case(at, spec=REVERTED))
    assert (done.status, done.decision.release) == (at, True)
    (told,) = done.decision.announcements
    assert told == Event("Terminated canary podinfo.default"), "with the phase of the status"


def test_a_canary_that_cannot_be_observed_can_be_deleted() -> None:
    """S21: upstream waits for ever when the target was deleted first."""
    walk = Walk(case(status(Phase.TERMINATING), spec=REVERTED, settled=False, problem="no target"))
    assert walk.decision.release


@pytest.mark.parametrize(
    "spec", [deleted(canary()), deleted(canary(), "other"), deleted(canary(revertOnDeletion=True))]
)
def test_a_canary_without_revert_is_left_alone(spec: Any) -> None:
    """S20: no tick of a terminating Canary does anything but revert."""
    at = status(Phase.PROGRESSING)
    walk = Walk(case(at, spec=spec, live="v3"))
    assert (walk.status, walk.decision.release, walk.events) == (at, False, [])


# Suspension


def test_suspended_is_told_once_and_keeps_the_tick_time() -> None:
    suspended = canary(suspend=True)
    first = Walk(case(status(Phase.PROGRESSING), spec=suspended, live="v3", primary=DEAD))
    assert (first.rule, first.events) == ("suspended", [messages.SUSPENDED])
    assert first.status.run.ticked_at == BEFORE
    again = Walk(case(first.status, spec=suspended, live="v3"))
    assert (again.status, again.events) == (first.status, [])
    resumed = Walk(case(first.status, live="v3"))
    assert resumed.decision.again
    assert resumed.status == status(Phase.PROGRESSING)


# Odd manifests


def test_a_problem_is_told_once_outside_a_run() -> None:
    walk = Walk(case(status(Phase.SUCCEEDED), problem="no target", live="v1"))
    assert (walk.rule, walk.warnings) == ("blocked", ["no target"])
    (condition,) = walk.status.conditions
    assert condition == Condition(
        type="Ready",
        status="False",
        reason="Blocked",
        message="no target",
        last_update_time=STAMP,
        last_transition_time=STAMP,
    )
    again = Walk(case(walk.status, problem="no target", live="v1"))
    assert (again.status, again.events) == (walk.status, [])
    repaired = Walk(case(walk.status, live="v1"))
    assert repaired.status == status(Phase.SUCCEEDED)


def test_a_problem_in_a_run_is_told_at_every_tick() -> None:
    first = Walk(case(status(Phase.PROGRESSING), problem="no target"))
    again = Walk(case(first.status, problem="no target"))
    early = Walk(case(first.status, problem="no target", due=False))
    assert (first.warnings, again.warnings, early.warnings) == (["no target"],) * 2 + ([],)
    assert again.status.phase is Phase.PROGRESSING


def test_another_problem_is_told_anew() -> None:
    first = Walk(case(status(Phase.SUCCEEDED), problem="no target", live="v1"))
    other = Walk(case(first.status, problem="no scaler", live="v1"))
    assert other.warnings == ["no scaler"]
    assert [each.message for each in other.status.conditions] == ["no scaler"]


def test_a_warning_does_not_hold_back_anything() -> None:
    walk = Walk(case(status(Phase.SUCCEEDED), warning="interval is too short"))
    assert (walk.rule, walk.status.phase) == ("start", Phase.PROGRESSING)
    assert walk.warnings == ["interval is too short"]
    ready = walk.status.conditions[1]
    assert (ready.type, ready.status, ready.message) == ("Ready", "True", "interval is too short")
    again = Walk(case(walk.status, warning="interval is too short"))
    assert again.warnings == []


# First release (steps 6 to 13)


def test_first_sight() -> None:
    walk = Walk(case(status(Phase.NEW, run={"route": None}), live="v1"))
    assert (walk.rule, walk.status.phase) == ("bootstrap", Phase.INITIALIZING)
    assert walk.decision.again
    assert walk.status.run.ticked_at == "", "the first tick follows at once"


@pytest.mark.parametrize(
    ("facts", "events"),
    [
        ({"primary": SLOW}, [messages.PROVIDERS_AVAILABLE, "slow"]),
        ({"primary": DEAD}, [messages.PROVIDERS_AVAILABLE, "dead"]),
        ({"settled": False}, [messages.PROVIDERS_AVAILABLE]),
        ({"primary": SLOW, "due": False}, []),
        ({"settled": False, "due": False}, []),
    ],
)
def test_initialization_waits(facts: dict[str, Any], events: list[str]) -> None:
    """S18: also for a dead primary, with the target untouched."""
    at = status(Phase.INITIALIZING)
    walk = Walk(case(at, live="v1", **facts))
    assert (walk.status, walk.events) == (at, events)
    assert walk.decision.ticked is bool(events)


def test_initialization_is_done_as_soon_as_the_primary_serves() -> None:
    at = status(Phase.INITIALIZING, failed_checks=1)
    walk = Walk(case(at, live="v1", promoted=True, due=False))
    assert walk.status.phase is Phase.INITIALIZED
    assert walk.events == [messages.PROVIDERS_AVAILABLE, "Initialization done! podinfo"]
    assert walk.alerts == ["info New Deployment detected, initialization completed."]
    assert (walk.status.last_applied_spec, walk.status.last_promoted_spec) == ("v1", "v1")
    assert (walk.status.run.route, walk.status.failed_checks) == (Route(), 0)


def test_initialization_goes_on_without_metric_providers() -> None:
    walk = Walk(case(status(Phase.INITIALIZING), live="v1"), {"providers": DENIED})
    assert walk.status.phase is Phase.INITIALIZED
    assert walk.warnings == ["Error checking metric providers: Forbidden"]


def test_initialization_with_skip_analysis_tells_what_holds_it_back() -> None:
    """A revision of Knative is waited for all the same."""
    spec = canary(skipAnalysis=True)
    walk = Walk(case(status(Phase.INITIALIZING), spec=spec, primary=SLOW, settled=False))
    assert (walk.status.phase, walk.events) == (Phase.INITIALIZING, ["slow"])


def test_initialization_with_skip_analysis_waits_for_nothing() -> None:
    walk = Walk(
        case(status(Phase.INITIALIZING), live="v1", spec=canary(skipAnalysis=True), primary=SLOW)
    )
    assert walk.status.phase is Phase.INITIALIZED
    assert walk.asked == []
    assert walk.events == ["Initialization done! podinfo"]


# Should advance? (section 4)


@pytest.mark.parametrize("phase", SETTLED)
@pytest.mark.parametrize("due", [True, False])
def test_nothing_to_release(phase: Phase, due: bool) -> None:
    at = status(phase)
    walk = Walk(case(at, live=at.last_applied_spec, due=due, primary=DEAD, target=DEAD))
    assert (walk.rule, walk.status, walk.events) == ("unchanged", at, [])
    assert not walk.decision.ticked


@pytest.mark.parametrize(
    ("found", "stored", "changed"),
    [
        (None, None, False),
        ({}, None, False),
        ({}, {}, False),
        ({"configmap/c": "1"}, {"configmap/c": "1"}, False),
        ({"configmap/c": "1"}, None, True),
        ({"configmap/c": "2"}, {"configmap/c": "1"}, True),
        ({}, {"configmap/c": "1"}, True),
        ({"configmap/c": "1", "secret/s": "1"}, {"configmap/c": "1"}, True),
        (None, {"configmap/c": "1"}, False),
    ],
)
def test_config_changes_are_releases(found: Any, stored: Any, changed: bool) -> None:
    at = status(Phase.SUCCEEDED, tracked_configs=stored)
    walk = Walk(case(at, live="v1", configs=found))
    assert walk.rule == ("start" if changed else "unchanged")
    if changed:
        assert walk.status.tracked_configs == found
