"""The bodies of hook calls (webhooks.md section 10); pure.

The checksum is an argument: it is a function of the status and belongs to `api/checksum.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from flagger_common.payload import CanaryWebhookPayload
from flagger_controller.api.canary import Canary, HookType, Webhook
from flagger_controller.api.status import Phase


@dataclass(frozen=True)
class Notice:
    """An event as event hooks tell it."""

    message: str
    warning: bool
    timestamp: int
    """Unix milliseconds."""


def hook(canary: Canary, hook: Webhook, phase: Phase, checksum: str) -> bytes:
    """The body of a call of one hook; `phase` is the one of webhooks.md section 2."""
    return _encode(canary, phase, checksum, hook.metadata)


def event(
    canary: Canary, notice: Notice, phase: Phase, checksum: str, metadata: Mapping[str, str]
) -> bytes:
    """The body of an event hook's call.

    Args:
        canary: whose event it is.
        notice: what happened.
        phase: the phase at that moment.
        checksum: of the status at that moment.
        metadata: the hook's own; it cannot override the three reserved keys.
    """
    reserved = {
        "eventMessage": notice.message,
        "eventType": "Warning" if notice.warning else "Normal",
        "timestamp": str(notice.timestamp),
    }
    return _encode(canary, phase, checksum, {**metadata, **reserved})


def event_hooks(canary: Canary, global_url: str) -> tuple[Webhook, ...]:
    """Who hears of events: the canary's own event hooks, and only without any the global one."""
    own = canary.analysis.hooks(HookType.EVENT)
    if own or not global_url:
        return own
    return (Webhook(name="events", type=HookType.EVENT, url=global_url),)


def _encode(canary: Canary, phase: Phase, checksum: str, metadata: Mapping[str, str]) -> bytes:
    return CanaryWebhookPayload(
        name=canary.name,
        namespace=canary.namespace,
        phase=phase.value,
        checksum=checksum,
        metadata=metadata,
    ).to_bytes()
