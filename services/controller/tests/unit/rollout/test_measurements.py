"""The last measurements in the status: why a release halts (metrics.md 11)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flagger_controller.api.status import CanaryStatus, CheckResult, Phase, Route, Verdict
from flagger_controller.rollout.evidence import Measured, Result, Unmeasured

from .cases import DENIED, NOW, Walk, case, status
from .scenario import canary, hook

HALF: dict[str, Any] = {"route": Route(primary=60, canary=40), "pre_rollout_passed": True}
TIME = "2026-01-01T00:00:00Z"
ALL = (
    {"name": "request-success-rate", "threshold": 99},
    {"name": "request-duration", "thresholdRange": {"max": 500}},
    {"name": "errors", "query": "q", "thresholdRange": {"min": 0, "max": 10}},
    {"name": "queue", "query": "q", "threshold": 7},
    {"name": "lag", "templateRef": {"name": "t"}},
    {"name": "cost", "templateRef": {"name": "t"}, "thresholdRange": {}},
)
LATE = Unmeasured("Metric query failed for cost: no answer", failed=True, late=True)
ANSWERS: Mapping[str, Result] = {
    "request-success-rate": Measured(100.0),
    "request-duration": Measured(515.0),
    "errors": Unmeasured("no values found for metric: errors"),
    "queue": Measured(0.0),
    "lag": Unmeasured("broken " * 100, failed=True),
    "cost": LATE,
}


def analysis(metrics: Any = ALL, **changes: Any) -> Any:
    whole = {"interval": "10s", "threshold": 2, "stepWeight": 20, "metrics": list(metrics)}
    return canary(analysis={**whole, **changes})


def shown(walk: Walk) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in walk.status.to_api().get("checks", [])}


def test_every_check_with_its_verdict() -> None:
    """Value, no values, error and time-out are four different things."""
    walk = Walk(case(status(Phase.PROGRESSING, run=HALF), spec=analysis()), ANSWERS)
    assert walk.status.failed_checks == 1
    found = shown(walk)
    assert found["request-success-rate"] == {
        "name": "request-success-rate",
        "type": "builtin",
        "value": 100.0,
        "bounds": {"min": 99.0},
        "verdict": "passed",
        "time": found["lag"]["time"],
    }
    assert found["request-duration"] == {
        "name": "request-duration",
        "type": "builtin",
        "value": 515.0,
        "bounds": {"max": 500.0},
        "verdict": "failed",
        "message": "Halt podinfo.default advancement request duration 515ms > 500ms",
        "time": found["lag"]["time"],
    }
    assert found["queue"] | {"time": ""} == {
        "name": "queue",
        "type": "query",
        "value": 0.0,
        "bounds": {"max": 7.0},
        "verdict": "passed",
        "time": "",
    }
    verdicts = {name: (each["type"], each["verdict"]) for name, each in found.items()}
    assert verdicts["errors"] == ("query", "no-values")
    assert verdicts["lag"] == ("template", "error")
    assert verdicts["cost"] == ("template", "timeout")
    assert found["cost"]["message"] == "Metric query failed for cost: no answer"
    assert "bounds" not in found["cost"]
    assert "value" not in found["cost"]
    assert len(found["lag"]["message"]) == 512


def test_a_step_shows_what_it_rests_on() -> None:
    at = status(Phase.PROGRESSING, canary_weight=40, run=HALF)
    walk = Walk(case(at, spec=analysis(ALL[:1])), ANSWERS)
    assert walk.status.canary_weight == 60
    assert [each.verdict for each in walk.status.checks] == ["passed"]


def test_one_entry_can_be_several_checks() -> None:
    entry = {"name": "request-success-rate", "query": "q", "thresholdRange": {"min": 1}}
    walk = Walk(case(status(Phase.PROGRESSING, run=HALF), spec=analysis([entry])))
    assert [each.type for each in walk.status.checks] == ["builtin", "query"]


def test_a_status_is_not_written_for_measurements() -> None:
    """A closed gate: everything is measured again and again, and nothing is written."""
    gate = hook("confirm-promotion", "gate")
    spec = analysis(ALL[:1], webhooks=[gate], maxWeight=40)
    answers: Mapping[str, Result] = {**ANSWERS, "gate": DENIED}
    at = status(Phase.PROGRESSING, canary_weight=40, run=HALF)
    waiting = Walk(case(at, spec=spec), answers).status
    assert waiting.phase is Phase.WAITING_PROMOTION
    walk = Walk(case(waiting, spec=spec, now=NOW + timedelta(minutes=1)), answers)
    assert "request-success-rate(builtin)" in walk.asked
    assert walk.status == waiting


def test_what_was_measured_stays_until_the_next_run() -> None:
    old = CheckResult(name="old", type="query", value=1.0, verdict=Verdict.PASSED, time=TIME)
    failed = status(Phase.FAILED, checks=(old,))
    assert Walk(case(failed)).status.checks == (old,)
    after = Walk(case(failed, live="v3")).status
    assert (after.phase, after.checks) == (Phase.PROGRESSING, ())


def test_rollout_hooks_that_fail_leave_the_last_measurements() -> None:
    old = CheckResult(name="old", type="query", value=1.0, verdict=Verdict.PASSED, time=TIME)
    at = status(Phase.PROGRESSING, run=HALF, checks=(old,))
    walk = Walk(case(at, spec=analysis(webhooks=[hook("rollout", "a")])), {"a": DENIED})
    assert walk.status.failed_checks == 1
    assert walk.status.checks == (old,)


def test_what_is_stored_is_read_again() -> None:
    walk = Walk(case(status(Phase.PROGRESSING, run=HALF), spec=analysis()), ANSWERS)
    assert CanaryStatus.model_validate(walk.status.to_api()).checks == walk.status.checks
