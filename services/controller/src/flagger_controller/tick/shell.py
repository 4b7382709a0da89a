"""What a tick works with: the store of Canaries, its memory, and its steps."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Run
from flagger_controller.clock import Clock
from flagger_controller.rollout.decision import Decision
from flagger_controller.tick.announce import Announcer
from flagger_controller.tick.commit import Committer
from flagger_controller.tick.converge import Converger
from flagger_controller.tick.gather import Gatherer
from flagger_controller.tick.observe import Observer

IN_FLIGHT: Final = timedelta(seconds=10)
"""How long a write without an answer may be under way: as long again as its answer was awaited."""


class Store(Protocol):
    """The newest known Canaries, fed by the watch and by our own writes."""

    def get(self, key: str) -> tuple[Canary, Object] | None:
        """A Canary, and status and version of the object that it was decoded from.

        None when it is gone or cannot be read.
        """
        ...

    def put(self, body: Object) -> tuple[Canary, Object]:
        """Take over what the API server answered to a write."""
        ...

    def rival(self, canary: Canary) -> str:
        """Name of an older Canary with the same target; empty when there is none."""
        ...


@dataclass(frozen=True)
class Doubt:
    """A decision that may have been recorded or not: the reply was lost."""

    before: Canary
    decision: Decision

    def about(self, canary: Canary) -> bool:
        """The Canary is still the one that was decided about, as far as anybody knows."""
        known, now = self.before.metadata, canary.metadata
        return (known.uid, known.resource_version) == (now.uid, now.resource_version)


@dataclass
class Memory:
    """What a process remembers of a canary between ticks; nothing depends on it surviving."""

    ticked: datetime | None = None
    """The last tick that used up an interval."""
    scaled: str = ""
    """`startedAt` of the run for which the target was scaled up."""
    fresh: bool = True
    """This process has not looked at the canary yet."""
    announced: str = ""
    """`tickedAt` of the terminal status whose announcements were sent."""
    doubt: Doubt | None = None
    """The last decision, if nobody knows whether it was recorded."""
    parted: str | None = None
    """Uid of the Canary whose end was told, before it was released."""
    released: str | None = None
    """Uid of the Canary that was reverted: until the watch tells, it looks as if it were there."""
    unsettled: bool = False
    """The converge after the last commit failed: look again soon."""
    told: str = ""
    """The last error that was announced, to say it once."""
    outages: int = 0
    """Ticks that the API server failed since the last one that worked."""
    unanswered: datetime | None = None
    """When the API server last left a call without an answer."""

    def scaled_up(self, run: Run, now: datetime) -> None:
        """Our write of the target: the first one of a run gives it pods.

        They get a whole interval, also when the revision was noticed long before.
        """
        if run.started_at == run.ticked_at != self.scaled:
            self.scaled, self.ticked = run.started_at, now

    def in_flight(self, now: datetime) -> bool:
        """May a write that got no answer still take effect?"""
        return self.unanswered is not None and now < self.unanswered + IN_FLIGHT


@dataclass(frozen=True)
class Shell:
    """The steps, wired."""

    store: Store
    observer: Observer
    converger: Converger
    gatherer: Gatherer
    committer: Committer
    announcer: Announcer
    clock: Clock
    interval_floor: float
