"""Whole releases as users see them: the event texts, tick by tick (state-machine.md section 16)."""

from typing import Any

import pytest

from flagger_controller.api.status import Phase
from flagger_controller.rollout.evidence import Answer, Health, Unmeasured

from .scenario import Scenario, canary, hook

DENIED = Answer(ok=False, error="Forbidden")
SCALING = "New revision detected! Scaling up podinfo"
STARTING = "Starting canary analysis for podinfo"
COPYING = "Copying podinfo template spec to podinfo-primary"
TO_PRIMARY = "Routing all traffic to primary"
DONE = "Promotion completed! Scaling down podinfo"


def weight(value: int) -> str:
    return f"Advance podinfo canary weight {value}"


def iteration(step: int, steps: int) -> str:
    return f"Advance podinfo canary iteration {step}/{steps}"


def analysis(**changes: Any) -> dict[str, Any]:
    return {"interval": "10s", "threshold": 2, **changes}


def test_initialization_waits_for_the_primary() -> None:
    scenario = Scenario(canary())
    scenario.primary_health = Health(ready=False, reason="podinfo-primary.default not ready: x")
    assert scenario.tick() == [
        "all the metrics providers are available!",
        "podinfo-primary not ready: x",
    ]
    assert scenario.status.phase is Phase.INITIALIZING
    scenario.primary_health = Health(ready=True)
    assert scenario.tick() == [
        "all the metrics providers are available!",
        "Initialization done! podinfo",
    ]
    assert scenario.status.last_promoted_spec == "v1"
    assert scenario.alerts == ["info New Deployment detected, initialization completed."]


def test_weighted_release_with_every_hook() -> None:
    kinds = (
        "confirm-rollout",
        "pre-rollout",
        "rollout",
        "confirm-traffic-increase",
        "confirm-promotion",
        "post-rollout",
        "rollback",
    )
    hooks = [hook(kind) for kind in kinds]
    spec = analysis(stepWeight=20, maxWeight=50, webhooks=hooks)
    scenario = Scenario(canary(analysis=spec), answers={"rollback": DENIED})
    scenario.initialized().push("v2")
    no_rollback = "Rollback hook rollback not signaling a rollback"
    traffic = "Confirm-traffic-increase check confirm-traffic-increase passed"

    assert scenario.tick() == ["Confirm-rollout check confirm-rollout passed", SCALING]
    assert scenario.tick() == [
        no_rollback,
        STARTING,
        "Pre-rollout check pre-rollout passed",
        traffic,
        weight(20),
    ]
    assert scenario.tick() == [no_rollback, traffic, weight(40)]
    assert scenario.tick() == [no_rollback, traffic, weight(60)]
    assert scenario.tick() == [
        no_rollback,
        "Confirm-promotion check confirm-promotion passed",
        COPYING,
    ]
    assert (scenario.status.phase, scenario.status.canary_weight) == (Phase.PROMOTING, 60)
    assert scenario.tick() == [TO_PRIMARY]
    assert (scenario.status.phase, scenario.status.canary_weight) == (Phase.FINALISING, 0)
    assert scenario.tick() == ["Post-rollout check post-rollout passed", DONE]
    assert scenario.status.last_promoted_spec == "v2"
    assert scenario.asked == [
        "confirm-rollout(Initialized)",
        *("rollback(Progressing)", "pre-rollout(Progressing)"),
        "confirm-traffic-increase(Progressing)",
        *("rollback(Progressing)", "rollout(Progressing)"),
        "confirm-traffic-increase(Progressing)",
        *("rollback(Progressing)", "rollout(Progressing)"),
        "confirm-traffic-increase(Progressing)",
        *("rollback(Progressing)", "rollout(Progressing)", "confirm-promotion(Progressing)"),
        "post-rollout(Succeeded)",
    ]


@pytest.mark.parametrize(
    ("steps", "weights"),
    [
        ({"stepWeight": 20, "maxWeight": 50}, [20, 40, 60]),
        ({"stepWeight": 60, "maxWeight": 100}, [60, 100]),
        ({"stepWeight": 10}, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]),
        ({"stepWeight": 100, "maxWeight": 50}, [100]),
        ({"stepWeights": [1, 2, 10, 80]}, [1, 2, 10, 80]),
        ({"stepWeights": [1, 2, 10, 200]}, [1, 2, 10, 100]),
        ({"stepWeights": [100]}, [100]),
        ({"stepWeights": [10, 10, 20]}, [10, 20]),
        ({"stepWeights": [10, 50, 20, 80]}, [10, 50, 80]),
        ({"stepWeights": [50, 10]}, [50]),
        ({"stepWeights": [50, 0]}, [50]),
        ({"stepWeights": [10, 60, -5]}, [10, 60]),
        ({"stepWeight": 30, "stepWeights": [0]}, [30]),
        ({"stepWeight": 50, "maxWeight": 150}, [50, 100]),
    ],
)
def test_weights_of_a_release(steps: dict[str, Any], weights: list[int]) -> None:
    scenario = Scenario(canary(analysis=analysis(**steps))).initialized().push("v2").run()
    assert scenario.log == [SCALING, STARTING, *map(weight, weights), COPYING, TO_PRIMARY, DONE]


def test_traffic_returns_in_steps() -> None:
    spec = analysis(stepWeight=50, maxWeight=50, stepWeightPromotion=30)
    scenario = Scenario(canary(analysis=spec)).initialized().push("v2").run()
    assert scenario.log[-4:] == [
        COPYING,
        "Advance podinfo primary weight 80",
        "Advance podinfo primary weight 100",
        DONE,
    ]
    routes = [status.route.canary for status in scenario.statuses if status.run.route]
    assert routes[-7:] == [50, 50, 20, 0, 0, 0, 0]


def test_ab_testing() -> None:
    spec = analysis(iterations=2, match=[{"headers": {"x-beta": {"exact": "1"}}}])
    scenario = Scenario(canary(analysis=spec)).initialized().push("v2").run()
    assert scenario.log == [
        *(SCALING, STARTING, iteration(1, 2), iteration(2, 2)),
        *(COPYING, TO_PRIMARY, DONE),
    ]
    assert {status.canary_weight for status in scenario.statuses} == {0}
    assert 100 in {status.route.canary for status in scenario.statuses}


def test_blue_green_asks_its_gate_once() -> None:
    spec = analysis(iterations=2, webhooks=[hook("confirm-promotion")])
    scenario = Scenario(canary(analysis=spec)).initialized().push("v2").run()
    assert scenario.log == [
        *(SCALING, STARTING, iteration(1, 2), iteration(2, 2)),
        "Confirm-promotion check confirm-promotion passed",
        *("Routing all traffic to canary", COPYING, TO_PRIMARY, DONE),
    ]
    assert scenario.asked == ["confirm-promotion(Progressing)"]


def test_blue_green_with_mirror() -> None:
    spec = analysis(iterations=2, mirror=True)
    scenario = Scenario(canary(analysis=spec)).initialized().push("v2").run()
    assert "Stop traffic mirroring and route all traffic to canary" in scenario.log
    mirrored = [status.route.mirrored for status in scenario.statuses]
    assert mirrored == [False, True, True, *[False] * 7]


def test_weighted_release_with_mirror_does_not_ask_the_gate_after_the_mirror() -> None:
    spec = analysis(
        stepWeight=50, maxWeight=50, mirror=True, webhooks=[hook("confirm-traffic-increase")]
    )
    scenario = Scenario(canary(analysis=spec)).initialized().push("v2").run()
    passed = "Confirm-traffic-increase check confirm-traffic-increase passed"
    assert scenario.log == [
        *(SCALING, STARTING, passed, weight(0), weight(50)),
        *(COPYING, TO_PRIMARY, DONE),
    ]


def test_provider_kubernetes_runs_ten_iterations() -> None:
    spec = analysis(stepWeight=25, match=[{"headers": {"x": {"exact": "1"}}}])
    scenario = Scenario(canary(analysis=spec), provider="kubernetes").initialized().push("v2").run()
    warned = [
        "A/B testing is not supported when using the kubernetes provider",
        "Progressive traffic is not supported when using the kubernetes provider",
        "Setting canaryAnalysis.iterations: 10",
    ]
    assert scenario.log[:6] == [SCALING, STARTING, *warned, iteration(1, 10)]
    assert scenario.log[-5:] == [*warned, COPYING, DONE]
    assert scenario.log.count(warned[0]) == 12


def test_failed_checks_add_up_to_a_rollback() -> None:
    spec = analysis(stepWeight=20, metrics=[{"name": "m", "thresholdRange": {"max": 1}}])
    scenario = Scenario(canary(analysis=spec)).initialized().push("v2")
    for _ in range(2):
        scenario.tick()
    scenario.metrics[0] = Unmeasured("no values")
    assert scenario.tick() == ["no values"]
    assert scenario.status.failed_checks == 1
    assert scenario.tick() == ["no values"]
    assert scenario.tick() == [
        "Rolling back podinfo failed checks threshold reached 2",
        "Canary failed! Scaling down podinfo",
    ]
    assert scenario.status.phase is Phase.FAILED
    assert (scenario.status.failed_checks, scenario.status.canary_weight) == (0, 0)
    assert (scenario.status.last_applied_spec, scenario.status.last_promoted_spec) == ("v2", "v1")
    assert scenario.alerts[-1] == "error Failed checks threshold reached 2"
    assert scenario.pods == 0


def test_pre_rollout_failures_count() -> None:
    spec = analysis(stepWeight=20, webhooks=[hook("pre-rollout"), hook("post-rollout")])
    scenario = Scenario(canary(analysis=spec)).initialized().push("v2")
    scenario.answers["pre-rollout"] = DENIED
    scenario.run()
    failed = "Halt podinfo advancement pre-rollout check pre-rollout failed Forbidden"
    assert scenario.log == [
        *(SCALING, STARTING, failed, STARTING, failed),
        "Rolling back podinfo failed checks threshold reached 2",
        "Canary failed! Scaling down podinfo",
        "Post-rollout check post-rollout passed",
    ]


def test_deadline_rolls_back_and_alerts() -> None:
    scenario = Scenario(canary()).initialized().push("v2")
    scenario.tick()
    scenario.target_health = Health(ready=False, reason="not yet")
    assert scenario.tick() == ["not yet"]
    scenario.target_health = Health(ready=False, retriable=False, reason="dead")
    assert scenario.tick() == [
        "dead",
        "Rolling back podinfo progress deadline exceeded dead",
        "Canary failed! Scaling down podinfo",
    ]
    assert scenario.alerts[-1] == "error Progress deadline exceeded dead"


def test_rollback_hook() -> None:
    spec = analysis(stepWeight=20, webhooks=[hook("rollback"), hook("post-rollout")])
    scenario = Scenario(canary(analysis=spec), answers={"rollback": DENIED})
    scenario.initialized().push("v2").tick()
    scenario.tick()
    scenario.answers["rollback"] = Answer(ok=True)
    assert scenario.tick() == [
        "Rollback check rollback passed",
        "Rolling back podinfo manual webhook invoked",
        "Canary failed! Scaling down podinfo",
        "Post-rollout check post-rollout passed",
    ]
    assert scenario.alerts[-1] == "error Rolling back manual webhook invoked"


def test_closed_gate_before_the_rollout() -> None:
    spec = analysis(stepWeight=50, webhooks=[hook("confirm-rollout", "gate")])
    scenario = Scenario(canary(analysis=spec)).initialized().push("v2")
    scenario.answers["gate"] = DENIED
    assert scenario.tick() == ["Halt podinfo advancement waiting for approval gate"]
    assert scenario.status.phase is Phase.WAITING
    assert scenario.status.last_applied_spec == "v1"
    assert scenario.tick() == []
    assert scenario.alerts == ["warn Canary is waiting for approval."]
    scenario.answers["gate"] = Answer(ok=True)
    assert scenario.tick() == ["Confirm-rollout check gate passed", SCALING]


def test_closed_gate_before_promotion_keeps_the_weight() -> None:
    spec = analysis(stepWeight=50, maxWeight=50, webhooks=[hook("confirm-promotion", "gate")])
    scenario = Scenario(canary(analysis=spec)).initialized().push("v2")
    scenario.answers["gate"] = DENIED
    for _ in range(2):
        scenario.tick()
    assert scenario.tick() == ["Halt podinfo advancement waiting for promotion approval gate"]
    assert (scenario.status.phase, scenario.status.canary_weight) == (Phase.WAITING_PROMOTION, 50)
    assert scenario.status.iterations == 0
    assert scenario.tick() == []
    assert scenario.alerts[-1] == "warn Canary promotion is waiting for approval."
    scenario.answers["gate"] = Answer(ok=True)
    assert scenario.tick() == ["Confirm-promotion check gate passed", COPYING]


def test_closed_traffic_gate_alerts_once_and_does_not_repeat_pre_rollout() -> None:
    hooks = [hook("pre-rollout"), hook("confirm-traffic-increase", "gate")]
    scenario = Scenario(canary(analysis=analysis(stepWeight=50, webhooks=hooks)))
    scenario.initialized().push("v2").tick()
    scenario.answers["gate"] = DENIED
    halt = "Halt podinfo advancement waiting for traffic increase approval gate"
    assert scenario.tick() == [STARTING, "Pre-rollout check pre-rollout passed", halt]
    assert scenario.tick() == [halt]
    assert scenario.tick() == [halt]
    assert scenario.alerts.count("warn Canary traffic increase is waiting for approval.") == 1
    assert scenario.asked.count("pre-rollout(Progressing)") == 1
    scenario.answers["gate"] = Answer(ok=True)
    assert scenario.tick()[-1] == weight(50)


def test_skip_analysis() -> None:
    spec = canary(skipAnalysis=True)
    scenario = Scenario(spec).initialized().push("v2")
    assert scenario.tick() == [SCALING]
    assert scenario.tick() == [
        COPYING,
        "Promotion completed! Canary analysis was skipped for podinfo",
    ]
    phases = [status.phase for status in scenario.statuses]
    assert phases == [
        *(Phase.PROGRESSING, Phase.PROGRESSING, Phase.SUCCEEDED, Phase.SUCCEEDED),
    ]
    assert scenario.on_primary == "v2"
    assert scenario.pods == 0


def test_new_revision_restarts_the_analysis() -> None:
    scenario = Scenario(canary()).initialized().push("v2")
    for _ in range(2):
        scenario.tick()
    assert scenario.push("v3").tick(due=False) == [
        "New revision detected! Restarting analysis for podinfo"
    ]
    assert scenario.status.canary_weight == scenario.status.route.canary == 0
    assert scenario.status.last_applied_spec == "v3"
    assert scenario.tick() == [STARTING, weight(20)]


def test_suspended_says_so_once_and_resumes_where_it_was() -> None:
    scenario = Scenario(canary()).initialized().push("v2")
    for _ in range(2):
        scenario.tick()
    spec = scenario.canary.spec
    suspended = spec.model_copy(update={"suspend": True})
    scenario.canary = scenario.canary.model_copy(update={"spec": suspended})
    assert scenario.tick() == ["skipping canary run as object is suspended"]
    assert scenario.tick() == []
    scenario.canary = scenario.canary.model_copy(update={"spec": spec})
    assert scenario.tick() == [weight(40)]
