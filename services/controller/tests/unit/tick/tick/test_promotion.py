"""What is promoted is what its owner wants now, also when the watch is late."""

import asyncio
from collections.abc import Callable

import pytest

from flagger_controller.api.status import Phase
from flagger_controller.cluster.expectations import CacheStale

from ....model.process import INTERVAL
from ....model.rig import PRIMARY, TARGET, Rig
from .bench import Bench, Controller

pytestmark = pytest.mark.looptime


async def analysed(bench: Bench, **spec: object) -> Controller:
    """A run whose next due tick promotes."""
    process = await bench.progressing(**spec)
    await asyncio.sleep(INTERVAL)
    await bench.tick(process)
    assert (bench.rig.status.phase, bench.rig.status.canary_weight) == (Phase.PROGRESSING, 50)
    await asyncio.sleep(INTERVAL)
    return process


async def finish(bench: Bench, process: Controller) -> None:
    while bench.rig.status.phase is not Phase.SUCCEEDED:
        await asyncio.sleep(INTERVAL)
        await bench.tick(process)


def template(rig: Rig) -> object:
    return rig.found(PRIMARY)["spec"]["template"]["spec"]


async def test_a_revision_that_no_watch_has_shown_is_not_passed_over(bench: Bench) -> None:
    process = await analysed(bench)
    before = template(bench.rig)
    bench.rig.api.pause_watches()
    bench.rig.push("3")
    with pytest.raises(CacheStale):
        await process.tick.run()
    assert template(bench.rig) == before
    bench.rig.api.resume_watches()
    await bench.tick(process)
    assert bench.rig.log.events[-1] == "New revision detected! Restarting analysis for podinfo"
    await finish(bench, process)
    assert sum("Copying" in text for text in bench.rig.log.events) == 1
    assert template(bench.rig) == bench.rig.found(TARGET)["spec"]["template"]["spec"]


async def test_a_watch_that_is_late_is_waited_for(bench: Bench) -> None:
    process = await analysed(bench)
    before = template(bench.rig)
    bench.rig.api.pause_watches()
    bench.rig.push("3")
    asyncio.get_running_loop().call_later(3, bench.rig.api.resume_watches)
    await process.tick.run()
    assert template(bench.rig) == before
    assert bench.rig.log.events[-1] == "New revision detected! Restarting analysis for podinfo"


@pytest.mark.parametrize("change", [lambda rig: None, lambda rig: rig.pods()])
async def test_a_target_of_the_same_revision_is_promoted_in_this_tick(
    bench: Bench, change: Callable[[Rig], None]
) -> None:
    process = await analysed(bench)
    change(bench.rig)
    await bench.tick(process)
    assert template(bench.rig) == bench.rig.found(TARGET)["spec"]["template"]["spec"]


async def test_without_analysis_the_revision_is_looked_at_as_well(bench: Bench) -> None:
    rig = await bench.rig.initialized(skipAnalysis=True)
    before = template(rig)
    rig.push("2")
    process = await bench.start()
    await asyncio.sleep(INTERVAL)
    await bench.tick(process)
    rig.pods()
    await asyncio.sleep(INTERVAL)
    rig.api.pause_watches()
    rig.push("3")
    with pytest.raises(CacheStale):
        await process.tick.run()
    assert template(rig) == before


async def test_a_target_that_is_gone_is_not_promoted(bench: Bench) -> None:
    process = await analysed(bench)
    before = template(bench.rig)
    bench.rig.api.pause_watches()
    bench.rig.api.remove(TARGET)
    with pytest.raises(CacheStale):
        await process.tick.run()
    bench.rig.api.resume_watches()
    await asyncio.sleep(0.1)
    await process.tick.run()
    assert template(bench.rig) == before
