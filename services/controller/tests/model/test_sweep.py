"""Every write of a release fails in every way, and the release ends as if nothing had happened.

After Sieve (OSDI'22): a clean run of a scenario is recorded as its ordered writes; then for each
write one run in which the process is killed before it, killed after it, gets no reply, a conflict,
or an error. End state and invariants must be those of the clean run (architecture section 5).
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from flagger_controller.api.status import Phase
from flagger_controller.cluster.client import ApiConflict, ApiUnavailable
from flagger_controller.cluster.fake import Killed, Write
from flagger_controller.rollout.evidence import Unmeasured

from .invariants import check_all
from .rig import PRIMARY, TARGET, Rig, canary, deployment

pytestmark = pytest.mark.looptime

DONE = (Phase.SUCCEEDED, Phase.FAILED)
Scenario = Callable[[Rig], Awaitable[None]]


async def bootstrap(rig: Rig, **spec: Any) -> None:
    rig.api.put(TARGET, deployment())
    rig.api.put(*_canary(**spec))
    await rig.until(Phase.INITIALIZED)


async def release(rig: Rig, tag: str = "2", **spec: Any) -> None:
    await bootstrap(rig, **spec)
    rig.push(tag)
    await rig.until(*DONE)


def _canary(**spec: Any) -> Any:
    from .rig import CANARY

    return CANARY, canary(**spec)


async def promoted(rig: Rig) -> None:
    await release(rig)


async def promoted_in_steps(rig: Rig) -> None:
    steps = {"interval": "10s", "stepWeights": [10, 50], "stepWeightPromotion": 50}
    await release(rig, analysis=steps)


async def metric_rollback(rig: Rig) -> None:
    metrics = [{"name": "errors", "query": "q", "thresholdRange": {"max": 1}}]
    rig.judge.values[0] = Unmeasured("no values")
    steps = {"interval": "10s", "threshold": 2, "stepWeight": 25, "metrics": metrics}
    await release(rig, analysis=steps)


async def deadline_rollback(rig: Rig) -> None:
    await release(rig, "broken")


async def blue_green(rig: Rig) -> None:
    await release(rig, analysis={"interval": "10s", "threshold": 2, "iterations": 2})


async def kubernetes(rig: Rig) -> None:
    analysis = {"interval": "10s", "threshold": 2, "iterations": 2}
    await release(rig, analysis=analysis, provider="kubernetes")


async def skip_analysis(rig: Rig) -> None:
    await release(rig, skipAnalysis=True)


async def failed_promotion(rig: Rig) -> None:
    rig.broken.add("primary-2")
    await release(rig)


async def new_revision_midway(rig: Rig) -> None:
    await bootstrap(rig)
    rig.push("2")
    await rig.until(Phase.PROGRESSING)
    await rig.pass_interval()
    rig.push("3")
    await rig.until(*DONE)


SCENARIOS: tuple[Scenario, ...] = (
    promoted,
    promoted_in_steps,
    metric_rollback,
    deadline_rollback,
    blue_green,
    kubernetes,
    skip_analysis,
    failed_promotion,
    new_revision_midway,
)


def _fail(kind: str) -> None:
    match kind:
        case "conflict":
            raise ApiConflict(409, "Conflict", "injected conflict")
        case "unavailable" | "reply lost":
            raise ApiUnavailable(503, "Unavailable", "injected failure")
        case _:
            raise Killed


VARIANTS = {
    "killed before": "before",
    "killed after": "after",
    "reply lost": "after",
    "conflict": "before",
    "unavailable": "before",
}


def inject(rig: Rig, index: int, variant: str) -> list[int]:
    """Let one write fail; the returned list tells whether it happened."""
    hit: list[int] = []

    def hook(write: Write) -> None:
        if write.index == index and not hit:
            hit.append(index)
            _fail(variant)

    if VARIANTS[variant] == "before":
        rig.api.before_write(hook)
    else:
        rig.api.after_write(hook)
    return hit


def end_state(rig: Rig) -> dict[str, Any]:
    status = rig.status
    return {
        "phase": status.phase,
        "weight": status.canary_weight,
        "route": status.run.route,
        "failedChecks": status.failed_checks,
        "applied": status.last_applied_spec,
        "promoted": status.last_promoted_spec,
        "primary": rig.tag(PRIMARY),
        "target replicas": rig.replicas(TARGET),
        "weights": rig.weights,
        "outcomes": {outcome.succeeded for outcome in rig.log.outcomes},
    }


async def run(scenario: Scenario, index: int = -1, variant: str = "conflict") -> tuple[Rig, bool]:
    rig = Rig()
    hit = inject(rig, index, variant)
    try:
        await scenario(rig)
        await rig.pass_interval()
        check_all(rig)
    finally:
        await rig.stop()
    return rig, bool(hit)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_every_write_may_fail(scenario: Scenario, variant: str) -> None:
    clean, _ = await run(scenario)
    expected = end_state(clean)
    for index in range(len(clean.api.writes)):
        write = clean.api.writes[index]
        try:
            rig, hit = await run(scenario, index, variant)
        except AssertionError as error:
            raise AssertionError(f"write {index} ({write.verb} {write.ref}): {error}") from error
        assert hit, f"write {index} did not happen"
        assert end_state(rig) == expected, f"write {index} ({write.verb} {write.ref})"
