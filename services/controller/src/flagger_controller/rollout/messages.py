"""Every text that users see in events and alerts, in upstream's wording (state-machine.md 13).

People grep for these: a change here is a change of the interface.
"""

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Phase
from flagger_controller.rollout.decision import Alert, Event, Severity

SUSPENDED = "skipping canary run as object is suspended"
PROVIDERS_AVAILABLE = "all the metrics providers are available!"
ROUTING_TO_PRIMARY = "Routing all traffic to primary"
ROUTING_TO_CANARY = "Routing all traffic to canary"
STOP_MIRRORING = "Stop traffic mirroring and route all traffic to canary"
NO_AB_TESTING = "A/B testing is not supported when using the kubernetes provider"
NO_WEIGHTS = "Progressive traffic is not supported when using the kubernetes provider"
FORCING_ITERATIONS = "Setting canaryAnalysis.iterations: 10"

MANUAL_ROLLBACK = "Rolling back manual webhook invoked"
SKIPPED = "Canary analysis was skipped, promotion finished."
COMPLETED = "Canary analysis completed successfully, promotion finished."
STARTED = "New revision detected, progressing canary analysis."


def _target(canary: Canary) -> str:
    return f"{canary.target}.{canary.namespace}"


def _primary(canary: Canary) -> str:
    return f"{canary.primary}.{canary.namespace}"


def providers_unavailable(error: str) -> Event:
    """A metric provider cannot be reached while the canary is initialized."""
    return Event(f"Error checking metric providers: {error}", warning=True, error=True)


def initialized(canary: Canary) -> str:
    """The primary serves, the target is at zero."""
    return f"Initialization done! {canary.key}"


def initialized_alert(canary: Canary) -> Alert:
    """The same for chat."""
    text = f"New {canary.spec.target_ref.kind} detected, initialization completed."
    return Alert(text, Severity.INFO, metadata=True)


def waiting_rollout(canary: Canary, hook: str) -> Event:
    """A confirm-rollout gate is closed (alerting.md A14: told in the phase that is entered)."""
    text = f"Halt {canary.key} advancement waiting for approval {hook}"
    return Event(text, warning=True, phase=Phase.WAITING)


def waiting_traffic(canary: Canary, hook: str) -> Event:
    """A confirm-traffic-increase gate is closed."""
    text = f"Halt {canary.key} advancement waiting for traffic increase approval {hook}"
    return Event(text, warning=True)


def waiting_promotion(canary: Canary, hook: str) -> Event:
    """A confirm-promotion gate is closed."""
    text = f"Halt {canary.key} advancement waiting for promotion approval {hook}"
    return Event(text, warning=True, phase=Phase.WAITING_PROMOTION)


WAITING_ROLLOUT_ALERT = Alert("Canary is waiting for approval.", Severity.WARN)
WAITING_TRAFFIC_ALERT = Alert("Canary traffic increase is waiting for approval.", Severity.WARN)
WAITING_PROMOTION_ALERT = Alert("Canary promotion is waiting for approval.", Severity.WARN)


def scaling_up(canary: Canary) -> str:
    """A run starts."""
    return f"New revision detected! Scaling up {_target(canary)}"


def restarting(canary: Canary) -> str:
    """The target changed during a run."""
    return f"New revision detected! Restarting analysis for {_target(canary)}"


def unconditional(canary: Canary) -> str:
    """`analysis.match` was removed during a run."""
    return f"spec.analysis.match was removed! Restarting analysis for {_target(canary)}"


def starting_analysis(canary: Canary) -> str:
    """The first analysis tick of a run."""
    return f"Starting canary analysis for {_target(canary)}"


def advance_weight(canary: Canary, weight: int) -> str:
    """More traffic on the canary."""
    return f"Advance {canary.key} canary weight {weight}"


def advance_iteration(canary: Canary, iteration: int, iterations: int) -> str:
    """One more iteration without a failure."""
    return f"Advance {canary.key} canary iteration {iteration}/{iterations}"


def advance_primary(canary: Canary, weight: int) -> str:
    """More traffic back on the promoted primary."""
    return f"Advance {canary.key} primary weight {weight}"


def copying(canary: Canary) -> str:
    """The primary is given the analysed template."""
    return f"Copying {_target(canary)} template spec to {_primary(canary)}"


def completed(canary: Canary, *, skipped: bool) -> str:
    """The release is in production."""
    if skipped:
        return f"Promotion completed! Canary analysis was skipped for {_target(canary)}"
    return f"Promotion completed! Scaling down {_target(canary)}"


def threshold_reached(canary: Canary, failed: int) -> Event:
    """Too many failed checks."""
    return Event(
        f"Rolling back {canary.key} failed checks threshold reached {failed}",
        warning=True,
        failure=True,
    )


def threshold_alert(failed: int) -> str:
    """The same for chat."""
    return f"Failed checks threshold reached {failed}"


def manual_rollback(canary: Canary) -> Event:
    """A rollback hook said yes."""
    return Event(f"Rolling back {canary.key} manual webhook invoked", warning=True, failure=True)


def deadline_exceeded(canary: Canary, error: str) -> Event:
    """A workload can no longer become ready."""
    return Event(
        f"Rolling back {canary.key} progress deadline exceeded {error}", warning=True, failure=True
    )


def deadline_alert(error: str) -> str:
    """The same for chat."""
    return f"Progress deadline exceeded {error}"


def failed(canary: Canary) -> str:
    """The rollback is done. Upstream names the canary here, not the target."""
    return f"Canary failed! Scaling down {canary.key}"


def promotion_failed(canary: Canary, error: str) -> str:
    """The primary died of the promoted revision."""
    return f"Promotion of {_target(canary)} failed, primary not ready: {error}"


def promotion_failed_alert(error: str) -> str:
    """The same for chat."""
    return f"Promotion failed, primary not ready: {error}"


def terminating(canary: Canary) -> str:
    """A deleted canary is being reverted."""
    return f"Terminating canary {canary.key}"


def terminated(canary: Canary) -> str:
    """A deleted canary has been reverted."""
    return f"Terminated canary {canary.key}"


def hook_passed(label: str, hook: str) -> str:
    """A hook said yes; `label` is the hook type as messages spell it."""
    return f"{label} check {hook} passed"


def not_rolling_back(hook: str) -> str:
    """A rollback hook said no."""
    return f"Rollback hook {hook} not signaling a rollback"


def pre_rollout_failed(canary: Canary, hook: str, error: str) -> Event:
    """A pre-rollout hook said no."""
    text = f"Halt {canary.key} advancement pre-rollout check {hook} failed {error}"
    return Event(text, warning=True)


def rollout_failed(canary: Canary, hook: str, error: str) -> Event:
    """A rollout hook said no."""
    text = f"Halt {canary.key} advancement external check {hook} failed {error}"
    return Event(text, warning=True)


def post_rollout_failed(hook: str, error: str) -> str:
    """A post-rollout hook said no; the outcome stays."""
    return f"Post-rollout hook {hook} failed {error}"


def scaled_to_zero(canary: Canary) -> str:
    """Somebody scaled the target down during a run."""
    kind = canary.spec.target_ref.kind.lower()
    return f"canary {kind} {_target(canary)} not ready: no pods, waiting for scale up"
