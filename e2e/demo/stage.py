"""What every chapter needs: the application, its observers, commands that are shown and run."""

import dataclasses
import shlex

from e2e.demo.readings import Readings
from e2e.demo.screen import Screen
from e2e.suite import access, history, load, podinfo, wait


@dataclasses.dataclass(frozen=True)
class Stage:
    """The place where the demo happens."""

    reach: access.Access
    app: podinfo.App
    past: history.History
    clients: load.Load
    readings: Readings
    screen: Screen

    def kubectl(self, *arguments: str) -> str:
        """Show a kubectl command, run it, show what it printed."""
        self.screen.command(shlex.join(("kubectl", *arguments)))
        printed = self.reach.run(self.reach.kubectl, *arguments).strip()
        self.screen.output(printed)
        return printed

    def check(self, claim: str, *, holds: bool, found: object = "") -> None:
        """Check a claim and show it.

        Raises:
            Deviation: it does not hold.
        """
        wait.expect(claim, holds=holds, found=found)
        self.screen.confirm(claim)

    def release(self, *settings: str) -> float:
        """Change the application's environment; return the time before."""
        self.readings.begin()
        mark = self.past.mark()
        self.kubectl("-n", self.app.namespace, "set", "env", "deployment/podinfo", *settings)
        return mark

    def failures(self, since: float) -> list[load.Answer]:
        """Return the requests of our own clients that failed."""
        return self.clients.failures(since)

    def versions(self, since: float) -> set[str]:
        """Return the versions that answered our own clients."""
        return set(load.versions(self.clients.answers(since)))
