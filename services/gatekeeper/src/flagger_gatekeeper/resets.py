"""Closing gates when a release ends, so that the next one asks again (spec gatekeeper B.2)."""

import dataclasses
import datetime
from typing import Final

from flagger_common import payload

from . import audit, changes, gates

_ENDS: Final = ("Promotion completed!", "Canary failed!")
"""Beginnings of the events that end a release. Others come in the phases `Succeeded` and `Failed`
too, when the next release begins: they must not close the gate that was opened for it."""


def ends_release(sent: payload.CanaryWebhookPayload) -> bool:
    """Say whether a payload of an `event` or `post-rollout` hook tells the end of a release."""
    if sent.phase not in ("Succeeded", "Failed"):
        return False
    is_event = "eventType" in sent.metadata
    return not is_event or sent.metadata.get("eventMessage", "").startswith(_ENDS)


def resetting(
    key: gates.GateKey, by: audit.By, now: datetime.datetime, *, every: bool
) -> changes.Transition[bool]:
    """Return the transition that closes a gate after a release; it says whether it did.

    Args:
        key: of the gate.
        by: who told the end of the release.
        now: time of that, UTC.
        every: whether the gates `default` and `rollback` are closed without having been asked to.
    """

    def transition(record: gates.GateRecord | None) -> changes.Outcome[bool]:
        asked = every and key.gate in (gates.DEFAULT, gates.ROLLBACK)
        if record is None or not (asked or record.auto_reset):
            return changes.Outcome(result=False)
        if record.state is not gates.State.OPEN and not record.approvals:
            return changes.Outcome(result=False)
        closed = dataclasses.replace(
            record,
            state=gates.State.CLOSED,
            updated_at=now,
            version=record.version + 1,
            request=by.request,
            approvals=(),
        )
        entry = changes.entry(audit.Action.RESET, by, now, record, closed)
        return changes.Outcome(result=True, change=changes.Change(closed, (entry,)))

    return transition
