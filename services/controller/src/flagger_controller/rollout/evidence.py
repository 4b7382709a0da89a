"""What the engine knows (`Seen`) and what it can ask for (`Check`, answered in `Evidence`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from flagger_controller.api.canary import HookType
from flagger_controller.api.status import Phase, Route, Verdict


@dataclass(frozen=True)
class Health:
    """Readiness of a workload (state-machine.md section 14)."""

    ready: bool
    retriable: bool = True
    """False: waiting longer does not help, the deadline is over or the rollout is dead."""
    reason: str = ""
    """The complete event text when not ready."""
    available: bool = True
    """At least one pod can take traffic."""
    observed: bool = True
    """The workload's controller has acted on its latest spec."""


@dataclass(frozen=True)
class Revision:
    """A version of the target: its template and the configs it uses (canary-api.md section 6)."""

    spec: str
    """Hash of the pod template (or what stands for it)."""
    configs: Mapping[str, str] | None = None
    """Checksums of tracked configs; None when they are not tracked."""


@dataclass(frozen=True)
class Seen:
    """The cluster as the watch cache shows it at the start of a walk."""

    revision: Revision
    target: Health
    primary: Health
    promoted: bool = False
    """The primary carries the revision that the status is about."""
    foreign_hash: bool = False
    """The recorded hash has upstream's form and cannot be compared (canary-api.md 6.3)."""
    upstream: str = ""
    """What upstream 1.44 calls the live target; only told where a recorded hash is upstream's."""
    settled: bool = True
    """The cluster shows what the status asks for; nothing is left to write."""
    route: Route | None = None
    """The split found in routing objects, to adopt a release that upstream started."""
    problem: str = ""
    """Why nothing can be done for this canary; the event text, naming field and remedy."""
    warning: str = ""
    """What is odd but works; the event text, naming field and effect."""
    lagging: str = ""
    """The data plane has not taken over the last route yet; the event text."""


@dataclass(frozen=True)
class ProvidersCheck:
    """Are the metric providers of this canary reachable?"""


@dataclass(frozen=True)
class HookCheck:
    """Call one webhook."""

    kind: HookType
    index: int
    """Position among the hooks of its type."""
    phase: Phase
    """The phase in the payload (state-machine.md section 11)."""


class MetricPart(StrEnum):
    """One entry of `analysis.metrics` may be measured in several ways (metrics.md section 2)."""

    BUILTIN = "builtin"
    """`request-success-rate` or `request-duration`."""
    QUERY = "query"
    """Its inline query."""
    TEMPLATE = "template"
    """Its MetricTemplate; also what an entry with nothing usable fails with."""


@dataclass(frozen=True)
class MetricCheck:
    """Measure one metric of `analysis.metrics`."""

    index: int
    part: MetricPart


Check = ProvidersCheck | HookCheck | MetricCheck


@dataclass(frozen=True)
class Answer:
    """What a hook or a provider said."""

    ok: bool
    error: str = ""


@dataclass(frozen=True)
class Measured:
    """A metric has a value (in the unit of its bounds)."""

    value: float


@dataclass(frozen=True)
class Unmeasured:
    """A metric has no value; the complete event text tells why."""

    text: str
    failed: bool = False
    """The source could not be asked (True), as opposed to: it has no values (False)."""
    late: bool = False
    """It could not be asked because it did not answer in time."""

    @property
    def verdict(self) -> Verdict:
        """What the status says of it."""
        if self.late:
            return Verdict.TIMEOUT
        return Verdict.ERROR if self.failed else Verdict.NO_VALUES


Result = Answer | Measured | Unmeasured


@dataclass(frozen=True)
class Evidence:
    """Everything that was asked in this tick."""

    answers: Mapping[HookCheck | ProvidersCheck, Answer] = field(default_factory=dict)
    measurements: Mapping[MetricCheck, Measured | Unmeasured] = field(default_factory=dict)

    def having(self, check: Check, result: Result) -> "Evidence":
        """This evidence and one more result.

        Raises:
            TypeError: a metric was answered like a hook, or the other way round.
        """
        if isinstance(check, MetricCheck) and not isinstance(result, Answer):
            return replace(self, measurements={**self.measurements, check: result})
        if not isinstance(check, MetricCheck) and isinstance(result, Answer):
            return replace(self, answers={**self.answers, check: result})
        raise TypeError(f"{result!r} does not answer {check!r}")
