"""From a decision's alert to a message, and who gets it (alerting.md sections 3 and 8); pure."""

import hashlib
from datetime import datetime
from typing import Final

from flagger_controller.alerts.base import Field, Message
from flagger_controller.api.canary import AlertRoute, Canary, Strategy
from flagger_controller.api.checksum import checksum
from flagger_controller.rollout.decision import Alert, Severity

_RANKS: Final = {Severity.INFO: 0, Severity.WARN: 1, Severity.ERROR: 2}


def message(canary: Canary, alert: Alert, cluster: str, now: datetime) -> Message:
    """The message about a canary; the cluster's name, when there is one, is the first field."""
    fields = [Field("Cluster", cluster)] if cluster else []
    if alert.metadata:
        fields += _description(canary)
    return Message(
        workload=canary.name,
        namespace=canary.namespace,
        text=alert.text,
        fields=tuple(fields),
        severity=alert.severity,
        at=now,
        facts={"cluster": cluster, **_facts(canary, alert)},
    )


def variables(message: Message) -> dict[str, str]:
    """What a message template can name."""
    return {**message.facts, "message": message.text, "severity": message.severity.value}


def routes(canary: Canary, severity: Severity) -> tuple[AlertRoute, ...] | None:
    """The canary's own providers that want alerts of a severity; None: it has none of its own.

    A canary with `alerts` never uses the global notifier, even when no entry matches. An entry
    without severity wants everything, as its documentation says; upstream sends it nothing (A1).
    """
    own = canary.analysis.alerts
    if not own:
        return None
    rank = _RANKS[severity]
    return tuple(each for each in own if _RANKS[Severity(each.severity or "info")] <= rank)


def _facts(canary: Canary, alert: Alert) -> dict[str, str]:
    """What is known about the canary at that moment.

    Upstream's failures carry nothing of it (A16). The id is that of the decision and the text: an
    alert that is told again after a crash has the same one.
    """
    status, spec = canary.status, canary.spec
    revision = status.shown(status.last_applied_spec)
    decided = f"{canary.metadata.uid}/{status.run.ticked_at}/{alert.text}"
    return {
        "id": hashlib.sha256(decided.encode()).hexdigest()[:16],
        "name": canary.name,
        "namespace": canary.namespace,
        "kind": spec.target_ref.kind,
        "target": canary.target,
        "phase": status.phase.value,
        "revision": revision,
        "checksum": checksum(status.tracked_configs, revision),
        "weight": str(status.canary_weight),
        "iterations": str(status.iterations),
        "failedChecks": str(status.failed_checks),
    }


def _description(canary: Canary) -> list[Field]:
    kind = canary.spec.target_ref.kind
    fields = [
        Field("Target", f"{kind}/{canary.target}.{canary.namespace}"),
        Field("Failed checks threshold", str(canary.threshold)),
        Field("Progress deadline", f"{canary.deadline}s"),
    ]
    routing = _traffic_routing(canary)
    return [*fields, Field("Traffic routing", routing)] if routing else fields


def _traffic_routing(canary: Canary) -> str:
    """How traffic moves; the maximum is the raw field, 0 when it is not set."""
    analysis = canary.analysis
    match canary.strategy:
        case Strategy.AB_TESTING:
            return "A/B Testing"
        case Strategy.BLUE_GREEN:
            return "Blue/Green"
        case Strategy.CANARY if analysis.step_weight > 0:
            return f"Weight step: {analysis.step_weight} max: {analysis.max_weight}"
        case Strategy.CANARY if analysis.step_weights:
            steps = ",".join(map(str, analysis.step_weights))
            return f"Weight steps: {steps} max: {analysis.max_weight}"
        case _:
            return ""
