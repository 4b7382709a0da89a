"""What a payload asks for besides its task, and what it says about earlier tasks. All pure."""

import dataclasses
from collections.abc import Mapping
from typing import Final

from flagger_common import durations
from flagger_common.payload import CanaryWebhookPayload

from .tasks.base import TaskError, TaskType, Work, flag

_EVENT: Final = "eventMessage"
"""The controller adds this key to the metadata of event hooks (webhooks.md section 10)."""
_ENDED: Final = frozenset({"Succeeded", "Failed"})
_REPLY: Final = frozenset({"returnCmdOutput"})
"""Keys that change the reply and not the task."""


@dataclasses.dataclass(frozen=True)
class Order:
    """A task that somebody asks for, with the extensions of loadtester.md section 8.4."""

    kind: TaskType
    """Its type."""

    work: Work
    """What to do."""

    payload: CanaryWebhookPayload = dataclasses.field(default_factory=CanaryWebhookPayload)
    """For which canary and revision."""

    timeout: float | None = None
    """Seconds it may take; None means as long as the server allows, which it never exceeds."""

    fail_fast: bool = False
    """Whether the reply waits for an instant failure of a background task."""

    once: bool = False
    """Whether a background task that has succeeded is not done again for the same revision."""

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it the same as a running one.

        In the background upstream's identity, without the checksum. Of tasks that are waited for
        everything counts: whoever joins one takes its result for their own.
        """
        if not self.kind.blocking:
            return self.work.identity
        metadata = sorted((key, value) for key, value in self.payload.metadata.items())
        words = [word for pair in metadata if pair[0] not in _REPLY for word in pair]
        return (*self.work.identity, self.kind.name, self.payload.checksum, *words)

    @property
    def once_key(self) -> tuple[str, ...]:
        """What makes it the same as one that has succeeded."""
        return (*self.work.identity, self.payload.checksum)


def read(kind: TaskType, work: Work, payload: CanaryWebhookPayload) -> Order:
    """Read the extensions in the metadata.

    Raises:
        TaskError: ``timeout`` is no duration above zero.
    """
    metadata = payload.metadata
    return Order(
        kind=kind,
        work=work,
        payload=payload,
        timeout=_timeout(metadata),
        fail_fast=flag(metadata, "failFast"),
        once=flag(metadata, "onlyOnce"),
    )


def is_event(payload: CanaryWebhookPayload) -> bool:
    """Say whether an event hook was pointed at the tester: that is news and never a task."""
    return _EVENT in payload.metadata


def why_over(payload: CanaryWebhookPayload, earlier: CanaryWebhookPayload) -> str:
    """Say why a payload ends a background task that an earlier one has started; empty if not.

    A new checksum ends what ran for another revision. Events do not tell a new one: they carry
    the old checksum until the analysis has started, and may come late. A final phase ends what
    ran for the analysis, but not what a post-rollout hook has started.
    """
    if (payload.name, payload.namespace) != (earlier.name, earlier.namespace):
        return ""
    known = payload.checksum and earlier.checksum
    another = bool(known) and payload.checksum != earlier.checksum
    if another:
        return "" if is_event(payload) else "the canary has another revision"
    if payload.phase in _ENDED and earlier.phase not in _ENDED:
        return f"the canary is {payload.phase}"
    return ""


def _timeout(metadata: Mapping[str, str]) -> float | None:
    if "timeout" not in metadata:
        return None
    try:
        seconds = durations.parse(metadata["timeout"])
    except ValueError as error:
        raise TaskError(f"`timeout`: {error}") from error
    if seconds <= 0:
        raise TaskError("`timeout` must be positive")
    return seconds
