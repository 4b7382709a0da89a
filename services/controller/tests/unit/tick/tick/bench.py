"""A rig with its processes in hand, for the tests of single ticks."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from flagger_controller.api.status import Phase
from flagger_controller.cluster.client import Ref
from flagger_controller.cluster.fake import Write
from flagger_controller.tick.shell import Memory
from flagger_controller.tick.tick import Tick

from ....model.process import INTERVAL, Process
from ....model.rig import CANARY, KEY, Rig


class Controller:
    """A process with one canary's ticks in hand."""

    def __init__(self, process: Process) -> None:
        self.store = process.store
        self.cache = process.cache
        self.tick = Tick(KEY, process.shell, Memory())


@dataclass
class Bench:
    """A rig with its processes in hand."""

    rig: Rig = field(default_factory=Rig)
    processes: list[Controller] = field(default_factory=list)

    async def start(self) -> Controller:
        """A process that knows the canary as it is now."""
        process = Controller(await self.rig.start())
        self.processes.append(process)
        return process

    async def tick(self, process: Controller) -> float | None:
        """One tick of a process that has seen everything."""
        self.rig.pods()
        await asyncio.sleep(0.05)
        body = self.rig.api.object(CANARY)
        if body is not None:
            process.store.put(body)
        return await process.tick.run()

    async def progressing(self, **spec: Any) -> Controller:
        """A run with a quarter of the traffic on the target, just after a tick."""
        await self.rig.initialized(**spec)
        self.rig.push("2")
        process = await self.start()
        for _ in range(2):
            await asyncio.sleep(INTERVAL)
            await self.tick(process)
        self.rig.pods()
        assert self.rig.status.canary_weight == 25
        self.rig.log.events.clear()
        return process


def refuse(rig: Rig, error: Exception, ref: Ref | None = None, subresource: str = "") -> Any:
    """Let writes fail; the result ends that."""

    def hook(write: Write) -> None:
        if ref in (None, write.ref) and write.subresource == subresource:
            raise error

    return rig.api.before_write(hook)


def put_status(rig: Rig, phase: Phase | None = None, **run: Any) -> None:
    """Another process has written the status: parts of its run record."""
    body, status = rig.found(CANARY), rig.status
    changes = {"phase": phase or status.phase, "run": status.run.model_copy(update=run)}
    rig.api.put(CANARY, {**body, "status": status.model_copy(update=changes).to_api()})
