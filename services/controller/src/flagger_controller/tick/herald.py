"""What people are told of one canary: once, however often a tick is tried (invariant I7)."""

from dataclasses import dataclass
from typing import Final

from flagger_controller.api.canary import Canary
from flagger_controller.cluster.client import ApiError
from flagger_controller.cluster.failures import Kind
from flagger_controller.errors import Retriable
from flagger_controller.rollout.decision import Decision, Event
from flagger_controller.tick.announce import Announcer
from flagger_controller.tick.shell import Doubt, Memory

OUTAGES: Final = 5
"""Ticks in a row that the API server failed, until that is told."""


@dataclass(frozen=True)
class Herald:
    """Announces decisions and errors."""

    announcer: Announcer
    memory: Memory

    async def before(self, canary: Canary, decision: Decision) -> None:
        """Announce what nobody could make good once it is recorded, and wait until it is known."""
        if decision.announce_first:
            self.announcer.announce(canary, canary, decision.announcements)
            await self.announcer.delivered(canary)
            self.memory.announced = canary.status.run.ticked_at

    def after(self, before: Canary, after: Canary, decision: Decision) -> None:
        """Announce a decision that was recorded."""
        if not (decision.announce_first or self._parted(after, decision)):
            self.announcer.announce(before, after, decision.announcements)

    def doubt(self, canary: Canary, decision: Decision) -> None:
        """Remember a decision of which the API server did not say whether it was recorded."""
        if not decision.announce_first:
            self.memory.doubt = Doubt(canary, decision)

    def make_good(self, canary: Canary) -> None:
        """Announce the decision in doubt if the Canary shows that it was recorded after all."""
        doubt = self.memory.doubt
        if doubt is None or doubt.about(canary):
            return
        self.memory.doubt = None
        if doubt.decision.status == canary.status:
            self.announcer.announce(doubt.before, canary, doubt.decision.announcements)

    def problem(self, canary: Canary, text: str) -> None:
        """A Warning event for an error, once until a tick succeeds or the error changes."""
        if text != self.memory.told:
            self.memory.told = text
            self.announcer.event(canary, canary, Event(text, warning=True, error=True))

    def outage(self, canary: Canary, error: Retriable) -> None:
        """Tell of an API server that answers with failures again and again.

        A faster writer and a busy or absent server are nothing that a Canary's owner can mend, but
        a webhook that cannot be called looks the same.
        """
        if isinstance(error, ApiError) and error.kind is Kind.UNAVAILABLE:
            self.memory.outages += 1
            if self.memory.outages >= OUTAGES:
                self.problem(canary, str(error))

    def _parted(self, canary: Canary, decision: Decision) -> bool:
        """Was the end of this Canary told already? Releasing it may take more than one try."""
        before = self.memory.parted
        if decision.release:
            self.memory.parted = canary.metadata.uid
        return decision.release and before == canary.metadata.uid
