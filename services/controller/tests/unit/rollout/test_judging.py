"""Runs under judgement: readiness, rollback hooks, threshold, checks (steps 15 to 25)."""

from collections.abc import Mapping
from typing import Any

import pytest

from flagger_controller.api.status import Obligation, Phase, Route, Verdict
from flagger_controller.rollout import judging
from flagger_controller.rollout.decision import Need
from flagger_controller.rollout.evidence import Answer, Health, Measured, Result, Unmeasured
from flagger_controller.rollout.step import step

from .cases import DEAD, DENIED, GONE, READY, SLOW, TICKED, Walk, case, status
from .scenario import canary, hook

ANALYSING = (Phase.PROGRESSING, Phase.WAITING_PROMOTION)
TAKING_OVER = (Phase.PROMOTING, Phase.FINALISING)
ACTIVE = (*ANALYSING, *TAKING_OVER)
HALF: dict[str, Any] = {"route": Route(primary=60, canary=40), "pre_rollout_passed": True}
STARTING = "Starting canary analysis for podinfo"


def spec(*webhooks: Any, metrics: Any = (), **analysis: Any) -> Any:
    whole = {"interval": "10s", "threshold": 2, "stepWeight": 20, "webhooks": list(webhooks)}
    return canary(analysis={**whole, "metrics": list(metrics), **analysis})


def metric(name: str = "m", **extra: Any) -> dict[str, Any]:
    return {"name": name, "query": "q", "thresholdRange": {"min": 1, "max": 10}, **extra}


# Nothing before the interval is over (fault R)


@pytest.mark.parametrize("phase", ACTIVE)
@pytest.mark.parametrize("health", [READY, SLOW, DEAD])
def test_nothing_happens_early(phase: Phase, health: Health) -> None:
    at = status(phase, failed_checks=2, run=HALF)
    walk = Walk(case(at, due=False, target=health, primary=health, spec=spec(hook("rollback"))))
    assert (walk.rule, walk.status, walk.events, walk.asked) == ("not_due", at, [], [])
    assert not walk.decision.ticked


# The primary (step 15)


@pytest.mark.parametrize("phase", ACTIVE)
def test_a_primary_on_its_way_is_waited_for(phase: Phase) -> None:
    at = status(phase, canary_weight=40, run=HALF)
    walk = Walk(case(at, primary=SLOW, promoted=True, spec=spec(hook("rollback"))))
    assert (walk.rule, walk.status, walk.asked) == ("primary_unhealthy", at, [])
    assert (walk.warnings, walk.decision.ticked) == (["slow"], True)


@pytest.mark.parametrize("phase", ANALYSING)
def test_a_dead_primary_with_pods_rolls_back(phase: Phase) -> None:
    walk = Walk(case(status(phase, run=HALF), primary=DEAD))
    assert walk.warnings == ["dead", "Rolling back podinfo progress deadline exceeded dead"]
    run = walk.status.run
    assert (run.obligation, run.route) == (Obligation.ROLLBACK, Route())
    assert run.reason == "Progress deadline exceeded dead"
    assert (walk.status.phase, walk.decision.again) == (phase, True)


@pytest.mark.parametrize("phase", ANALYSING)
def test_a_dead_primary_without_pods_is_repaired_by_the_run(phase: Phase) -> None:
    """S2: there is nothing to roll back to."""
    noticed = Walk(case(status(phase, run=HALF), primary=GONE))
    assert (noticed.warnings, noticed.status.run.primary_broken) == (["dead"], True)
    assert noticed.status.run.route == HALF["route"]
    goes_on = Walk(case(noticed.status, primary=GONE))
    assert goes_on.rule == "progressive"


@pytest.mark.parametrize("phase", TAKING_OVER)
@pytest.mark.parametrize("health", [DEAD, GONE])
def test_a_primary_that_dies_of_its_promotion_fails_it(phase: Phase, health: Health) -> None:
    """Section 9: all traffic to the target, which keeps running."""
    walk = Walk(case(status(phase, run=HALF), primary=health, promoted=True))
    run = walk.status.run
    assert (run.obligation, run.promotion_failed) == (Obligation.KEEP_CANARY, True)
    assert run.route == Route(primary=0, canary=100)
    assert run.reason == "Promotion failed, primary not ready: dead"
    assert (walk.warnings, walk.status.phase) == (["dead"], phase)


def test_with_skip_analysis_nobody_asks_for_the_primary() -> None:
    walk = Walk(case(status(Phase.PROGRESSING), primary=DEAD, spec=canary(skipAnalysis=True)))
    assert walk.rule == "skip"


# The route (routing.md 7.2)


@pytest.mark.parametrize("phase", ACTIVE)
def test_a_route_that_is_not_in_force_is_waited_for(phase: Phase) -> None:
    at = status(phase, failed_checks=2, run=HALF)
    walk = Walk(case(at, lagging="not programmed", target=DEAD, promoted=True))
    assert (walk.rule, walk.status, walk.warnings) == ("route_lagging", at, ["not programmed"])


@pytest.mark.parametrize("phase", ANALYSING)
def test_a_run_that_may_repair_the_primary_does_not_wait_for_a_route_to_it(phase: Phase) -> None:
    at = status(phase, run={**HALF, "primary_broken": True})
    walk = Walk(case(at, lagging="not programmed", primary=GONE))
    assert walk.rule == "progressive"


# The target (step 19)


@pytest.mark.parametrize("phase", ANALYSING)
def test_a_target_on_its_way_is_waited_for(phase: Phase) -> None:
    at = status(phase, failed_checks=2, run=HALF)
    walk = Walk(case(at, target=SLOW, spec=spec(hook("rollback"))))
    assert (walk.rule, walk.status, walk.asked) == ("canary_unhealthy", at, [])
    assert (walk.warnings, walk.decision.ticked) == (["slow"], True)


@pytest.mark.parametrize("phase", ANALYSING)
@pytest.mark.parametrize("health", [DEAD, GONE])
def test_a_dead_target_rolls_back(phase: Phase, health: Health) -> None:
    """S9: upstream sends no alert."""
    walk = Walk(case(status(phase, run=HALF), target=health))
    assert walk.warnings == ["dead", "Rolling back podinfo progress deadline exceeded dead"]
    assert walk.status.run.obligation is Obligation.ROLLBACK
    assert walk.status.run.reason == "Progress deadline exceeded dead"


@pytest.mark.parametrize("phase", ANALYSING)
def test_a_target_without_pods_is_not_ready(phase: Phase) -> None:
    """Fault E: upstream takes zero replicas for ready and shifts traffic to them."""
    at = status(phase, run=HALF)
    walk = Walk(case(at, target=Health(ready=True, available=False)))
    assert (walk.rule, walk.status) == ("canary_unhealthy", at)
    assert walk.warnings == ["canary deployment podinfo not ready: no pods, waiting for scale up"]


@pytest.mark.parametrize("health", [SLOW, DEAD, GONE])
@pytest.mark.parametrize("phase", TAKING_OVER)
def test_a_target_may_die_when_the_primary_has_taken_over(phase: Phase, health: Health) -> None:
    """The revision is in production: failing the release would not take it back."""
    walk = Walk(case(status(phase, run=HALF), target=health, promoted=True))
    assert walk.obeyed.run.obligation is Obligation.NONE
    assert walk.obeyed.phase in (Phase.FINALISING, Phase.SUCCEEDED)


def test_a_target_that_dies_before_it_was_promoted_rolls_back() -> None:
    walk = Walk(case(status(Phase.PROMOTING, run=HALF), target=DEAD))
    assert walk.status.run.obligation is Obligation.ROLLBACK


# skipAnalysis (section 10)


@pytest.mark.parametrize("phase", ACTIVE)
def test_skip_analysis_ends_a_run_of_any_phase(phase: Phase) -> None:
    hooks = [hook("rollback"), hook("rollout")]
    whole = canary(skipAnalysis=True, analysis={"stepWeight": 20, "webhooks": hooks})
    walk = Walk(case(status(phase, failed_checks=5, run=HALF), spec=whole))
    run = walk.status.run
    assert (run.obligation, run.route) == (Obligation.SKIP, Route())
    assert walk.events == ["Copying podinfo template spec to podinfo-primary"]
    assert walk.asked == []


def test_skip_analysis_waits_for_the_target() -> None:
    at = status(Phase.PROGRESSING)
    walk = Walk(case(at, spec=canary(skipAnalysis=True), target=SLOW))
    assert (walk.status, walk.warnings) == (at, ["slow"])


# Rollback hooks (step 21)


@pytest.mark.parametrize("phase", ANALYSING)
def test_the_first_rollback_hook_that_says_yes_wins(phase: Phase) -> None:
    hooks = [hook("rollback", "a"), hook("rollback", "b"), hook("rollback", "c"), hook("rollout")]
    walk = Walk(case(status(phase, run=HALF), spec=spec(*hooks)), {"a": DENIED})
    assert walk.asked == [f"a({phase})", f"b({phase})"]
    assert walk.events == [
        "Rollback hook a not signaling a rollback",
        "Rollback check b passed",
        "Rolling back podinfo manual webhook invoked",
    ]
    assert walk.warnings == walk.events[1:]
    assert walk.status.run.obligation is Obligation.ROLLBACK
    assert walk.status.run.reason == "Rolling back manual webhook invoked"


@pytest.mark.parametrize("phase", [*TAKING_OVER, Phase.SUCCEEDED])
def test_rollback_hooks_are_asked_under_analysis_only(phase: Phase) -> None:
    walk = Walk(case(status(phase, run=HALF), spec=spec(hook("rollback")), promoted=True))
    assert walk.asked == []


def test_rollback_hooks_come_before_the_threshold() -> None:
    at = status(Phase.PROGRESSING, failed_checks=2, run=HALF)
    walk = Walk(case(at, spec=spec(hook("rollback"), hook("rollout"))), {"rollback": DENIED})
    assert walk.asked == ["rollback(Progressing)"]
    assert walk.events == [
        "Rollback hook rollback not signaling a rollback",
        "Rolling back podinfo failed checks threshold reached 2",
    ]
    assert walk.status.run.reason == "Failed checks threshold reached 2"


@pytest.mark.parametrize("phase", ANALYSING)
@pytest.mark.parametrize(
    ("threshold", "failed", "rolls_back"),
    [(2, 1, False), (2, 2, True), (2, 3, True), (0, 0, False), (0, 1, True), (-1, 1, True)],
)
def test_the_threshold(phase: Phase, threshold: int, failed: int, rolls_back: bool) -> None:
    at = status(phase, failed_checks=failed, run=HALF)
    walk = Walk(case(at, spec=spec(threshold=threshold)))
    assert (walk.rule == "too_many_failures") is rolls_back


# Pre-rollout (step 25)


def test_pre_rollout_hooks_come_before_anybody_tries_the_canary() -> None:
    hooks = [hook("pre-rollout", "a"), hook("pre-rollout", "b"), hook("rollout")]
    whole = spec(*hooks, metrics=[metric()])
    walk = Walk(case(status(Phase.PROGRESSING), spec=whole))
    assert walk.asked == ["a(Progressing)", "b(Progressing)"]
    assert walk.events == [
        STARTING,
        "Pre-rollout check a passed",
        "Pre-rollout check b passed",
        "Advance podinfo canary weight 20",
    ]
    assert walk.status.run.pre_rollout_passed


def test_a_failed_pre_rollout_hook_is_a_failed_check() -> None:
    hooks = [hook("pre-rollout", "a"), hook("pre-rollout", "b"), hook("pre-rollout", "c")]
    walk = Walk(case(status(Phase.PROGRESSING), spec=spec(*hooks)), {"b": DENIED})
    assert walk.asked == ["a(Progressing)", "b(Progressing)"]
    assert walk.events == [
        STARTING,
        "Pre-rollout check a passed",
        "Halt podinfo advancement pre-rollout check b failed Forbidden",
    ]
    assert (walk.status.failed_checks, walk.status.run.ticked_at) == (1, TICKED)
    assert not walk.status.run.pre_rollout_passed
    assert walk.decision.measured


@pytest.mark.parametrize(
    ("iterations", "route", "mirror"),
    [
        (1, Route(), False),
        (0, Route(primary=99, canary=1), False),
        (0, Route(mirrored=True), True),
    ],
)
def test_checks_follow_once_the_canary_was_tried(
    iterations: int, route: Route, mirror: bool
) -> None:
    at = status(Phase.PROGRESSING, iterations=iterations, run={"route": route})
    walk = Walk(
        case(at, spec=spec(hook("pre-rollout"), hook("rollout"), mirror=mirror, iterations=3))
    )
    assert walk.asked == ["rollout(Progressing)"]


def test_mirroring_that_nobody_asks_for_any_more_is_not_a_test() -> None:
    at = status(Phase.PROGRESSING, run={"route": Route(mirrored=True)})
    walk = Walk(case(at, spec=spec(hook("pre-rollout"))))
    assert walk.asked == ["pre-rollout(Progressing)"]
    assert not walk.status.route.mirrored, "S31"


# Checks (section 6)


@pytest.mark.parametrize("phase", ANALYSING)
def test_rollout_hooks_come_before_metrics(phase: Phase) -> None:
    hooks = [hook("rollout", "a"), hook("", "b")]
    metrics = [
        metric("template", templateRef={"name": "t"}, query=""),
        metric("inline"),
        metric("request-success-rate", query=""),
        metric("request-duration"),
        metric("both", templateRef={"name": "t"}),
        metric("nothing", query=""),
    ]
    walk = Walk(case(status(phase, run=HALF), spec=spec(*hooks, metrics=metrics)))
    assert walk.asked == [
        *("a(Progressing)", "b(Progressing)"),
        *("inline(query)", "request-success-rate(builtin)", "request-duration(builtin)"),
        *("request-duration(query)", "both(query)"),
        *("template(template)", "both(template)", "nothing(template)"),
    ]


@pytest.mark.parametrize(
    ("answers", "asked", "text"),
    [
        ({"a": DENIED}, 1, "Halt podinfo advancement external check a failed Forbidden"),
        ({"b": Answer(ok=False)}, 2, "Halt podinfo advancement external check b failed "),
        ({"m": Measured(11)}, 4, "Halt podinfo advancement m 11.00 > 10"),
        ({"m": Measured(0.5)}, 4, "Halt podinfo advancement m 0.50 < 1"),
        ({"m": Unmeasured("no values")}, 4, "no values"),
        ({"n": Unmeasured("broken", failed=True)}, 4, "broken"),
    ],
)
def test_the_first_failed_hook_stops_and_a_failure_costs_one_check(
    answers: dict[str, Any], asked: int, text: str
) -> None:
    hooks = [hook("rollout", "a"), hook("rollout", "b")]
    at = status(Phase.PROGRESSING, canary_weight=40, failed_checks=0, run=HALF)
    walk = Walk(case(at, spec=spec(*hooks, metrics=[metric(), metric("n")])), answers)
    assert (len(walk.asked), walk.warnings, walk.events) == (asked, [text], [text])
    expected = at.run.model_copy(update={"ticked_at": TICKED})
    changed = {"failed_checks": 1, "run": expected, "checks": walk.status.checks}
    assert walk.status == at.model_copy(update=changed)
    assert (walk.decision.ticked, walk.decision.measured) == (True, True)


def test_all_metrics_are_told_and_cost_one_check() -> None:
    """Upstream tells the first problem only (M19)."""
    metrics = [metric(), metric("n"), metric("o")]
    answers: Mapping[str, Result] = {
        "m": Unmeasured("broken", failed=True),
        "n": Measured(5),
        "o": Measured(11),
    }
    walk = Walk(case(status(Phase.PROGRESSING, run=HALF), spec=spec(metrics=metrics)), answers)
    assert walk.warnings == ["broken", "Halt podinfo advancement o 11.00 > 10"]
    assert walk.status.failed_checks == 1


def test_metrics_are_asked_for_together() -> None:
    at = case(status(Phase.PROGRESSING, run=HALF), spec=spec(metrics=[metric(), metric("n")]))
    first, second = judging.metric_checks(at.analysis.metrics)
    assert step(at) == Need(first, (second,))


@pytest.mark.parametrize("value", [1.0, 10.0])
def test_bounds_are_inclusive(value: float) -> None:
    walk = Walk(
        case(status(Phase.PROGRESSING, run=HALF), spec=spec(metrics=[metric()])),
        {"m": Measured(value)},
    )
    assert walk.status.failed_checks == 0


def test_a_source_that_cannot_be_asked_is_an_error_event() -> None:
    walk = Walk(
        case(status(Phase.PROGRESSING, run=HALF), spec=spec(metrics=[metric()])),
        {"m": Unmeasured("broken", failed=True)},
    )
    (event,) = walk.decision.announcements
    assert event.error  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("held", "counted", "failed"),
    [
        (Unmeasured("down", failed=True), Measured(5), 0),
        (Unmeasured("late", failed=True, late=True), Measured(5), 0),
        (Unmeasured("down", failed=True), Measured(11), 1),
        (Unmeasured("down", failed=True), Unmeasured("down", failed=True), 1),
        (Unmeasured("no values"), Measured(5), 1),
        (Measured(11), Measured(5), 1),
    ],
)
def test_a_source_that_cannot_be_asked_holds_the_release_where_that_is_wanted(
    held: Result, counted: Result, failed: int
) -> None:
    """M18: what is known to be bad counts all the same."""
    metrics = [{**metric(), "failurePolicy": "Hold"}, {**metric("n"), "failurePolicy": "Fail"}]
    at = status(Phase.PROGRESSING, canary_weight=40, run=HALF)
    walk = Walk(case(at, spec=spec(metrics=metrics)), {"m": held, "n": counted})
    assert (walk.status.failed_checks, walk.status.canary_weight) == (failed, 40)
    assert walk.status.run == at.run.model_copy(update={"ticked_at": TICKED})
    assert walk.status.checks[0].verdict is not Verdict.PASSED
    assert walk.warnings


def test_passing_checks_do_not_forgive_failed_ones() -> None:
    at = status(Phase.PROGRESSING, failed_checks=1, run=HALF)
    assert Walk(case(at)).status.failed_checks == 1
