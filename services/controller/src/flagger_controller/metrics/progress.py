"""Our own series of each canary: where its release stands and why it does not go on.

Upstream's series hide states (telemetry.md, sharp edges T3, T7, T14) and are labelled with the
target's name only (T6). These have the Canary's name besides, in the label `canary`.
"""

from datetime import datetime
from typing import Final

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus, Phase, Verdict
from flagger_controller.metrics.series import Series
from flagger_controller.rollout.decision import Cause, Outcome

_CANARY: Final = ("canary", "name", "namespace")
_OUTCOMES: Final = ("succeeded", "failed")
RESULTS: Final = tuple(each.value for each in Verdict)
"""What can come of a check."""
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_RUNS: Final = (
    *(minutes * _MINUTE for minutes in (1, 2, 5, 10, 20, 30)),
    *(hours * _HOUR for hours in (1, 2, 4, 8, 12, 24)),
)


class Progress:
    """Sets the series."""

    def __init__(self, series: Series) -> None:
        self._phase = series.gauge(
            "canary_phase", "1 for the phase that the Canary is in", *_CANARY, "phase"
        )
        self._failed_checks = series.gauge(
            "canary_failed_checks", "Failed checks of the analysis under way", *_CANARY
        )
        self._iterations = series.gauge(
            "canary_iterations", "Iterations of the analysis under way", *_CANARY
        )
        self._mirrored = series.gauge(
            "canary_mirrored", "Whether requests are mirrored to the canary", *_CANARY
        )
        self._last_step = series.gauge(
            "canary_last_step_timestamp_seconds",
            "When the status of the Canary last changed",
            *_CANARY,
        )
        self._checks = series.counter(
            "canary_checks", "Checks by name and result", *_CANARY, "check", "result"
        )
        self._rollbacks = series.counter(
            "canary_rollbacks", "Failed releases by cause", *_CANARY, "cause"
        )
        self._runs = series.histogram(
            "canary_run_duration_seconds",
            "Seconds from the start of a release to its end",
            _RUNS,
            *(*_CANARY, "outcome"),
        )
        self._checked: dict[tuple[str, ...], set[str]] = {}
        """Checks of each Canary: to look for its series among those of all takes too long."""
        self._phases: dict[tuple[str, ...], Phase] = {}
        """What is shown; a phase that is left is removed, so that none is shown twice."""

    def show(self, canary: Canary) -> None:
        """What the status says."""
        labels, status = _labels(canary), canary.status
        self._show_phase(labels, status.phase)
        self._failed_checks.labels(*labels).set(status.failed_checks)
        self._iterations.labels(*labels).set(status.iterations)
        self._mirrored.labels(*labels).set(status.route.mirrored)
        self._begin_counters(labels, status)
        if changed := _last_change(status):
            self._last_step.labels(*labels).set(_moment(changed).timestamp())

    def _begin_counters(self, labels: tuple[str, ...], status: CanaryStatus) -> None:
        """Prometheus sees an increase from zero only, so zero must have been there."""
        for cause in Cause:
            self._rollbacks.labels(*labels, cause.value)
        if status.run.started_at:
            for outcome in _OUTCOMES:
                self._runs.labels(*labels, outcome)

    def _show_phase(self, labels: tuple[str, ...], phase: Phase) -> None:
        before = self._phases.pop(labels, Phase.NEW)
        if before not in (Phase.NEW, phase):
            self._phase.remove(*labels, before.value)
        if phase is not Phase.NEW:
            self._phases[labels] = phase
            self._phase.labels(*labels, phase.value).set(1)

    def count_check(self, canary: Canary, check: str, result: str) -> None:
        """A hook or a metric was asked, and what came of it."""
        labels = _labels(canary)
        self._checked.setdefault(labels, set()).add(check)
        for each in RESULTS:
            self._checks.labels(*labels, check, each).inc(each == result)

    def end(self, canary: Canary, outcome: Outcome) -> None:
        """A release is over. How long it took is not known of those that upstream began."""
        labels, run = _labels(canary), canary.status.run
        if outcome.cause is not None:
            self._rollbacks.labels(*labels, outcome.cause.value).inc()
        if run.started_at:
            took = _moment(run.ticked_at) - _moment(run.started_at)
            word = _OUTCOMES[0 if outcome.succeeded else 1]
            self._runs.labels(*labels, word).observe(took.total_seconds())

    def forget(self, canary: str, target: str, namespace: str) -> None:
        """Remove the series of a Canary that is gone, or that has another target now."""
        labels = (canary, target, namespace)
        if phase := self._phases.pop(labels, None):
            self._phase.remove(*labels, phase.value)
        for gauge in (self._failed_checks, self._iterations, self._mirrored, self._last_step):
            gauge.remove(*labels)
        for check in self._checked.pop(labels, ()):
            for result in RESULTS:
                self._checks.remove(*labels, check, result)
        for cause in Cause:
            self._rollbacks.remove(*labels, cause.value)
        for outcome in _OUTCOMES:
            self._runs.remove(*labels, outcome)


def _labels(canary: Canary) -> tuple[str, str, str]:
    return canary.name, canary.target, canary.namespace


def _last_change(status: CanaryStatus) -> str:
    return status.run.ticked_at or status.last_transition_time


def _moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)
