"""Sends events to event hooks, off the tick's path and in order for each canary.

A slow receiver delays its own canary's events only, and no tick (webhooks.md 12.14).
"""

import functools
import logging
from typing import Protocol

from flagger_controller import net, secrecy
from flagger_controller.api.canary import Canary, Webhook
from flagger_controller.api.status import Phase
from flagger_controller.clock import Clock
from flagger_controller.errors import FlaggerError
from flagger_controller.hooks import payloads
from flagger_controller.outbox import Outbox
from flagger_controller.rollout.decision import Event
from flagger_controller.rollout.evidence import Answer

logger = logging.getLogger(__name__)


class Caller(Protocol):
    """Calls one hook."""

    async def call(self, hook: Webhook, payload: bytes, namespace: str) -> Answer:
        """Post the payload; an error is an answer too."""
        ...


class EventSender:
    """Queues the calls of event hooks, one lane a canary."""

    def __init__(self, caller: Caller, outbox: Outbox, global_url: str, clock: Clock) -> None:
        self._caller = caller
        self._outbox = outbox
        self._global_url = global_url
        self._clock = clock

    def send(self, canary: Canary, event: Event, *, phase: Phase, checksum: str) -> None:
        """Queue the calls for one event; returns at once."""
        milliseconds = int(self._clock().timestamp() * 1000)
        notice = payloads.Notice(event.text, event.warning or event.error, milliseconds)
        for hook in payloads.event_hooks(canary, self._global_url):
            body = payloads.event(canary, notice, phase, checksum, hook.metadata)
            job = functools.partial(self._deliver, canary, hook, body)
            if not self._outbox.put(canary.key, job):
                text = "event hook %s is too slow, an event is lost: %s"
                logger.error(text, hook.name, event.text, extra={"canary": canary.key})

    async def settled(self, canary: Canary) -> None:
        """Return when nothing about this Canary is queued any more."""
        await self._outbox.settled(canary.key)

    async def _deliver(self, canary: Canary, hook: Webhook, body: bytes) -> None:
        try:
            answer = await self._caller.call(hook, body, canary.namespace)
        except FlaggerError as unread:  # off the tick's path nobody tries again
            answer = Answer(ok=False, error=f"secretRef: {unread}")
        if not answer.ok:
            # The global address comes from a Secret; those of hooks are in the Canary.
            error = net.redact(answer.error, secrecy.secrets_of(self._global_url))
            text = "error sending event to webhook: %s"
            logger.error(text, error, extra={"canary": canary.key})
