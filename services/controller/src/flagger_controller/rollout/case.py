"""Everything a rule may look at."""

from dataclasses import dataclass
from datetime import datetime

from flagger_controller.api.canary import Analysis, Canary
from flagger_controller.api.status import CanaryStatus, Phase, Route
from flagger_controller.rollout.evidence import Evidence, Seen

SETTLED = frozenset({Phase.INITIALIZED, Phase.SUCCEEDED, Phase.FAILED})
"""Phases outside a run."""
ANALYSING = frozenset({Phase.PROGRESSING, Phase.WAITING_PROMOTION})
"""Phases in which the canary is under analysis."""
ACTIVE = ANALYSING | {Phase.PROMOTING, Phase.FINALISING}
"""Phases of a run."""
STARTING = frozenset({Phase.NEW, Phase.INITIALIZING})
"""Phases before the first release."""

KUBERNETES = "kubernetes"
"""The provider without weights: it switches Services only."""
FORCED_ITERATIONS = 10
"""Iterations of a canary without any on provider `kubernetes` (state-machine.md step 26)."""


@dataclass(frozen=True)
class Case:
    """One canary at one moment: what it asks for, where it stands, what is known."""

    canary: Canary
    seen: Seen
    evidence: Evidence
    now: datetime
    due: bool
    """The interval since the last tick is over."""
    provider: str
    """The effective provider: the Canary's own or the process's."""
    announced: bool = False
    """This process has told the world about the finished run, and only has to record it."""
    entropy: str = ""
    """Twenty random letters, for session cookies."""

    @property
    def status(self) -> CanaryStatus:
        """Where the release stands."""
        return self.canary.status

    @property
    def phase(self) -> Phase:
        """The visible phase."""
        return self.canary.status.phase

    @property
    def analysis(self) -> Analysis:
        """How the release is judged."""
        return self.canary.analysis

    @property
    def route(self) -> Route:
        """The split in force: the recorded one, else (release begun by upstream) the found one."""
        return self.status.run.route or self.seen.route or Route()

    @property
    def iterations(self) -> int:
        """Iterations of the analysis; provider `kubernetes` cannot do without."""
        if self.provider == KUBERNETES and self.analysis.iterations < 1:
            return FORCED_ITERATIONS
        return self.analysis.iterations

    @property
    def superseded(self) -> bool:
        """The live target is not the revision that this run is about (canary-api.md 6.2)."""
        revision = self.seen.revision
        return revision.spec != self.status.last_applied_spec or self._configs_changed

    @property
    def changed(self) -> bool:
        """The target has a revision to release (canary-api.md 6.2 and 6.4)."""
        status = self.status
        known = {status.last_applied_spec}
        if not status.run.promotion_failed:  # the primary carries another revision, and is dead
            known.add(status.last_promoted_spec)
        if status.last_applied_spec and self.seen.revision.spec in known:
            return self._configs_changed
        return True

    @property
    def _configs_changed(self) -> bool:
        found, stored = self.seen.revision.configs, self.status.tracked_configs
        return bool(found is not None and dict(found) != (stored or {}))
