"""Events for Flux's notification-controller (alerting.md section 12), beside the event hooks.

Upstream has nothing like it. Other than event hooks, the receiver is told of all canaries, and in
the form of Flux's own controllers.
"""

import asyncio
import functools
import json
import logging
from datetime import datetime
from typing import Final

from flagger_controller import clock, net, secrecy
from flagger_controller.api.base import API_VERSION, GROUP
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Phase
from flagger_controller.hooks import retries
from flagger_controller.outbox import Outbox
from flagger_controller.rollout.decision import Event

logger = logging.getLogger(__name__)

LONGEST_MESSAGE: Final = 39_000
"""Bytes of a message; Flux allows as many characters."""
RETRIES: Final = 3
TIMEOUT: Final = 10.0
_SEEN_ALREADY: Final = 429
"""The receiver drops what it was told a moment ago: there is nothing to repeat."""
_HEADERS: Final = (("Content-Type", "application/json"),)
_REASONS: Final = {
    Phase.NEW: "Initializing",
    Phase.SUCCEEDED: "Promoted",
}


class FluxEvents:
    """Queues what is posted to one address, a lane a canary."""

    def __init__(
        self,
        http: net.Http,
        outbox: Outbox,
        url: str,
        instance: str,
        *,
        sleep: retries.Sleep = asyncio.sleep,
        now: clock.Clock = clock.utc,
    ) -> None:
        """Make it.

        Args:
            http: the client.
            outbox: where calls wait.
            url: of the receiver; empty: nobody is told.
            instance: who reports, the name of the pod.
            sleep: waits between attempts.
            now: the time.
        """
        self._http = http
        self._outbox = outbox
        self._url = url
        self._instance = instance
        self._sleep = sleep
        self._now = now

    def send(self, canary: Canary, event: Event, *, phase: Phase, checksum: str) -> None:
        """Queue one event; returns at once."""
        if not self._url:
            return
        body = payload(canary, event, phase, checksum, self._instance, self._now())
        job = functools.partial(self._deliver, canary.key, body)
        if not self._outbox.put(_lane(canary), job):
            text = "Flux is too slow, an event is lost: %s"
            logger.error(text, event.text, extra={"canary": canary.key})

    async def settled(self, canary: Canary) -> None:
        """Return when nothing about this Canary is queued any more."""
        await self._outbox.settled(_lane(canary))

    async def _deliver(self, key: str, body: bytes) -> None:
        request = net.Request("POST", self._url, _HEADERS, body, TIMEOUT)
        outcome = await retries.persist(
            self._http, request, RETRIES, self._sleep, self._now, final=(_SEEN_ALREADY,)
        )
        reply = outcome.reply
        if reply is not None and (reply.status <= 299 or reply.status == _SEEN_ALREADY):
            return
        cause = str(outcome.error) if reply is None else f"{reply.status} {reply.text}"
        shown = net.shorten(net.redact(cause, secrecy.secrets_of(self._url)), 512)
        logger.error("error sending event to Flux: %s", shown, extra={"canary": key})


def payload(
    canary: Canary, event: Event, phase: Phase, checksum: str, instance: str, now: datetime
) -> bytes:
    """An event in Flux's form; keys of metadata count there with the object's group only."""
    metadata, status = canary.metadata, canary.status
    facts = {
        "revision": status.shown(status.last_applied_spec),
        "checksum": checksum,
        "phase": phase.value,
    }
    document = {
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": "Canary",
            "name": canary.name,
            "namespace": canary.namespace,
            "uid": metadata.uid,
            "resourceVersion": metadata.resource_version,
        },
        "severity": "error" if event.failure or event.error else "info",
        "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "message": net.shorten(event.text, LONGEST_MESSAGE),
        "reason": _reason(event, phase),
        "metadata": {f"{GROUP}/{key}": value for key, value in facts.items() if value},
        "reportingController": "flagger",
        "reportingInstance": instance,
    }
    return json.dumps(document).encode()


def _reason(event: Event, phase: Phase) -> str:
    if event.failure:
        return "PromotionFailed" if phase is Phase.PROMOTING else "RolledBack"
    return _REASONS.get(phase, phase.value)


def _lane(canary: Canary) -> str:
    return f"{canary.key} flux"
