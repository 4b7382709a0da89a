"""Status primitives (state-machine.md section 2, as we have them)."""

from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus, Obligation, Phase, Route, Run
from flagger_controller.rollout import transitions
from flagger_controller.rollout.case import Case

from .cases import BEFORE, GONE, NOW, READY, STAMP, TICKED, Walk, case, status

BUSY = status(
    Phase.PROGRESSING,
    canary_weight=40,
    failed_checks=1,
    iterations=3,
    session_affinity_cookie="c=1",
    run={
        "route": Route(primary=60, canary=40),
        "pre_rollout_passed": True,
        "promotion_approved": True,
        "halted": "gate",
    },
)
COUNTERS = {
    Phase.PROGRESSING: (40, 3),
    Phase.WAITING: (40, 3),
    Phase.WAITING_PROMOTION: (40, 3),  # S13: upstream zeroes the weight and sets iterations to N-1
    Phase.PROMOTING: (40, 3),
    Phase.FINALISING: (0, 0),
    Phase.SUCCEEDED: (0, 0),
    Phase.FAILED: (0, 0),
    Phase.INITIALIZED: (0, 0),
    Phase.INITIALIZING: (0, 0),
    Phase.TERMINATING: (0, 0),
}


@pytest.mark.parametrize("phase", COUNTERS)
def test_entering_a_phase(phase: Phase) -> None:
    after = transitions.enter(case(BUSY), phase)
    assert after.phase is phase
    assert (after.canary_weight, after.iterations) == COUNTERS[phase]
    assert after.failed_checks == 1, "only a new run and a failure reset them"
    assert after.session_affinity_cookie == "c=1"
    assert [each.reason for each in after.conditions] == [phase.value]
    assert after.run == BUSY.run.model_copy(update={"ticked_at": TICKED})
    assert (after.last_applied_spec, after.last_promoted_spec) == ("v2", "v1")


@pytest.mark.parametrize("phase", COUNTERS)
def test_the_transition_time_is_that_of_the_phase(phase: Phase) -> None:
    """A18: upstream moves it with every write."""
    after = transitions.enter(case(BUSY), phase)
    assert after.last_transition_time == ("earlier" if phase is BUSY.phase else STAMP)


def test_an_update_records_the_tick_and_nothing_else() -> None:
    after = transitions.update(case(BUSY), failed_checks=2)
    run = BUSY.run.model_copy(update={"ticked_at": TICKED})
    assert after == BUSY.model_copy(update={"failed_checks": 2, "run": run})


def test_a_tick_time_can_be_kept() -> None:
    after = transitions.update(case(BUSY), run={"ticked_at": BEFORE, "halted": ""})
    assert (after.run.ticked_at, after.run.halted) == (BEFORE, "")


def test_times_have_milliseconds_because_due_times_need_them() -> None:
    assert transitions.stamp(NOW) == TICKED


@pytest.mark.parametrize("configs", [None, {}, {"configmap/c": "1"}])
def test_initialized(configs: Any) -> None:
    at = status(Phase.INITIALIZING, failed_checks=1, iterations=1, canary_weight=1)
    after = transitions.initialized(case(at, live="v7", configs=configs, promoted=True))
    assert after.phase is Phase.INITIALIZED
    assert (after.last_applied_spec, after.last_promoted_spec) == ("v7", "v7")
    assert after.tracked_configs == configs
    assert (after.canary_weight, after.failed_checks, after.iterations) == (0, 0, 0)


def test_initialized_with_an_older_revision_in_production() -> None:
    after = transitions.initialized(case(status(Phase.INITIALIZING), live="v7", promoted=False))
    assert (after.last_applied_spec, after.last_promoted_spec) == ("", "")
    assert Walk(case(after, live="v7")).rule == "start"


@pytest.mark.parametrize("configs", [None, {}, {"configmap/c": "1"}])
def test_started(configs: Any) -> None:
    after = transitions.started(case(BUSY, live="v3", configs=configs))
    assert after.phase is Phase.PROGRESSING
    assert (after.canary_weight, after.failed_checks, after.iterations) == (0, 0, 0)
    assert (after.last_applied_spec, after.last_promoted_spec) == ("v3", "v1")
    assert after.tracked_configs == configs
    assert after.run == Run(route=Route(), ticked_at=TICKED, started_at=TICKED)


@pytest.mark.parametrize(
    ("primary", "weight", "failed", "stranded"),
    [
        (READY, 40, False, False),
        (GONE, 0, False, False),  # nobody has tried the canary
        (GONE, 40, False, True),  # clients are on it already
        (GONE, 100, True, True),
        (READY, 100, True, False),
        (GONE.__class__(ready=False), 100, True, True),
    ],
)
def test_a_run_starts_where_traffic_can_be_served(
    primary: Any, weight: int, failed: bool, stranded: bool
) -> None:
    run = {"route": Route(primary=100 - weight, canary=weight), "promotion_failed": failed}
    after = transitions.started(case(status(Phase.FAILED, run=run), live="v3", primary=primary))
    assert after.run.promotion_failed is stranded
    assert after.canary_weight == after.route.canary == (100 if stranded else 0)
    assert after.run.primary_broken is not primary.ready


@pytest.mark.parametrize(
    ("obligation", "promotion_failed", "primary", "weight", "stranded"),
    [
        (Obligation.ROLLBACK, False, READY, 0, False),
        (Obligation.ROLLBACK, False, GONE, 0, False),
        (Obligation.ROLLBACK, True, READY, 0, False),
        (Obligation.ROLLBACK, True, GONE, 40, True),
        (Obligation.SKIP, False, READY, 0, False),
        (Obligation.SKIP, True, GONE, 0, False),
        (Obligation.KEEP_CANARY, False, GONE, 100, True),
    ],
)
def test_obligations_say_where_traffic_goes(
    obligation: Obligation, promotion_failed: bool, primary: Any, weight: int, stranded: bool
) -> None:
    run = BUSY.run.model_copy(update={"promotion_failed": promotion_failed})
    at = BUSY.model_copy(update={"run": run})
    after = transitions.obliged(case(at, primary=primary), obligation, "why")
    assert (after.phase, after.run.obligation, after.run.reason) == (
        *(Phase.PROGRESSING, obligation),
        "why",
    )
    assert (after.route.canary, after.run.promotion_failed) == (weight, stranded)
    assert (after.canary_weight, after.failed_checks) == (40, 1), "until it is confirmed"


def test_rolled_back() -> None:
    after = transitions.rolled_back(case(BUSY))
    assert after.phase is Phase.FAILED
    assert (after.canary_weight, after.failed_checks, after.iterations) == (0, 0, 0)
    assert (after.last_applied_spec, after.last_promoted_spec) == ("v2", "v1")
    assert after.run.unannounced


def test_succeeded() -> None:
    after = transitions.succeeded(case(BUSY, live="v3"))
    assert after.phase is Phase.SUCCEEDED
    assert (after.last_applied_spec, after.last_promoted_spec) == ("v2", "v2")
    assert after.failed_checks == 1
    assert after.run == Run(
        route=Route(), ticked_at=TICKED, unannounced=True, reason=BUSY.run.reason
    )


def test_everything_that_upstream_wrote_survives_a_round_trip() -> None:
    assert CanaryStatus.model_validate(BUSY.to_api()) == BUSY


# What a case knows of itself


def at_route(**changes: Any) -> Case:
    return case(status(Phase.PROGRESSING, run={"route": None}), **changes)


def test_the_route_of_a_run_that_upstream_began_is_read_from_the_cluster() -> None:
    assert at_route().route == Route()
    assert at_route(route=Route(primary=70, canary=30)).route.canary == 30
    recorded = case(BUSY, route=Route(primary=70, canary=30))
    assert recorded.route.canary == 40, "ours is the truth"


@pytest.mark.parametrize(
    ("provider", "iterations", "expected"),
    [("istio", 0, 0), ("istio", 3, 3), ("kubernetes", 0, 10), ("kubernetes", 3, 3)],
)
def test_iterations_in_force(provider: str, iterations: int, expected: int) -> None:
    spec = Canary.from_api(
        {
            "metadata": {"name": "a"},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"},
                "analysis": {"iterations": iterations},
            },
        }
    )
    assert case(BUSY, spec=spec, provider=provider).iterations == expected
