"""Plays a soak: a fleet comes, lives and goes, and somebody counts."""

import asyncio
import dataclasses
import gc
import os
import pathlib
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from bench import usage
from bench.soak import inventory, verdict
from bench.soak.fleet import Life
from bench.soak.tracebacks import Tracebacks
from bench.soak.verdict import SAMPLES, Sample
from bench.soak.virtual import VirtualLoop
from bench.soak.world import World, end

from flagger_controller.cluster.events import EventSettings
from flagger_controller.metrics.recorder import EMPTIED

SETTLING: Final = 600.0
"""Virtual seconds after the last arrival until all have got and released their first revision."""
LEAVING: Final = 1_800.0
"""Virtual seconds in which everything is deleted, and forgotten."""
MOST_BEFORE: Final = 0.5
"""Share of the ticks that may be over when the first sample is taken."""
FILES: Final = pathlib.Path("/proc/self/fd")
TASKS: Final = "the event loop"
BOUNDS: Final[Mapping[str, int]] = {
    "Cache._kinds": 20,
    "EventRecorder._written": EventSettings().remembered,
    "ProcessSeries._checks": 20,
    "ProcessSeries._errors": 20,
    "Recorder._alerts": 20,
    "Recorder._hooks": 20,
    "Recorder._emptied": EMPTIED,
    "Recorder._total": EMPTIED,
    "Recorder._totals": EMPTIED,
    "Turns._lines": 1,
}
"""Entries that containers keep on purpose when everything is deleted: those of kinds and words, of
which there are few, and the latest of some. Those of all others must go."""


class Unfinished(Exception):
    """The soak was too short to say anything."""


@dataclasses.dataclass(frozen=True)
class Findings:
    """What a soak showed."""

    samples: list[Sample]
    troubles: list[str]
    """What was left when everything was deleted, and errors that nobody expected."""


def run(size: int, ticks: int, life: Life, told: Callable[[str], None]) -> Findings:
    """Play a fleet's life in virtual time.

    Args:
        size: of the fleet.
        ticks: in all, those before the first sample included.
        life: how much happens.
        told: of how far it is.

    Raises:
        Unfinished: the fleet needs more ticks than that until all is at rest.
    """
    before = _files()
    with Tracebacks.noted() as noted, asyncio.Runner(loop_factory=VirtualLoop) as runner:
        found = runner.run(_play(size, ticks, life, told))
    if noted.texts:
        found.troubles.append(f"{len(noted.texts)} unexpected errors, the first: {noted.texts[0]}")
    if (more := _files() - before) > 0:
        found.troubles.append(f"{more} files are open at the end that were not at first")
    return found


async def _play(size: int, ticks: int, life: Life, told: Callable[[str], None]) -> Findings:
    async with World.opened(size, life) as world:
        before, tasks = inventory.entries(world.engine), len(asyncio.all_tasks())
        await _begin(world, told)
        living = asyncio.create_task(world.fleet.live())
        samples = await _samples(world, ticks, told)
        await end([living])
        world.fleet.leave()
        await asyncio.sleep(LEAVING)
        after = Counter(inventory.entries(world.engine))
        after.subtract(BOUNDS)
        troubles = verdict.left(
            {**before, TASKS: tasks}, {**after, TASKS: len(asyncio.all_tasks())}
        )
        troubles += [
            f"{ref} is still there when everything is deleted"
            for ref in world.cluster.api.memory.objects
        ]
    if (more := len(asyncio.all_tasks()) - 1) > 0:
        troubles.append(f"{more} tasks run when the engine is closed")
    return Findings(samples, troubles)


async def _begin(world: World, told: Callable[[str], None]) -> None:
    """Wait until every member had its first release, and what is bounded is full."""
    told("the fleet arrives")
    await world.fill()
    await world.fleet.arrive()
    await asyncio.sleep(SETTLING)


async def _samples(world: World, ticks: int, told: Callable[[str], None]) -> list[Sample]:
    """Measure at equal distances, up to the last tick."""
    first = world.ticks.count
    if first > ticks * MOST_BEFORE:
        text = f"{first} of {ticks} ticks were needed until the fleet was at rest"
        raise Unfinished(f"{text}: ask for more --ticks, or fewer --canaries")
    found = []
    for number in range(1, SAMPLES + 1):
        await world.ticks.reach(first + (ticks - first) * number // SAMPLES)
        found.append(_sample(world))
        told(f"{found[-1].ticks} of {ticks} ticks")
    return found


def _sample(world: World) -> Sample:
    counted = inventory.entries(world.engine)
    gc.collect()
    return Sample(
        ticks=world.ticks.count,
        hours=asyncio.get_running_loop().time() / 3600,
        revisions=world.fleet.pushed,
        deleted=world.fleet.deleted,
        blocks=sys.getallocatedblocks(),
        memory=usage.resident(os.getpid()),
        tasks=len(asyncio.all_tasks()),
        files=_files(),
        entries=counted.total(),
    )


def _files() -> int:
    return sum(1 for _ in FILES.iterdir())
