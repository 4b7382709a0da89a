"""When a canary is ticked (state-machine.md section 1): pure, no clock of its own."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus
from flagger_controller.rollout.case import ACTIVE, SETTLED

RESYNC: Final = 600.0
"""Seconds between two looks at a canary that nothing happens to: repairs what a watch missed."""
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
"""When the first tick is due."""


@dataclass(frozen=True)
class Pace:
    """The rhythm of one canary, as it is stored and as this process remembers it."""

    canary: Canary
    floor: float
    """Seconds that an interval has at least."""
    ticked: datetime | None
    """The last tick of this process that used up an interval."""

    @property
    def interval(self) -> timedelta:
        """Between two ticks."""
        return timedelta(seconds=max(self.canary.interval, self.floor))

    @property
    def due_at(self) -> datetime:
        """When the next tick is due."""
        ticks = [at for at in (_parsed(_last_tick(self.canary.status)), self.ticked) if at]
        return max(ticks) + self.interval if ticks else LONG_AGO

    def seconds_left(self, now: datetime, *, idle: bool) -> float:
        """Until the next tick; between runs nothing is due, the watch wakes us."""
        if idle:
            resting = self.canary.status.phase in SETTLED or self.canary.spec.suspend
            return RESYNC if resting else self.interval.total_seconds()
        return max(0.0, (self.due_at - now).total_seconds())


def _last_tick(status: CanaryStatus) -> str:
    """When the status was last changed; upstream moves its transition time with every write."""
    by_upstream = status.last_transition_time if status.phase in ACTIVE else ""
    return status.run.ticked_at or by_upstream


def _parsed(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
