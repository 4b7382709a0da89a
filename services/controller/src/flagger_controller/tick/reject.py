"""A Canary that cannot be decoded: its owner is told, and nobody else's Canary suffers."""

import logging

from flagger_controller.api.base import Object
from flagger_controller.clock import Clock
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import KubeClient, Ref
from flagger_controller.cluster.events import EventRecorder, Subject
from flagger_controller.rollout import conditions
from flagger_controller.tick.commit import FINALIZER

logger = logging.getLogger(__name__)


class Rejecter:
    """Writes a Warning event and the condition `Ready=False`, once for each text."""

    def __init__(self, client: KubeClient, events: EventRecorder, clock: Clock) -> None:
        self._client = client
        self._events = events
        self._clock = clock

    async def reject(self, body: Object, error: str) -> None:
        """Tell what is wrong with an object.

        Raises:
            ApiError: the condition could not be written; try again.
        """
        metadata = body["metadata"]
        ref = Ref(resources.CANARIES, metadata["name"], metadata["namespace"])
        precondition = {"resourceVersion": metadata["resourceVersion"]}
        if metadata.get("deletionTimestamp"):
            kept = [name for name in metadata.get("finalizers") or [] if name != FINALIZER]
            await self._client.patch(ref, {"metadata": {**precondition, "finalizers": kept}})
            return
        text = f"invalid canary spec: {error}"
        others = [
            condition
            for condition in (body.get("status") or {}).get("conditions") or []
            if condition.get("type") != conditions.READY
        ]
        told = (body.get("status") or {}).get("conditions") or []
        if any(c.get("type") == conditions.READY and c.get("message") == text for c in told):
            return
        key = f"{metadata['name']}.{metadata['namespace']}"
        logger.error("%s", text, extra={"canary": key})
        stamp = conditions.timestamp(self._clock())
        condition = {
            "type": conditions.READY,
            "status": "False",
            "reason": conditions.BLOCKED,
            "message": text,
            "lastUpdateTime": stamp,
            "lastTransitionTime": stamp,
        }
        patch = {"metadata": precondition, "status": {"conditions": [*others, condition]}}
        await self._client.patch(ref, patch, subresource="status")
        self._events.record(Subject.of(ref, body), text, warning=True)
