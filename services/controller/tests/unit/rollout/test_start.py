"""How runs begin: the start gate, waiting for approval, restart (state-machine.md section 5)."""

from typing import Any

import pytest

from flagger_controller.api.status import Obligation, Phase, Route

from .cases import DEAD, DENIED, GONE, SLOW, STAMP, TICKED, Walk, case, status
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


# Start gate (section 5)


@pytest.mark.parametrize("phase", [*SETTLED, Phase.WAITING])
def test_open_gates_start_a_run(phase: Phase) -> None:
    at = status(phase, failed_checks=1, iterations=3)
    walk = Walk(case(at, live="v3", spec=GATED))
    assert (walk.rule, walk.status.phase) == ("start", Phase.PROGRESSING)
    assert walk.asked == [f"first({phase})", f"second({phase})"]
    passed = [f"Confirm-rollout check {name} passed" for name in ("first", "second")]
    assert walk.events == [*passed, SCALING]
    assert walk.alerts == ["info New revision detected, progressing canary analysis."]
    assert walk.decision.announcements[-1].metadata  # type: ignore[union-attr]
    assert (walk.status.failed_checks, walk.status.iterations) == (0, 0)
    assert (walk.status.last_applied_spec, walk.status.last_promoted_spec) == ("v3", "v1")
    assert (walk.status.run.route, walk.status.run.ticked_at) == (Route(), TICKED)


@pytest.mark.parametrize("phase", SETTLED)
def test_a_closed_gate_waits(phase: Phase) -> None:
    walk = Walk(case(status(phase), live="v3", spec=GATED), {"second": DENIED})
    assert walk.status.phase is Phase.WAITING
    assert walk.events == [
        "Confirm-rollout check first passed",
        "Halt podinfo advancement waiting for approval second",
    ]
    assert walk.told("Halt").phase is Phase.WAITING
    assert walk.alerts == ["warn Canary is waiting for approval."]
    assert walk.status.last_applied_spec == status(phase).last_applied_spec
    assert walk.status.run.waiting_from is phase


def test_a_gate_that_stays_closed_is_silent() -> None:
    at = status(Phase.WAITING)
    walk = Walk(case(at, spec=GATED), {"first": DENIED})
    assert (walk.status, walk.events, walk.alerts) == (at, [], [])
    assert walk.asked == ["first(Waiting)"]
    early = Walk(case(at, spec=GATED, due=False))
    assert early.asked == []


def test_a_muted_gate_does_not_alert() -> None:
    hooks = [hook("confirm-rollout", "gate", muteAlert=True)]
    spec = canary(analysis={"stepWeight": 20, "webhooks": hooks})
    walk = Walk(case(status(Phase.SUCCEEDED), spec=spec), {"gate": DENIED})
    assert (len(walk.events), walk.alerts) == (1, [])


def test_a_start_does_not_wait_for_the_interval() -> None:
    assert Walk(case(status(Phase.SUCCEEDED), due=False)).status.phase is Phase.PROGRESSING


@pytest.mark.parametrize(
    ("primary", "run", "rule_ends_in"),
    [
        (SLOW, {}, Phase.SUCCEEDED),
        (DEAD, {}, Phase.PROGRESSING),
        (GONE, {}, Phase.PROGRESSING),
    ],
)
def test_a_broken_primary_does_not_hold_back_its_repair(
    primary: Any, run: dict[str, Any], rule_ends_in: Phase
) -> None:
    """S2: upstream rolls back a run that would have repaired the primary."""
    walk = Walk(case(status(Phase.SUCCEEDED, run=run), primary=primary))
    assert walk.status.phase is rule_ends_in
    assert walk.warnings == [primary.reason]
    if rule_ends_in is Phase.PROGRESSING:
        assert walk.status.run.primary_broken
        assert walk.status.run.route == Route()


def test_a_fault_of_the_primary_is_told_once_an_interval() -> None:
    walk = Walk(case(status(Phase.SUCCEEDED), primary=SLOW, due=False))
    assert (walk.events, walk.decision.ticked) == ([], False)


def test_after_a_failed_promotion_traffic_stays_on_the_target() -> None:
    """Fault B, S1: the fix is analysed where the traffic is; the dead primary gets none."""
    at = status(
        Phase.FAILED,
        canary_weight=100,
        run={"promotion_failed": True, "route": Route(primary=0, canary=100)},
    )
    for primary in (SLOW, DEAD, GONE):
        walk = Walk(case(at, live="v3", primary=primary))
        assert walk.status.phase is Phase.PROGRESSING
        assert (walk.status.route.canary, walk.status.canary_weight) == (100, 100)
        assert walk.status.run.promotion_failed
    recovered = Walk(case(at, live="v3"))
    assert recovered.status.run.route == Route()
    assert not recovered.status.run.promotion_failed


def test_after_a_failed_promotion_the_old_revision_is_a_release() -> None:
    at = status(Phase.FAILED, run={"promotion_failed": True})
    assert Walk(case(at, live="v1", primary=GONE)).status.phase is Phase.PROGRESSING
    assert Walk(case(at, live="v2", primary=GONE)).rule == "unchanged"


# Waiting


@pytest.mark.parametrize("origin", SETTLED)
@pytest.mark.parametrize("due", [True, False])
def test_a_revision_that_is_taken_back_needs_no_approval(origin: Phase, due: bool) -> None:
    """S5: upstream starts a run of the revision that is in production already."""
    at = status(Phase.WAITING, run={"waiting_from": origin})
    walk = Walk(case(at, live="v1", spec=GATED, due=due))
    assert (walk.status.phase, walk.asked, walk.events) == (origin, [], [])
    assert walk.status.run.waiting_from is Phase.NEW


def test_waiting_that_upstream_began_ends_as_succeeded() -> None:
    walk = Walk(case(status(Phase.WAITING), live="v1", spec=GATED))
    assert walk.status.phase is Phase.SUCCEEDED


def test_a_rollback_hook_cancels_what_waits() -> None:
    """S4: upstream documents it and never calls the hook."""
    hooks = [hook("rollback", "no"), hook("rollback", "yes"), hook("confirm-rollout", "gate")]
    spec = canary(analysis={"stepWeight": 20, "webhooks": hooks})
    at = status(Phase.WAITING, run={"waiting_from": Phase.SUCCEEDED})
    walk = Walk(case(at, spec=spec), {"no": DENIED})
    assert walk.asked == ["no(Waiting)", "yes(Waiting)"]
    assert (walk.rule, walk.status.phase) == ("rollback_while_waiting", Phase.FAILED)
    assert walk.events == [
        "Rollback check yes passed",
        "Rolling back podinfo manual webhook invoked",
    ]
    assert walk.status.last_applied_spec == "v2", "it is not tried again"
    assert (walk.status.run.unannounced, walk.status.run.obligation) == (True, Obligation.NONE)
    kept = Walk(case(at, spec=spec), {"no": DENIED, "yes": DENIED, "gate": DENIED})
    assert kept.asked == ["no(Waiting)", "yes(Waiting)", "gate(Waiting)"]
    assert Walk(case(at, spec=spec, due=False)).asked == []


def test_a_cancelled_release_leaves_stranded_traffic_alone() -> None:
    spec = canary(analysis={"stepWeight": 20, "webhooks": [hook("rollback")]})
    run = {"promotion_failed": True, "route": Route(primary=0, canary=100)}
    at = status(Phase.WAITING, last_applied_spec="v2", canary_weight=100, run=run)
    walk = Walk(case(at, live="v3", spec=spec, primary=GONE))
    assert walk.status.phase is Phase.FAILED
    assert (walk.status.canary_weight, walk.status.route.canary) == (100, 100)
    assert walk.status.run.promotion_failed


# Restart (step 18)


@pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.WAITING_PROMOTION])
@pytest.mark.parametrize("due", [True, False])
def test_a_new_revision_restarts_the_analysis(phase: Phase, due: bool) -> None:
    at = status(
        phase,
        canary_weight=40,
        failed_checks=1,
        iterations=2,
        run={"route": Route(primary=60, canary=40), "promotion_approved": True, "halted": "x"},
    )
    walk = Walk(case(at, live="v3", due=due, primary=SLOW, target=SLOW))
    assert (walk.rule, walk.status.phase, walk.events) == (
        "restart",
        Phase.PROGRESSING,
        [RESTARTING],
    )
    assert (walk.status.canary_weight, walk.status.failed_checks, walk.status.iterations) == (
        0,
        0,
        0,
    )
    assert walk.status.last_applied_spec == "v3"
    run = walk.status.run
    assert (run.route, run.promotion_approved, run.halted, run.ticked_at) == (
        *(Route(), False, ""),
        TICKED,
    )


def test_a_restart_asks_no_gate_and_leaves_nobody_on_the_canary() -> None:
    """S19, kept: also when traffic returns in steps after a promotion."""
    whole = canary(analysis={**GATED.analysis.to_api(), "stepWeightPromotion": 10})
    at = status(Phase.PROGRESSING, canary_weight=40, run={"route": Route(primary=60, canary=40)})
    walk = Walk(case(at, live="v3", spec=whole))
    assert (walk.rule, walk.asked, walk.status.run.route) == ("restart", [], Route())


def test_changed_configs_restart_the_analysis() -> None:
    at = status(Phase.PROGRESSING, tracked_configs={"configmap/c": "1"})
    walk = Walk(case(at, configs={"configmap/c": "2"}))
    assert (walk.rule, walk.status.tracked_configs) == ("restart", {"configmap/c": "2"})


@pytest.mark.parametrize(
    ("phase", "obligation", "facts", "restarts"),
    [
        (Phase.PROMOTING, Obligation.NONE, {"promoted": False}, True),
        (Phase.PROMOTING, Obligation.NONE, {"promoted": True}, False),
        (Phase.FINALISING, Obligation.NONE, {"promoted": True}, False),
        (Phase.PROGRESSING, Obligation.PROMOTE, {"promoted": False}, True),
        (Phase.PROGRESSING, Obligation.PROMOTE, {"promoted": True}, False),
        (Phase.PROMOTING, Obligation.FINALISE, {"promoted": True, "settled": False}, False),
        (Phase.PROGRESSING, Obligation.SKIP, {"promoted": False, "settled": False}, True),
        (Phase.PROGRESSING, Obligation.SKIP, {"promoted": True, "settled": False}, False),
        (Phase.PROGRESSING, Obligation.ROLLBACK, {"settled": False}, False),
        (Phase.PROGRESSING, Obligation.ROLLBACK, {"settled": False, "primary": GONE}, True),
        (Phase.PROGRESSING, Obligation.ROLLBACK, {"settled": True, "primary": GONE}, False),
        (Phase.PROMOTING, Obligation.KEEP_CANARY, {"settled": False, "primary": GONE}, False),
    ],
)
def test_a_new_revision_restarts_until_the_primary_carries_the_old_one(
    phase: Phase, obligation: Obligation, facts: dict[str, Any], restarts: bool
) -> None:
    """Fault D: what was not analysed is never promoted."""
    at = status(phase, run={"obligation": obligation})
    walk = Walk(case(at, live="v3", **facts))
    assert (walk.rule == "restart") is restarts
    if restarts:
        assert walk.status.last_applied_spec == "v3"
        assert walk.status.run.obligation is Obligation.NONE
