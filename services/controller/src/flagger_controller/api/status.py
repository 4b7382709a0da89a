"""The status of a Canary (spec/canary-api.md section 5): upstream's fields and our `run`.

Status is the truth and the cluster follows it, so everything that a release needs to go on after
a crash is here. Upstream's fields keep their meaning to the letter; what upstream kept in routes
or in memory is in `run`.
"""

from enum import StrEnum
from typing import Final, Literal

from pydantic import Field

from flagger_controller.api.analysis import ThresholdRange
from flagger_controller.api.base import Model, Object


class Phase(StrEnum):
    """Where a release stands (canary-api.md section 5.1)."""

    NEW = ""
    INITIALIZING = "Initializing"
    INITIALIZED = "Initialized"
    WAITING = "Waiting"
    PROGRESSING = "Progressing"
    WAITING_PROMOTION = "WaitingPromotion"
    PROMOTING = "Promoting"
    FINALISING = "Finalising"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    TERMINATED = "Terminated"


class Obligation(StrEnum):
    """An effect that was decided but is not yet confirmed (architecture.md 2.3b)."""

    NONE = ""
    PROMOTE = "promote"
    """The analysed revision to the primary; then the phase becomes Promoting."""
    FINALISE = "finalise"
    """All traffic to the primary; then the phase becomes Finalising."""
    ROLLBACK = "rollback"
    """Traffic to the primary, target to zero; then the phase becomes Failed."""
    SKIP = "skip"
    """Promote without analysis, target to zero; then the phase becomes Succeeded."""
    KEEP_CANARY = "keep-canary"
    """The primary died while it was promoted: traffic to the target; then Failed."""


class Route(Model):
    """A split of traffic in percent; the two weights sum to 100."""

    primary: int = 100
    canary: int = 0
    mirrored: bool = False


class Revision(Model):
    """A revision by both of its hashes.

    `lastAppliedSpec` and `lastPromotedSpec` have upstream's in the API, so that upstream starts no
    run when it takes over; everywhere else they have ours.
    """

    ours: str
    upstream: str


class Run(Model):
    """What upstream kept in routing objects or in memory; additive to upstream's status."""

    route: Route | None = None
    """The split that routing objects must show; absent on objects last written by upstream."""
    conditional: bool = False
    """The split was decided for requests that meet `analysis.match`, and for no others."""
    ticked_at: str = ""
    """RFC 3339, milliseconds: the tick that last changed the status. The next one is due an
    interval later, over restarts and changes of leader too."""
    started_at: str = ""
    """RFC 3339, milliseconds: when the run began; empty outside of runs, and in those that
    upstream began."""
    obligation: Obligation = Obligation.NONE
    """Unfinished effect; the visible phase changes only when it is confirmed."""
    unannounced: bool = False
    """A terminal transition whose hooks, events and alerts have not all been sent."""
    promotion_failed: bool = False
    """The primary died while it was promoted: traffic stays on the target."""
    primary_broken: bool = False
    """The run was started to repair a primary that cannot become ready on its own."""
    pre_rollout_passed: bool = False
    """Pre-rollout hooks of this run have passed and are not called again."""
    promotion_approved: bool = False
    """The promotion gate of this run has opened; it is asked once."""
    halted: str = ""
    """What holds the run, where people are told once and not at every tick."""
    reason: str = ""
    """Why the run failed or was skipped; the text of the alert."""
    waiting_from: Phase = Phase.NEW
    """The settled phase that Waiting was entered from, to return to."""
    revisions: tuple[Revision, ...] = ()
    """The recorded revisions whose hash by upstream is known."""


class Verdict(StrEnum):
    """What came of measuring a metric; any but the first holds up the release."""

    PASSED = "passed"
    FAILED = "failed"
    """There is a value, and it is out of bounds."""
    NO_VALUES = "no-values"
    """The source answered, and has none."""
    ERROR = "error"
    """The source could not be asked: a fault of the manifest, the source or the way to it."""
    TIMEOUT = "timeout"
    """The source did not answer in time."""


class CheckResult(Model):
    """The last measurement of one check; additive to upstream's status."""

    name: str
    """Of the metric in `analysis.metrics`."""
    type: Literal["builtin", "query", "template"]
    """How it is measured; one metric can be measured in several ways."""
    value: float | None = None
    """In the unit of the bounds; milliseconds for the built-in request duration."""
    bounds: ThresholdRange = Field(default_factory=ThresholdRange)
    verdict: Verdict
    message: str = ""
    """The text of the event, unless it passed."""
    time: str
    """RFC 3339: the tick that measured it."""


class Condition(Model):
    """A condition in the usual Kubernetes form."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_update_time: str = ""
    last_transition_time: str = ""


class CanaryStatus(Model):
    """The status subresource."""

    phase: Phase = Phase.NEW
    canary_weight: int = 0
    failed_checks: int = 0
    iterations: int = 0
    tracked_configs: dict[str, str] | None = None
    last_applied_spec: str = ""
    last_promoted_spec: str = ""
    last_transition_time: str = ""
    session_affinity_cookie: str = ""
    previous_session_affinity_cookie: str = ""
    primary_session_affinity_cookie: str = ""
    conditions: tuple[Condition, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    """The metrics of the last tick of the run that measured any and went on, or failed."""
    run: Run = Field(default_factory=Run)

    def to_api(self) -> Object:
        """What is stored: upstream's counters always, all else where it says something."""
        whole = super().to_api()
        kept = {key: value for key, value in whole.items() if key in _ALWAYS or not _empty(value)}
        if self.tracked_configs is not None:
            kept["trackedConfigs"] = dict(self.tracked_configs)
        if self.checks:
            kept["checks"] = [
                {key: value for key, value in each.to_api().items() if not _empty(value)}
                for each in self.checks
            ]
        kept |= {key: self.shown(kept[key]) for key in _HASHES if key in kept}
        run = {key: value for key, value in whole["run"].items() if not _empty(value)}
        return {**kept, "run": run} if run else {k: v for k, v in kept.items() if k != "run"}

    def shown(self, revision: str) -> str:
        """What the API has for one of our revision hashes: upstream's, where it is known."""
        names = {each.ours: each.upstream for each in self.run.revisions}
        return names.get(revision, revision)

    def decoded(self) -> "CanaryStatus":
        """This status as it was read, with our hashes in place of upstream's."""
        names = {each.upstream: each.ours for each in self.run.revisions}
        found = {
            field: getattr(self, field) for field in ("last_applied_spec", "last_promoted_spec")
        }
        return self.model_copy(update={field: names.get(one, one) for field, one in found.items()})

    @property
    def promoted_by_upstream(self) -> bool:
        """Upstream promoted the revision, which only the phase tells; we record the approval."""
        return self.phase in _PROMOTED and not self.run.promotion_approved

    @property
    def replacing(self) -> bool:
        """The primary, and what belongs to it, is given the target's revision."""
        owed = self.run.obligation
        if owed is Obligation.NONE:
            return self.phase is Phase.PROMOTING
        return owed in (Obligation.PROMOTE, Obligation.SKIP)

    @property
    def route(self) -> Route:
        """The split in force; all traffic on the primary where none was recorded."""
        return self.run.route or Route()


_PROMOTED: Final = frozenset({Phase.PROMOTING, Phase.FINALISING})
_HASHES: Final = ("lastAppliedSpec", "lastPromotedSpec")
_ALWAYS: Final = frozenset({"phase", "canaryWeight", "failedChecks", "iterations"})


def _empty(value: object) -> bool:
    return value is None or value is False or value in ("", [], {})
