"""What is known about a task, as a value: for the API and the history (loadtester.md 8.4)."""

import dataclasses
import enum
from typing import Final

from flagger_common.payload import CanaryWebhookPayload

from .results.base import LoadResult

_MOST_LABEL: Final = 4096
_MOST_NAME: Final = 253
"""Of a Kubernetes name; senders choose the text, and the history keeps it."""


class State(enum.StrEnum):
    """Where a task is in its life; the last four are the end."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"


@dataclasses.dataclass(frozen=True)
class Record:
    """One accepted task. Times are Unix seconds."""

    id: str
    """32 hexadecimal digits."""

    canary: str
    """Name of the Canary, from the payload as the three after it."""

    namespace: str
    """Its namespace."""

    phase: str
    """Its phase when the task was accepted."""

    checksum: str
    """Its revision; empty when the sender told none."""

    type: str
    """Task type, say ``cmd``."""

    label: str
    """Command text, the first 4096 characters."""

    created: float
    """When it was accepted."""

    state: State = State.QUEUED
    """Where it is in its life."""

    started: float | None = None
    """None as long as it waits, and when it was cancelled before."""

    ended: float | None = None
    """None before the end."""

    reason: str = ""
    """Why it failed or was cancelled; empty otherwise."""

    output: str = ""
    """What it printed, capped; known at its end, and dropped again when there is too much."""

    result: LoadResult | None = None
    """What a load test measured."""


def accepted(
    payload: CanaryWebhookPayload, number: str, kind: str, label: str, now: float
) -> Record:
    """Return the record of a task that was just accepted."""
    return Record(
        id=number,
        canary=payload.name[:_MOST_NAME],
        namespace=payload.namespace[:_MOST_NAME],
        phase=payload.phase[:_MOST_NAME],
        checksum=payload.checksum[:_MOST_NAME],
        type=kind,
        label=label[:_MOST_LABEL],
        created=now,
    )
