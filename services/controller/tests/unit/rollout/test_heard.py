"""What event hooks hear of whole releases, with the phases (alerting.md section 10.4)."""

from flagger_controller.rollout.evidence import Answer

from .scenario import Scenario, canary, hook

KINDS = (
    "confirm-rollout",
    "pre-rollout",
    "rollout",
    "confirm-traffic-increase",
    "confirm-promotion",
    "post-rollout",
)
COPYING = "Copying podinfo template spec to podinfo-primary"
BEGINNING = [
    "Initializing all the metrics providers are available!",
    "Initialized Initialization done! podinfo",
    "Initialized Confirm-rollout check confirm-rollout passed",
    "Progressing New revision detected! Scaling up podinfo",
]


def played(**later: object) -> list[str]:
    """A first release, then another one; `later` changes the spec in between."""
    analysis = {
        "interval": "10s",
        "threshold": 2,
        "stepWeight": 100,
        "stepWeightPromotion": 50,
        "webhooks": [hook(kind) for kind in KINDS],
    }
    scenario = Scenario(canary(analysis=analysis))
    scenario.tick()
    changed = canary(analysis=analysis, **later)
    scenario.canary = changed.model_copy(update={"status": scenario.status})
    return scenario.push("v2").run().heard


def test_a_weighted_release() -> None:
    """Upstream asks the traffic gate once more, at full weight (S17)."""
    assert played() == [
        *BEGINNING,
        "Progressing Starting canary analysis for podinfo",
        "Progressing Pre-rollout check pre-rollout passed",
        "Progressing Confirm-traffic-increase check confirm-traffic-increase passed",
        "Progressing Advance podinfo canary weight 100",
        "Progressing Confirm-promotion check confirm-promotion passed",
        f"Progressing {COPYING}",
        "Promoting Advance podinfo primary weight 50",
        "Promoting Advance podinfo primary weight 100",
        "Succeeded Post-rollout check post-rollout passed",
        "Succeeded Promotion completed! Scaling down podinfo",
    ]


def test_a_release_without_analysis() -> None:
    assert played(skipAnalysis=True) == [
        *BEGINNING,
        f"Progressing {COPYING}",
        "Succeeded Post-rollout check post-rollout passed",
        "Succeeded Promotion completed! Canary analysis was skipped for podinfo",
    ]


def test_a_gate_that_closes_is_told_in_the_phase_that_is_entered() -> None:
    gate = hook("confirm-rollout", "gate")
    spec = {"interval": "10s", "threshold": 2, "stepWeight": 100, "webhooks": [gate]}
    scenario = Scenario(canary(analysis=spec))
    scenario.tick()
    scenario.answers["gate"] = Answer(ok=False)
    scenario.push("v2").tick()
    halt = "Halt podinfo advancement waiting for approval gate"
    assert scenario.heard[-1] == f"Waiting {halt}"
