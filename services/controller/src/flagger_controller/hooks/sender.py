"""Sends events to event hooks, off the tick's path and in order for each canary.

A slow receiver delays its own canary's events only, and no tick (webhooks.md 12.14). Bounded: a
receiver that is down costs memory for `PENDING` events a canary, then the oldest are dropped and
counted in the log.
"""

import asyncio
import logging
from collections import deque
from typing import Final, Protocol

from flagger_controller.api.canary import Canary, Webhook
from flagger_controller.api.status import Phase
from flagger_controller.clock import Clock
from flagger_controller.hooks import payloads
from flagger_controller.rollout.decision import Event
from flagger_controller.rollout.evidence import Answer

logger = logging.getLogger(__name__)

PENDING: Final = 200
"""Calls that may wait for one canary."""


class Caller(Protocol):
    """Calls one hook."""

    async def call(self, hook: Webhook, payload: bytes) -> Answer:
        """Post the payload; an error is an answer too."""
        ...


class EventSender:
    """One queue and, while it is not empty, one task for each canary."""

    def __init__(self, caller: Caller, global_url: str, clock: Clock) -> None:
        self._caller = caller
        self._global_url = global_url
        self._clock = clock
        self._queues: dict[str, deque[tuple[Webhook, bytes]]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def send(self, canary: Canary, event: Event, *, phase: Phase, checksum: str) -> None:
        """Queue the calls for one event; returns at once."""
        hooks = payloads.event_hooks(canary, self._global_url)
        if not hooks:
            return
        milliseconds = int(self._clock().timestamp() * 1000)
        notice = payloads.Notice(event.text, event.warning or event.error, milliseconds)
        queue = self._queues.setdefault(canary.key, deque())
        for hook in hooks:
            body = payloads.event(canary, notice, phase, checksum, hook.metadata)
            queue.append((hook, body))
        while len(queue) > PENDING:
            queue.popleft()
            logger.error("event hook is too slow, an event is lost", extra={"canary": canary.key})
        if canary.key not in self._tasks:
            name = f"event hooks of {canary.key}"
            self._tasks[canary.key] = asyncio.create_task(self._drain(canary.key), name=name)

    async def close(self, seconds: float = 5.0) -> None:
        """Send what waits, within some seconds, and stop."""
        tasks = list(self._tasks.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _drain(self, key: str) -> None:
        queue = self._queues[key]
        try:
            while queue:
                hook, body = queue.popleft()
                answer = await self._caller.call(hook, body)
                if not answer.ok:
                    logger.error(
                        "error sending event to webhook: %s", answer.error, extra={"canary": key}
                    )
        finally:
            del self._tasks[key]
            del self._queues[key]
