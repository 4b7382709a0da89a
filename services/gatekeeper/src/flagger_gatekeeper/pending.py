"""Who waits in front of a closed gate: pure values (spec gatekeeper B.2).

A rollout that waits asks again at every interval. A pending request is what is known about it; it
is kept with the record of its gate, and written rarely, since nothing is decided by it.
"""

import datetime
import re
from typing import Final

from . import gates

REFRESH: Final = datetime.timedelta(seconds=30)
"""Shortest time between two writes about the same request."""

PATIENCE: Final = 3
"""A request that was not repeated for so many intervals is over."""

FORGOTTEN: Final = datetime.timedelta(hours=1)
"""A request that comes back within this time is the same one; its interval is long."""

STAGES: Final = {
    **dict.fromkeys(("", "Initializing", "Initialized", "Waiting", "Succeeded", "Failed"), "start"),
    **dict.fromkeys(("Progressing", "WaitingPromotion", "Promoting", "Finalising"), "analysis"),
}
"""Phase of a payload to part of a rollout. `confirm-promotion` is asked with the phase
`Progressing`, as `confirm-traffic-increase` is, so these two cannot be told apart."""

_HOOKS: Final = {
    "start": "confirm-rollout",
    "analysis": "confirm-traffic-increase or confirm-promotion",
}
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
)


def stage(phase: str) -> str:
    """Return the part of a rollout that a phase belongs to; an unknown one stands for itself."""
    return STAGES.get(phase, phase)


def hook(phase: str) -> str:
    """Return the type of the hook that asks in a phase, as far as the phase tells; else nothing."""
    if phase == "WaitingPromotion":
        return "confirm-promotion"
    return _HOOKS.get(stage(phase), "") if phase else ""


def can_wait(key: gates.GateKey) -> bool:
    """Say whether requests at a gate are kept.

    Nothing waits for a rollback, and what cannot be the name of a Canary has none that waits.
    """
    return can_exist(key) and key.gate != gates.ROLLBACK


def can_exist(key: gates.GateKey) -> bool:
    """Say whether there can be a Canary of these names in a cluster."""
    names = _LABEL.fullmatch(key.namespace) and _SUBDOMAIN.fullmatch(key.canary)
    return names is not None


def is_waiting(request: gates.Pending, now: datetime.datetime) -> bool:
    """Say whether a request is still being repeated."""
    return now - request.last_seen < _lifetime(request)


def is_forgotten(record: gates.GateRecord | None, now: datetime.datetime) -> bool:
    """Say whether a record is about nothing but a request that is long over."""
    if record is None or record.version:
        return False
    return record.pending is None or _is_over(record.pending, now)


def refreshed(
    old: gates.Pending | None, phase: str, checksum: str, now: datetime.datetime, unwritten: int
) -> gates.Pending | None:
    """Return what is to be written about one more check that failed; None: nothing.

    Args:
        old: what is written.
        phase: of the payload.
        checksum: of the payload.
        now: time of the check.
        unwritten: how many checks have failed since the last write, without this one.
    """
    checks = unwritten + 1
    if old is None or _is_over(old, now):
        return gates.Pending(phase, checksum, now, now, 1)
    elapsed = now - old.last_seen
    if elapsed < REFRESH:
        return None
    interval = min(elapsed / checks, FORGOTTEN).total_seconds()
    if stage(phase) != stage(old.phase):
        return gates.Pending(phase, checksum, now, now, 1, interval)
    return gates.Pending(phase, checksum, old.first_seen, now, old.count + checks, interval)


def _lifetime(request: gates.Pending) -> datetime.timedelta:
    return PATIENCE * max(REFRESH, datetime.timedelta(seconds=request.interval))


def _is_over(request: gates.Pending, now: datetime.datetime) -> bool:
    return now - request.last_seen >= max(FORGOTTEN, _lifetime(request))
