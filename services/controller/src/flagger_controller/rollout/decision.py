"""What the engine answers: a decision as a value, with everything that must be announced."""

from dataclasses import dataclass
from enum import StrEnum

from flagger_controller.api.status import CanaryStatus, Phase
from flagger_controller.rollout.evidence import Check


class Severity(StrEnum):
    """How urgent an alert is; also the order of the filter of alert routes."""

    INFO = "info"
    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True)
class Event:
    """A Kubernetes Event, a log line and a call of the event webhooks."""

    text: str
    warning: bool = False
    error: bool = False
    """Logged at level error; a Warning for Kubernetes."""
    phase: Phase | None = None
    """The phase that event webhooks carry; None: the phase before the decision."""
    failure: bool = False
    """It ends a release that did not work."""


@dataclass(frozen=True)
class Alert:
    """A message for people."""

    text: str
    severity: Severity
    metadata: bool = False
    """Add the fields that describe the canary (state-machine.md 13.5)."""


class Cause(StrEnum):
    """What ended a failed run; a label of the series of rollbacks."""

    CHECKS = "failed-checks"
    """As many failed checks as `analysis.threshold` allows."""
    DEADLINE = "progress-deadline"
    """Pods that did not get ready in time."""
    HOOK = "rollback-hook"
    PROMOTION = "promotion"
    """The primary did not get ready with the new revision."""


@dataclass(frozen=True)
class Outcome:
    """A finished analysis, counted in the success and failure series."""

    skipped: bool = False
    cause: Cause | None = None
    """Why it failed; None: it succeeded."""

    @property
    def succeeded(self) -> bool:
        """The revision is in production."""
        return self.cause is None


Announcement = Event | Alert | Outcome


@dataclass(frozen=True)
class Need:
    """The engine cannot go on without an answer to this check."""

    check: Check
    beside: tuple[Check, ...] = ()
    """Checks that are needed too, whatever the first one says: they may be asked meanwhile."""


@dataclass(frozen=True)
class Remark:
    """Not the end of the walk, but something to announce with its decision."""

    announcements: tuple[Announcement, ...]


@dataclass(frozen=True)
class Decision:
    """The end of a walk."""

    status: CanaryStatus
    """What to commit; equal to the status that was read: nothing to commit."""
    announcements: tuple[Announcement, ...] = ()
    rule: str = ""
    """Name of the rule that decided."""
    reason: str = ""
    """Why, for logs and people."""
    again: bool = False
    """Walk again at once after the converge: an obligation waits to be confirmed."""
    ticked: bool = False
    """This walk used up the interval: the next tick is due an interval later."""
    announce_first: bool = False
    """Announce, then commit: for announcements that a crash must not swallow."""
    release: bool = False
    """Everything is reverted: remove the finalizer."""
    measured: bool = False
    """The analysis duration of this tick is observed (state-machine.md step 25)."""
