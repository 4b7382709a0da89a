"""What is taken over without a run (canary-api.md 6.2 rule 2, 6.3)."""

from typing import Any

import pytest

from flagger_controller.api.status import Phase, Run
from flagger_controller.rollout.weights import split

from .cases import Walk, case, status
from .scenario import canary

ACTIVE = (Phase.PROGRESSING, Phase.WAITING_PROMOTION, Phase.PROMOTING, Phase.FINALISING)


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.INITIALIZED])
def test_upstream_hashes_are_replaced_when_the_primary_shows_the_same(phase: Phase) -> None:
    at = status(phase, last_applied_spec="6c9dbdd48d", last_promoted_spec="6c9dbdd48d")
    walk = Walk(case(at, live="v2:1", foreign_hash=True, promoted=True))
    assert (walk.rule, walk.status.phase) == ("adopt", phase)
    assert walk.status.last_applied_spec == walk.status.last_promoted_spec == "v2:1"
    assert walk.events == []
    changed = Walk(case(at, live="v2:1", foreign_hash=True, promoted=False))
    assert (changed.rule, changed.status.phase) == ("start", Phase.PROGRESSING)


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED, Phase.WAITING, *ACTIVE])
def test_upstream_hashes_are_recognised(phase: Phase) -> None:
    at = status(phase, last_applied_spec="6c9dbdd48d", last_promoted_spec="77f")
    walk = Walk(case(at, live="v2:1", foreign_hash=True, upstream="6c9dbdd48d"))
    assert (walk.rule, walk.status.phase, walk.events) == ("adopt", phase, [])
    assert (walk.status.last_applied_spec, walk.status.last_promoted_spec) == ("v2:1", "77f")


@pytest.mark.parametrize("match", [[], [{"headers": {"x": {"exact": "1"}}}]])
def test_the_split_of_a_run_of_upstream_is_recorded_with_its_conditions(match: list[Any]) -> None:
    """When the next step is due is upstream's word, still."""
    at = status(Phase.PROGRESSING, run={"route": None, "ticked_at": ""}, last_applied_spec="6c9db")
    spec = canary(analysis={"interval": "10s", "iterations": 3, "match": match})
    walk = Walk(case(at, spec=spec, live="v2:1", upstream="6c9db", route=split(100)))
    assert walk.rule == "adopt"
    assert walk.status.run == Run(route=split(100), conditional=bool(match))


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED])
def test_the_promoted_revision_is_recognised_too(phase: Phase) -> None:
    at = status(phase, last_applied_spec="6c9dbdd48d", last_promoted_spec="77f")
    walk = Walk(case(at, live="v2:1", foreign_hash=True, upstream="77f"))
    assert (walk.rule, walk.status.phase, walk.events) == ("adopt", phase, [])
    assert walk.status.last_promoted_spec == "v2:1"
    again = Walk(case(walk.status, live="v2:1", foreign_hash=True))
    assert (again.rule, again.status.last_applied_spec) == ("adopt", "v2:1")


@pytest.mark.parametrize(
    ("phase", "rule"),
    [
        (Phase.FAILED, "start"),
        (Phase.PROGRESSING, "restart"),
        (Phase.WAITING_PROMOTION, "restart"),
    ],
)
def test_what_nobody_can_recognise_is_analysed(phase: Phase, rule: str) -> None:
    at = status(phase, last_applied_spec="6c9dbdd48d", last_promoted_spec="77f")
    walk = Walk(case(at, live="v2:1", foreign_hash=True, upstream="4"))
    assert (walk.rule, walk.status.phase) == (rule, Phase.PROGRESSING)
    assert walk.status.last_applied_spec == "v2:1"


def test_a_revision_of_upstream_that_waits_for_approval_is_not_forgotten() -> None:
    at = status(Phase.WAITING, last_applied_spec="6c9dbdd48d", last_promoted_spec="6c9dbdd48d")
    walk = Walk(case(at, live="v2:1", foreign_hash=True, upstream="4"))
    assert (walk.rule, walk.status.phase) == ("start", Phase.PROGRESSING)


def test_a_failed_revision_counts_as_new_after_the_target_was_reverted() -> None:
    reverted = Walk(case(status(Phase.FAILED), live="v1"))
    assert (reverted.rule, reverted.status.phase) == ("adopt", Phase.FAILED)
    assert reverted.status.last_applied_spec == "v1"
    assert Walk(case(reverted.status, live="v1")).rule == "unchanged"
    assert Walk(case(reverted.status, live="v2")).status.phase is Phase.PROGRESSING
