"""What there is to see at one moment, without saying how it is drawn."""

import dataclasses
import time

from e2e.demo.readings import DURATION, SUCCESS, Readings
from e2e.suite import history, load

RECENT_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class View:
    """The release as a person follows it."""

    past: history.History
    clients: load.Load
    readings: Readings

    def phase(self) -> str:
        """Return the phase."""
        return self.past.state.phase or "new"

    def weight(self) -> int:
        """Return the canary's part of the traffic, in percent."""
        return self.past.state.weight

    def failed(self) -> int:
        """Return the failed checks of the run."""
        return self.past.state.failed

    def success(self) -> str:
        """Return the success rate that was judged last."""
        value = self.readings.checks.get(SUCCESS)
        return "-" if value is None else f"{value:.2f} %"

    def duration(self) -> str:
        """Return the 99th percentile of the duration that was judged last."""
        value = self.readings.checks.get(DURATION)
        return "-" if value is None else f"{1000 * value:.0f} ms"

    def answers(self) -> str:
        """Return which versions answer our own client at present, and how often they fail."""
        recent = self.clients.answers(time.monotonic() - RECENT_SECONDS)
        parts = []
        for version, count in sorted(load.versions(recent).items()):
            part = f"{version or 'nobody'} {100 * count / len(recent):.0f} %"
            failed = sum(answer.failed for answer in recent if answer.version == version)
            parts.append(f"{part} ({failed} failed)" if failed else part)
        return ", ".join(parts) or "-"
