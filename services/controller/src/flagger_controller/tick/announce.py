"""Announce: Events, event webhooks, alerts and gauges; after the commit, never in its way."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, Protocol

from flagger_controller.api.canary import Canary
from flagger_controller.api.checksum import checksum
from flagger_controller.api.status import Phase
from flagger_controller.rollout.decision import Alert, Announcement, Event, Outcome

logger = logging.getLogger(__name__)

DELIVERY: Final = 5.0
"""Seconds that a finished run waits for its announcements to arrive before it records them."""


class Events(Protocol):
    """Kubernetes Events."""

    def record(self, canary: Canary, text: str, *, warning: bool) -> None:
        """Queue an Event about a Canary."""
        ...

    async def settled(self, canary: Canary) -> None:
        """Return when nothing about this Canary is queued any more."""
        ...


class EventHooks(Protocol):
    """Event webhooks."""

    def send(self, canary: Canary, event: Event, *, phase: Phase, checksum: str) -> None:
        """Queue the calls for one event, in order."""
        ...

    async def settled(self, canary: Canary) -> None:
        """Return when nothing about this Canary is queued any more."""
        ...


class Alerts(Protocol):
    """Chat channels."""

    def send(self, canary: Canary, alert: Alert) -> None:
        """Queue an alert for every channel that wants it."""
        ...

    async def settled(self, canary: Canary) -> None:
        """Return when nothing about this Canary is queued any more."""
        ...


class Gauges(Protocol):
    """The series we export."""

    def outcome(self, canary: Canary, outcome: Outcome) -> None:
        """Count a finished analysis."""
        ...

    def show(self, canary: Canary) -> None:
        """Show phase and weights."""
        ...

    def analysed(self, canary: Canary, seconds: float) -> None:
        """Observe how long an analysis took."""
        ...


class Announcer:
    """Tells everybody who listens. Nothing here waits for a listener or fails with one."""

    def __init__(self, events: Events, hooks: EventHooks, alerts: Alerts, gauges: Gauges) -> None:
        self._events = events
        self._hooks = hooks
        self._alerts = alerts
        self._gauges = gauges

    def announce(
        self, before: Canary, after: Canary, announcements: Sequence[Announcement]
    ) -> None:
        """Send announcements in order.

        Args:
            before: the Canary at the time of the decision; its phase goes with the events.
            after: the Canary with the decided status, for events that name its phase.
            announcements: what the decision says.
        """
        for announcement in announcements:
            match announcement:
                case Event():
                    self.event(before, after, announcement)
                case Alert():
                    self._alerts.send(after, announcement)
                case Outcome():
                    self._gauges.outcome(after, announcement)
        self._gauges.show(after)

    def event(self, before: Canary, after: Canary, event: Event) -> None:
        """A log line, a Kubernetes Event, and the event webhooks."""
        level = logging.ERROR if event.error else logging.INFO
        kind = "Warning" if event.warning else "Normal"
        logger.log(level, event.text, extra={"canary": before.key, "event_type": kind})
        self._events.record(after, event.text, warning=event.warning)
        phase = before.status.phase if event.phase is None else event.phase
        status = after.status if phase is after.status.phase else before.status
        digest = checksum(status.tracked_configs, status.shown(status.last_applied_spec))
        self._hooks.send(after, event, phase=phase, checksum=digest)

    async def delivered(self, canary: Canary) -> None:
        """Wait until what was announced has arrived, but not for ever: a chat may be down."""
        outlets = (self._events, self._hooks, self._alerts)
        waiting = [asyncio.ensure_future(outlet.settled(canary)) for outlet in outlets]
        _, late = await asyncio.wait(waiting, timeout=DELIVERY)
        for task in late:
            task.cancel()

    def analysed(self, canary: Canary, seconds: float) -> None:
        """The analysis of one tick took so long."""
        self._gauges.analysed(canary, seconds)
