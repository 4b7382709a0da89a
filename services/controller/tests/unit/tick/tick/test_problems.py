"""Canaries that cannot be served."""

import asyncio

import pytest

from ....model.acts import analysis
from ....model.process import INTERVAL
from ....model.rig import CANARY, TARGET, canary
from ....model.targets import deployment
from .bench import Bench

pytestmark = pytest.mark.looptime


async def test_a_canary_that_cannot_be_served_is_tried_every_interval(bench: Bench) -> None:
    await bench.rig.initialized()
    bench.rig.api.remove(TARGET)
    process = await bench.start()
    for _ in range(3):
        await asyncio.sleep(INTERVAL)
        assert await bench.tick(process) == pytest.approx(INTERVAL, abs=0.01)
    (text,) = bench.rig.log.events
    assert text.startswith('deployment podinfo get query error: deployments.apps "podinfo" not')


async def test_the_younger_of_two_canaries_with_one_target_is_not_served(bench: Bench) -> None:
    await bench.rig.initialized()
    process = await bench.start()
    older = bench.rig.api.object(CANARY)
    assert older is not None
    meta = {**older["metadata"], "name": "older", "creationTimestamp": "2020-01-01T00:00:00Z"}
    process.store.put({**older, "metadata": meta})
    await asyncio.sleep(INTERVAL)
    writes = len(bench.rig.api.writes)
    await bench.tick(process)
    assert bench.rig.log.events == [
        "spec.targetRef: Deployment podinfo is already under the Canary older; "
        "delete one of the two or give it another target"
    ]
    changed = [write.ref for write in bench.rig.api.writes[writes:]]
    assert changed == [CANARY], "its condition, and nothing in the cluster"


async def test_what_a_provider_cannot_do_is_a_problem_of_the_canary(bench: Bench) -> None:
    rig = bench.rig
    rig.api.put(TARGET, deployment())
    rig.api.put(CANARY, canary(analysis=analysis(iterations=2, match=[{"headers": {}}])))
    process = await bench.start()
    for _ in range(3):
        await bench.tick(process)
        await asyncio.sleep(INTERVAL)
    (condition,) = [c for c in rig.status.conditions if c.type == "Ready"]
    assert condition.status == "False"
    assert condition.message.startswith("spec.analysis.match needs the IngressRoute whose rules")
    assert rig.log.events.count(condition.message) == 1
