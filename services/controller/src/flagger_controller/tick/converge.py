"""Converge: make the cluster match spec and status.

Plans, writes, takes what the API server answered into the world, and plans again until nothing is
left or something has to happen first. Idempotent: killed anywhere, the next converge finishes.
"""

import contextlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.clock import Clock
from flagger_controller.cluster import diff
from flagger_controller.cluster.client import ApiNotFound, Ref
from flagger_controller.cluster.writer import Writer
from flagger_controller.errors import ConfigError, Retriable
from flagger_controller.tick.observe import judged
from flagger_controller.tick.plan import Delete, Patch, Plan, Put, Write, plan
from flagger_controller.tick.world import World

logger = logging.getLogger(__name__)

ROUNDS: Final = 8
"""Plans in one converge; more means that two of our own wishes contradict each other."""


class Converger:
    """Writes what differs."""

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    async def converge(self, world: World) -> tuple[World, Plan]:
        """The world after all writes that are possible now, and what is left.

        Raises:
            ApiError: a write failed; everything before it stays, the next converge goes on.
            ConfigError: the Canary asks for what its provider cannot do.
        """
        before: Mapping[Ref, Write] = {}
        for _ in range(ROUNDS):
            planned = plan(world)
            if not planned.writes:
                return world, planned
            _check_kept(world, planned.writes, before)
            routes = world.parts.router.refs(world.canary)
            written = await self.write(world.canary, planned.writes)
            live = {
                ref: body for ref, body in {**world.live, **written}.items() if body is not None
            }
            rerouted = world.rerouted or any(write.ref in routes for write in planned.writes)
            world = judged(replace(world, live=live, rerouted=rerouted), self._clock)
            before = {write.ref: write for write in planned.writes}
        raise Retriable(
            f"{world.canary.key}: the cluster does not keep what is written: "
            + ", ".join(str(write.ref) for write in planned.writes)
        )

    async def write(self, canary: Canary, writes: Iterable[Write]) -> dict[Ref, Object | None]:
        """Carry writes out, one after the other; what the API server made of them.

        None stands for what is gone.
        """
        return {write.ref: await self._write(canary, write) for write in writes}

    async def _write(self, canary: Canary, write: Write) -> Object | None:
        result: Object | None = None
        match write:
            case Patch(ref, patch):
                result = await self._writer.patch(ref, patch)
                verb = "updated"
            case Put(ref, body) if "resourceVersion" in body.get("metadata", {}):
                result = await self._writer.update(ref, body)
                verb = "updated"
            case Put(ref, body):
                result = await self._writer.create(ref, body)
                verb = "created"
            case Delete(ref, uid):
                with contextlib.suppress(ApiNotFound):  # somebody was faster
                    await self._writer.delete(ref, uid=uid)
                verb = "deleted"
        logger.info(_line(write.ref, verb), extra={"canary": canary.key})
        return result


def _check_kept(world: World, writes: Iterable[Write], before: Mapping[Ref, Write]) -> None:
    """Stop when the API server has just dropped what is to be written again.

    Raises:
        ConfigError: the kind's definition lacks a field, or a webhook changes it.
    """
    for write in writes:
        match write, before.get(write.ref):
            case Put(ref, body), Put(_, old) if old.get("spec") == body.get("spec"):
                if path := diff.lost(body.get("spec"), world.live[ref].get("spec"), "spec"):
                    raise ConfigError(
                        f"{ref}: the API server does not keep {path}: install a newer definition "
                        "of this kind, or do not ask for this field"
                    )


def _line(ref: Ref, verb: str) -> str:
    return f"{ref} {verb}"
