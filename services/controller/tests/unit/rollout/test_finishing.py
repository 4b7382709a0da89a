"""How runs end: rollback, promotion, failed promotion, announcements (sections 7.4 to 10)."""

from typing import Any

import pytest

from flagger_controller.api.status import Obligation, Phase, Route
from flagger_controller.rollout import messages
from flagger_controller.rollout.decision import Cause, Outcome

from .cases import BEFORE, DEAD, DENIED, GONE, READY, SLOW, STAMP, Walk, case, status
from .scenario import canary, hook

HALF = Route(primary=50, canary=50)
ALL = Route(primary=0, canary=100)


def outcome(walk: Walk) -> Outcome:
    (found,) = [each for each in walk.decision.announcements if isinstance(each, Outcome)]
    return found


# Obligations


@pytest.mark.parametrize("obligation", [Obligation.ROLLBACK, Obligation.KEEP_CANARY])
@pytest.mark.parametrize("due", [True, False])
def test_the_phase_changes_when_the_cluster_has_obeyed(obligation: Obligation, due: bool) -> None:
    """Fault K: upstream forgets a rollback that could not be finished."""
    at = status(Phase.PROMOTING, failed_checks=2, run={"obligation": obligation, "reason": "why"})
    waiting = Walk(case(at, settled=False, due=due, promoted=True))
    assert (waiting.rule, waiting.status, waiting.events) == ("unfinished", at, [])
    done = Walk(case(at, due=due, promoted=True))
    assert (done.status.phase, done.decision.again) == (Phase.FAILED, True)
    assert done.status.run.obligation is Obligation.NONE
    assert (done.status.run.unannounced, done.status.run.reason) == (True, "why")
    assert done.status.failed_checks == 0
    assert done.status.last_transition_time == STAMP


def test_a_rollback_resets_the_run_and_remembers_the_revision() -> None:
    run = {
        "obligation": Obligation.ROLLBACK,
        "pre_rollout_passed": True,
        "promotion_approved": True,
        "primary_broken": True,
        "halted": "x",
    }
    at = status(Phase.WAITING_PROMOTION, canary_weight=50, iterations=2, run=run)
    after = Walk(case(at)).status
    assert (after.canary_weight, after.iterations) == (0, 0)
    assert (after.last_applied_spec, after.last_promoted_spec) == ("v2", "v1")
    assert not after.run.pre_rollout_passed
    assert not after.run.promotion_approved
    assert not after.run.primary_broken
    assert not after.run.halted


def test_a_failed_promotion_keeps_traffic_on_the_target() -> None:
    run = {"obligation": Obligation.KEEP_CANARY, "promotion_failed": True, "route": ALL}
    after = Walk(case(status(Phase.PROMOTING, run=run), primary=GONE, promoted=True)).status
    assert (after.phase, after.canary_weight, after.run.route) == (Phase.FAILED, 100, ALL)
    assert after.run.promotion_failed
    assert after.conditions[0].message == (
        "Promotion failed, primary not ready, traffic stays on Deployment."
    ), "A17"


def test_a_stranded_run_rolls_back_to_where_pods_are() -> None:
    run = {"promotion_failed": True, "route": ALL, "pre_rollout_passed": True}
    at = status(Phase.PROGRESSING, canary_weight=100, failed_checks=9, run=run)
    stays = Walk(case(at, primary=GONE, spec=canary(analysis={"stepWeight": 20})))
    assert stays.rule == "primary_unhealthy"
    stays = Walk(case(stays.status, primary=GONE, spec=canary(analysis={"stepWeight": 20})))
    assert (stays.rule, stays.status.run.route) == ("too_many_failures", ALL)
    goes_back = Walk(case(at))
    assert (goes_back.status.run.route, goes_back.status.run.promotion_failed) == (Route(), False)


@pytest.mark.parametrize(
    ("promoted", "settled", "finished"),
    [(True, True, True), (False, True, False), (True, False, False)],
)
def test_skipping_ends_when_the_primary_carries_the_revision(
    promoted: bool, settled: bool, finished: bool
) -> None:
    run = {"obligation": Obligation.SKIP, "reason": messages.SKIPPED}
    at = status(Phase.PROGRESSING, run=run)
    walk = Walk(case(at, promoted=promoted, settled=settled))
    assert (walk.status.phase is Phase.SUCCEEDED) is finished
    if finished:
        assert walk.status.last_promoted_spec == "v2"


# Promotion (7.4)


@pytest.mark.parametrize(
    ("step", "provider", "canary_weight", "text", "weight", "phase"),
    [
        (0, "istio", 50, "Routing all traffic to primary", 0, Phase.FINALISING),
        (30, "istio", 50, "Advance podinfo primary weight 80", 20, Phase.PROMOTING),
        (30, "istio", 20, "Advance podinfo primary weight 100", 0, Phase.FINALISING),
        (50, "istio", 50, "Advance podinfo primary weight 100", 0, Phase.FINALISING),
        (30, "istio", 0, "Routing all traffic to primary", 0, Phase.FINALISING),  # S6
        (0, "kubernetes", 0, None, 0, Phase.FINALISING),
        (30, "kubernetes", 0, None, 0, Phase.FINALISING),
    ],
)
def test_traffic_goes_back(
    step: int, provider: str, canary_weight: int, text: str | None, weight: int, phase: Phase
) -> None:
    """S6: upstream hangs for ever when the canary's weight is 0 already."""
    route = Route(primary=100 - canary_weight, canary=canary_weight)
    at = status(Phase.PROMOTING, canary_weight=canary_weight, run={"route": route})
    spec = canary(analysis={"stepWeight": 50, "stepWeightPromotion": step})
    walk = Walk(case(at, spec=spec, provider=provider, promoted=True))
    assert walk.events == ([text] if text else [])
    assert (walk.status.phase, walk.obeyed.phase) == (Phase.PROMOTING, phase)
    assert walk.obeyed.canary_weight == weight
    assert walk.status.run.route == Route(primary=100 - weight, canary=weight)


def test_traffic_waits_until_the_primary_carries_the_revision() -> None:
    at = status(Phase.PROMOTING, run={"route": HALF})
    walk = Walk(case(at, promoted=False))
    assert (walk.status, walk.events, walk.decision.ticked) == (at, [], True)


def test_a_promotion_step_ends_a_stranded_run() -> None:
    at = status(Phase.PROMOTING, canary_weight=100, run={"route": ALL, "promotion_failed": True})
    spec = canary(analysis={"stepWeight": 50, "stepWeightPromotion": 50})
    assert not Walk(case(at, spec=spec, promoted=True)).status.run.promotion_failed
    assert not Walk(case(at, promoted=True)).status.run.promotion_failed


@pytest.mark.parametrize("due", [True, False])
def test_pods_of_a_newer_revision_get_no_more_traffic(due: bool) -> None:
    """S8: upstream keeps sending the canary's share to the unanalysed revision."""
    at = status(Phase.PROMOTING, run={"route": HALF})
    spec = canary(analysis={"stepWeight": 50, "stepWeightPromotion": 10})
    walk = Walk(case(at, live="v3", spec=spec, promoted=True, due=due))
    assert (walk.rule, walk.obeyed.phase) == ("promotion_superseded", Phase.FINALISING)
    assert walk.status.run.route == Route()
    assert walk.status.last_applied_spec == "v2", "what is in production now"


def test_traffic_is_not_sent_to_a_primary_that_is_not_ready() -> None:
    at = status(Phase.PROMOTING, run={"route": HALF})
    walk = Walk(case(at, live="v3", promoted=True, primary=SLOW))
    assert (walk.rule, walk.status) == ("primary_unhealthy", at)


@pytest.mark.parametrize("due", [True, False])
@pytest.mark.parametrize(
    ("phase", "obligation", "done", "then"),
    [
        (Phase.PROGRESSING, Obligation.PROMOTE, "promoted", Phase.PROMOTING),
        (Phase.WAITING_PROMOTION, Obligation.PROMOTE, "promoted", Phase.PROMOTING),
        (Phase.PROMOTING, Obligation.FINALISE, "settled", Phase.FINALISING),
    ],
)
def test_a_phase_of_a_promotion_says_what_is_true(
    phase: Phase, obligation: Obligation, done: str, then: Phase, due: bool
) -> None:
    """Upstream goes by it: it writes no primary and no route any more."""
    at = status(phase, run={"obligation": obligation, "promotion_approved": True})
    facts: dict[str, Any] = {"promoted": phase is Phase.PROMOTING, "settled": False}
    waiting = Walk(case(at, due=due, **facts))
    assert (waiting.status, waiting.events) == (at, [])
    written = Walk(case(at, due=due, **{**facts, done: True}))
    assert (written.rule, written.status.phase) == ("unfinished", then)
    assert written.status.run.obligation is Obligation.NONE


def test_a_promotion_that_cannot_be_written_can_be_rolled_back() -> None:
    at = status(Phase.PROGRESSING, run={"obligation": Obligation.PROMOTE, "route": ALL})
    spec = canary(analysis={"stepWeight": 50, "webhooks": [hook("rollback", "stop")]})
    walk = Walk(case(at, spec=spec))
    assert walk.asked == ["stop(Progressing)"]
    assert walk.events[-1] == "Rolling back podinfo manual webhook invoked"
    assert walk.status.run.obligation is Obligation.ROLLBACK
    assert Walk(case(at, target=DEAD)).status.run.obligation is Obligation.ROLLBACK


# Finalising (7.5)


def test_the_run_succeeds_when_the_target_is_scaled_down() -> None:
    at = status(Phase.FINALISING, failed_checks=1)
    waiting = Walk(case(at, settled=False, promoted=True))
    assert (waiting.rule, waiting.status) == ("finalising", at)
    walk = Walk(case(at, promoted=True))
    assert (walk.status.phase, walk.status.last_promoted_spec) == (Phase.SUCCEEDED, "v2")
    assert walk.status.failed_checks == 1, "upstream shows those of the last run"
    assert walk.status.run.unannounced


def test_a_newer_revision_is_found_after_the_run() -> None:
    done = Walk(case(status(Phase.FINALISING), live="v3", promoted=True))
    assert (done.status.phase, done.status.last_promoted_spec) == (Phase.SUCCEEDED, "v2")
    told = Walk(case(done.status, live="v3", announced=True))
    assert Walk(case(told.status, live="v3")).status.phase is Phase.PROGRESSING


# Announcements

POST = [hook("post-rollout", name) for name in ("a", "b", "c")]


def finished(phase: Phase, reason: str = "", **run: Any) -> Any:
    return status(phase, run={"unannounced": True, "reason": reason, **run})


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED])
def test_all_post_rollout_hooks_are_called(phase: Phase) -> None:
    """S32: upstream stops at the first that fails."""
    spec = canary(analysis={"stepWeight": 20, "webhooks": POST})
    at = finished(phase, "why")
    walk = Walk(case(at, spec=spec, live=at.last_applied_spec), {"b": DENIED})
    assert walk.asked == [f"{name}({phase})" for name in "abc"]
    texts = [
        "Post-rollout check a passed",
        "Post-rollout hook b failed Forbidden",
        "Post-rollout check c passed",
    ]
    assert [text for text in walk.events if text.startswith("Post")] == texts
    assert texts[1] in walk.warnings
    assert walk.decision.announce_first
    assert not walk.status.run.unannounced
    assert walk.status.phase is phase


@pytest.mark.parametrize(
    ("reason", "event", "alert", "skipped"),
    [
        (
            "",
            "Promotion completed! Scaling down podinfo",
            "info Canary analysis completed successfully, promotion finished.",
            False,
        ),
        (
            messages.SKIPPED,
            "Promotion completed! Canary analysis was skipped for podinfo",
            "info Canary analysis was skipped, promotion finished.",
            True,
        ),
    ],
)
def test_a_success_is_announced(reason: str, event: str, alert: str, skipped: bool) -> None:
    walk = Walk(case(finished(Phase.SUCCEEDED, reason), live="v1"))
    assert (walk.events, walk.alerts) == ([event], [alert])
    assert outcome(walk) == Outcome(skipped=skipped)
    assert outcome(walk).succeeded


@pytest.mark.parametrize(
    ("reason", "severity", "cause"),
    [
        ("Failed checks threshold reached 2", "error", Cause.CHECKS),
        ("Progress deadline exceeded dead", "error", Cause.DEADLINE),
        ("Rolling back manual webhook invoked", "error", Cause.HOOK),
    ],
)
def test_a_failure_is_announced(reason: str, severity: str, cause: Cause) -> None:
    walk = Walk(case(finished(Phase.FAILED, reason)))
    assert walk.events == ["Canary failed! Scaling down podinfo"]
    assert walk.told("Canary failed!").failure
    assert walk.alerts == [f"{severity} {reason}"]
    assert outcome(walk) == Outcome(cause=cause)
    assert not outcome(walk).succeeded


def test_a_failed_promotion_is_announced() -> None:
    at = finished(
        Phase.FAILED, "Promotion failed, primary not ready: dead", promotion_failed=True, route=ALL
    )
    walk = Walk(case(at, primary=GONE))
    assert walk.events == ["Promotion of podinfo failed, primary not ready: dead"]
    assert walk.alerts == ["error Promotion failed, primary not ready: dead"]


def test_a_stranded_run_that_fails_says_why() -> None:
    at = finished(Phase.FAILED, "Failed checks threshold reached 2", promotion_failed=True)
    walk = Walk(case(at, primary=GONE))
    assert walk.events == ["Canary failed! Scaling down podinfo"]


def test_what_was_announced_is_only_recorded() -> None:
    spec = canary(analysis={"stepWeight": 20, "webhooks": POST})
    at = finished(Phase.FAILED, "why", started_at=BEFORE)
    walk = Walk(case(at, spec=spec, announced=True))
    assert (walk.asked, walk.decision.announcements) == ([], ())
    run = walk.status.run
    assert (run.unannounced, run.reason, run.started_at) == (False, "", "")
    assert run.ticked_at == BEFORE


@pytest.mark.parametrize(
    "facts",
    [
        {"spec": canary(suspend=True)},
        {"problem": "no target"},
        {"live": "v3"},
        {"primary": GONE, "target": READY},
    ],
)
def test_what_happened_is_announced_whatever_came_next(facts: dict[str, Any]) -> None:
    """Also when the canary was suspended, lost its target, or has a new revision meanwhile."""
    walk = Walk(case(finished(Phase.FAILED, "why"), **facts))
    assert walk.rule == "announce"
