"""How urgent the work for a canary is: pure, no clock of its own."""

import math
from datetime import datetime
from typing import Final

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Obligation, Phase
from flagger_controller.rollout.case import ACTIVE, STARTING
from flagger_controller.urgency import FIRST, Level, Rank

_RELEASING: Final = ACTIVE | {Phase.WAITING}


def rank_of(canary: Canary | None) -> Rank:
    """By its status; what cannot be decoded (None) has the time that those have who start.

    A rollback comes before everything: it takes users off a bad revision.
    """
    if canary is None or canary.status.phase in STARTING:
        return Rank(Level.START)
    if canary.status.phase not in _RELEASING:
        return Rank(Level.REPAIR)
    if canary.status.run.obligation is Obligation.ROLLBACK:
        return FIRST
    return Rank(Level.RELEASE, _deadline(canary))


def _deadline(canary: Canary) -> float:
    """When pods that have made no progress since the last one we know of are given up."""
    status = canary.status
    try:
        last = datetime.fromisoformat(status.run.ticked_at or status.last_transition_time)
        return last.timestamp() + canary.deadline
    except ValueError:  # somebody else wrote the status: its tick has to deal with that
        return math.inf
