"""Every write of a route fails in every way: all providers, with everything that they can do.

What is the same for all of them, that is the writes of workloads and of the status, fails in
`test_sweep.py`. With `HYPOTHESIS_PROFILE=nightly` all writes fail here as well, in all strategies
with all endings.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus
from flagger_controller.cluster import resources
from flagger_controller.cluster.fake import Write
from flagger_controller.routing import ROUTERS, router_for
from flagger_controller.routing.base import Capabilities, RouterSettings

from . import kubelet
from .dataplanes import DATA_PLANES, Sight
from .machine import PROFILE
from .monitor import mark
from .rig import CANARY, Rig
from .sweep import METRICS, Act, Clean, Scenario, check_each, initialized, played, push, succeeded
from .worlds import WORLDS, World

pytestmark = pytest.mark.looptime

THOROUGH = not PROFILE.derandomize
SERVICE = {
    "port": 80,
    "targetPort": 9898,
    "appProtocol": "http",
    "meshName": "prod",
    "gatewayRefs": [{"name": "edge"}],
}
MATCH = [{"headers": {"x-beta": {"exact": "1"}}}]
STEPS = {"stepWeight": 25, "maxWeight": 50}
ITERATIONS = {"iterations": 2}
COOKIES = "sessionAffinity"


def has_traffic(status: CanaryStatus) -> bool:
    """Revision 2 has its first traffic."""
    return status.canary_weight > 0 or status.iterations > 0


def delete(rig: Rig) -> None:
    rig.api.remove(CANARY)


def mark_all(rig: Rig) -> None:
    """Somebody puts something on everything, into the specs of generated objects as well (I9)."""
    found = rig.api.memory.objects.items()
    mark(rig, [ref for ref, body in found if not body["metadata"].get("ownerReferences")])


START = (Act(initialized, mark_all), Act(initialized, push("2")))
ENDINGS: Mapping[str, Scenario] = {
    "promoted": Scenario(acts=START, first=True),
    "rolled back": Scenario({"metrics": METRICS}, START, bad=True),
    "not promoted": Scenario(acts=START, broken="primary-2"),
    "deleted": Scenario(acts=(*START, Act(succeeded, delete))),
    "reverted": Scenario({"revertOnDeletion": True}, (*START, Act(has_traffic, delete))),
}
EVERY = tuple(ENDINGS)
NIGHTLY = ()
SAMPLE = ("killed before", "killed after", "conflict", "error")
"""A lost reply leaves the same objects as a process that was killed after its write."""


@dataclass(frozen=True)
class Strategy:
    """How traffic moves, for providers that can do it so."""

    analysis: Mapping[str, Any]
    can: Callable[[Capabilities], bool]
    endings: tuple[str, ...] = ("promoted",)
    """How its releases end here, if it is not to be all."""


STRATEGIES: Mapping[str, Strategy] = {
    "weighted": Strategy(STEPS, lambda can: can.weights, EVERY),
    "blue/green": Strategy(ITERATIONS, lambda can: not can.weights, EVERY),
    "a/b": Strategy(
        {**ITERATIONS, "match": MATCH},
        lambda can: can.match,
        ("promoted", "rolled back", "not promoted", "reverted"),
    ),
    "mirror": Strategy({**STEPS, "mirror": True}, lambda can: can.mirror),
    "affinity": Strategy({**STEPS, COOKIES: True}, lambda can: can.session_affinity),
    "back in steps": Strategy(
        {**STEPS, "stepWeightPromotion": 50}, lambda can: can.weights, NIGHTLY
    ),
    "matched steps": Strategy(
        {**STEPS, "match": MATCH}, lambda can: can.match and can.match_weights, NIGHTLY
    ),
    "mirrored iterations": Strategy(
        {**ITERATIONS, "mirror": True}, lambda can: can.mirror, NIGHTLY
    ),
}


def scenario(world: World, strategy: Strategy, ending: Scenario) -> Scenario:
    """A release with a provider."""
    analysis = {"interval": "10s", "threshold": 2, **strategy.analysis}
    if COOKIES in analysis:
        analysis[COOKIES] = world.cookies
    said = dict(ending.spec)
    if "metrics" in said:
        analysis["metrics"] = said.pop("metrics")
    provider = {"provider": world.provider, "service": SERVICE, "analysis": analysis}
    spec = {**world.spec, **provider, **said}
    return replace(ending, spec=spec, kind=world.kind, own=world.own, annotations=world.annotations)


def cases() -> Iterator[Any]:
    """All that the providers can do."""
    for name, world in WORLDS.items():
        can = router_for(world.provider, RouterSettings()).capabilities.of(world.annotations)
        for key, strategy in STRATEGIES.items():
            if strategy.can(can) and key not in world.without:
                for ending in EVERY if THOROUGH else strategy.endings:
                    case = scenario(world, strategy, ENDINGS[ending])
                    yield pytest.param(case, id=f"{name}: {key}, {ending}")


def routes(clean: Clean) -> list[Write]:
    """The writes that are the provider's, and all of those after a deletion."""
    canary = Canary.from_api(clean.points[0].rig.objects[CANARY])
    router = router_for(canary.spec.provider, RouterSettings())
    refs = {*router.refs(canary)}
    deleted = [point.writes for point in clean.points if point.act > len(START)]
    return [
        write
        for write in clean.swept
        if write.ref in refs
        or write.ref.resource == resources.SERVICES
        or (deleted and write.index >= deleted[0])
    ]


def check_shown(clean: Clean) -> None:
    """Between ticks clients get to the canary as often as the status says."""
    seen: set[int] = set()
    for point in clean.points:
        body = point.rig.objects[CANARY]
        canary = Canary.from_api(body)
        route = canary.status.run.route
        if route is None or canary.metadata.deletion_timestamp:
            continue
        rules = DATA_PLANES[canary.spec.provider](Sight(point.rig.objects, canary))
        shares = [rule.get(canary.canary_service, 0) for rule in rules]
        share = max(shares) if canary.analysis.match else shares[-1]
        assert share == route.canary, f"{rules} for {route}"
        seen.add(share)
    cut_short = clean.scenario.bad or clean.scenario.spec.get("revertOnDeletion")
    assert cut_short or len(seen) > 1, "nothing has moved"


def check_reverted(clean: Clean) -> None:
    """Everything is as it was before there was a Canary."""
    rig, own = clean.rig, clean.scenario.own
    left = {ref for ref in rig.api.memory.objects if ref.resource != resources.KNATIVE_REVISIONS}
    assert left == {rig.target, *own}
    for ref, body in own.items():
        assert rig.found(ref)["spec"] == body["spec"], str(ref)
    target = rig.found(rig.target)
    if rig.target.resource in kubelet.WORKLOADS:
        assert kubelet.wanted(target) == 1
    else:
        assert target["spec"]["traffic"] == [{"latestRevision": True, "percent": 100}]


def test_every_router_is_there() -> None:
    assert {ROUTERS[world.provider] for world in WORLDS.values()} == {*ROUTERS.values()}


@pytest.mark.parametrize("case", tuple(cases()))
async def test_every_write_of_a_route_may_fail(case: Scenario) -> None:
    clean = await played(case)
    if case.spec["provider"] != "kubernetes":  # clients are all on the primary while it is tested
        check_shown(clean)
    if case.spec.get("revertOnDeletion"):
        check_reverted(clean)
    if THOROUGH:
        await check_each(clean, clean.swept)
    else:
        await check_each(clean, routes(clean), SAMPLE)
