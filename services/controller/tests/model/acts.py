"""What users do to a rig and what goes wrong, in the words of the tests."""

from typing import Any

from flagger_controller.api.status import Phase, Route
from flagger_controller.cluster.client import ApiConflict, ApiError, ApiUnavailable
from flagger_controller.cluster.fake import Write
from flagger_controller.rollout.evidence import Answer, Measured, Unmeasured
from flagger_controller.routing import router_for
from flagger_controller.routing.base import RouterSettings

from .invariants import check_all, check_now
from .rig import CANARY, TARGET, Rig

CONFLICT = ApiConflict(409, "Conflict", "injected")
OUTAGE = ApiUnavailable(503, "Unavailable", "injected")
DENIED = Answer(ok=False, error="Forbidden")
METRICS = [{"name": "errors", "query": "q", "thresholdRange": {"max": 200}}]
ON_PRIMARY = {"podinfo-primary": 100}
ON_TARGET = {"podinfo-canary": 100}


def analysis(**changes: Any) -> dict[str, Any]:
    return {"interval": "10s", "threshold": 2, "stepWeight": 25, "maxWeight": 50, **changes}


def hook(kind: str, name: str = "gate") -> dict[str, Any]:
    return {"name": name, "type": kind, "url": "http://hooks/"}


def respec(rig: Rig, **spec: Any) -> None:
    body = rig.found(CANARY)
    body["spec"] |= spec
    rig.api.put(CANARY, body)


def scale(rig: Rig, replicas: int) -> None:
    body = rig.found(TARGET)
    body["spec"]["replicas"] = replicas
    rig.api.put(TARGET, body)


def shown(rig: Rig, provider: str) -> Route | None:
    """The split in the cluster."""
    router = router_for(provider, RouterSettings())
    found = {ref: rig.api.object(ref) for ref in router.refs(rig.canary)}
    return router.read(rig.canary, {ref: body for ref, body in found.items() if body is not None})


async def ticks(rig: Rig, count: int) -> None:
    for _ in range(count):
        await rig.pass_interval()
        check_now(rig)


async def reach(rig: Rig, *, weight: int) -> None:
    for _ in range(20):
        if rig.status.canary_weight == weight:
            return
        await rig.pass_interval()
    raise AssertionError(f"weight {weight} was not reached: {rig.log.events}")


async def failed(rig: Rig) -> None:
    """Release 2 fails its analysis."""
    rig.judge.values[0] = Unmeasured("no values")
    rig.push("2")
    await rig.until(Phase.FAILED)
    rig.judge.values[0] = Measured(100.0)


async def stopped(rig: Rig) -> None:
    check_all(rig)
    await rig.stop()


def fail_next(rig: Rig, error: ApiError, *, times: int = 1, kind: str = "") -> list[ApiError]:
    """Let the next writes fail.

    Returns:
        The failures still to come: a test whose failures never came has proved nothing.
    """
    left = [error] * times

    def fail(write: Write) -> None:
        if left and kind in ("", write.ref.resource.kind):
            raise left.pop()

    rig.api.before_write(fail)
    return left
