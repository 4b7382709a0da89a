"""Every write of a release fails in every way: all strategies and kinds of targets."""

from collections.abc import Mapping

import pytest

from .sweep import (
    METRICS,
    RELEASE,
    Act,
    Scenario,
    check_each,
    first_step,
    initialized,
    played,
    push,
)

pytestmark = pytest.mark.looptime

KNATIVE = "Knative Service"
ITERATIONS = {"interval": "10s", "threshold": 2, "iterations": 2}
SCENARIOS: Mapping[str, Scenario] = {
    "promoted": Scenario(first=True),
    "promoted in steps": Scenario(
        {"analysis": {"interval": "10s", "stepWeights": [10, 50], "stepWeightPromotion": 50}}
    ),
    "metric rollback": Scenario(
        {"analysis": {"interval": "10s", "threshold": 2, "stepWeight": 25, "metrics": METRICS}},
        bad=True,
    ),
    "deadline rollback": Scenario(acts=(Act(initialized, push("broken")),)),
    "blue/green": Scenario({"analysis": ITERATIONS}),
    "kubernetes": Scenario({"analysis": ITERATIONS, "provider": "kubernetes"}, first=True),
    "skip analysis": Scenario({"skipAnalysis": True}, first=True),
    "failed promotion": Scenario(broken="primary-2"),
    "new revision midway": Scenario(acts=(*RELEASE, Act(first_step, push("3")))),
    "knative": Scenario(kind=KNATIVE, first=True),
    "knative blue/green": Scenario({"analysis": ITERATIONS}, kind=KNATIVE),
    "knative deadline rollback": Scenario(acts=(Act(initialized, push("broken")),), kind=KNATIVE),
    "knative skip analysis": Scenario({"skipAnalysis": True}, kind=KNATIVE, first=True),
    "knative new revision midway": Scenario(
        acts=(*RELEASE, Act(first_step, push("3"))), kind=KNATIVE
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
async def test_every_write_may_fail(name: str) -> None:
    clean = await played(SCENARIOS[name])
    await check_each(clean, clean.swept)
