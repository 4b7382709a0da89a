"""Alertmanager, with the second version of its API.

Not one of upstream's. Alerts there are states with an end, while ours are messages: the last
message about a canary is what fires, and the ones before it end.
"""

from datetime import datetime, timedelta
from typing import Final

from flagger_controller.alerts.base import (
    Address,
    Message,
    Post,
    authorization,
    below,
    checked,
    encode,
)
from flagger_controller.rollout.decision import Severity

NAME: Final = "FlaggerCanary"
"""The label `alertname`."""
_PATH: Final = "/api/v2/alerts"
_SEVERITIES: Final = {
    Severity.INFO: "info",
    Severity.WARN: "warning",
    Severity.ERROR: "critical",
}
_LASTS: Final = {
    Severity.INFO: timedelta(minutes=5),
    Severity.WARN: timedelta(days=1),
    Severity.ERROR: timedelta(days=1),
}
"""How long an alert fires if nothing is said about the canary any more."""
_IN_LABELS: Final = frozenset({"name", "namespace", "cluster"})


def post(address: Address, message: Message) -> Post:
    """The alert that begins, and those of other severities, which end."""
    begins = {
        "labels": _labels(message, message.severity),
        "annotations": _annotations(message),
        "startsAt": _stamp(message.at),
        "endsAt": _stamp(message.at + _LASTS[message.severity]),
    }
    end = [
        {
            "labels": _labels(message, other),
            "annotations": _annotations(message),
            "endsAt": _stamp(message.at),
        }
        for other in Severity
        if other is not message.severity
    ]
    url = below(checked(address.url, "Alertmanager"), _PATH)
    return Post(url, encode([begins, *end]), authorization(address))


def _labels(message: Message, severity: Severity) -> dict[str, str]:
    cluster = message.facts.get("cluster", "")
    return {
        "alertname": NAME,
        "severity": _SEVERITIES[severity],
        "canary": message.workload,
        "namespace": message.namespace,
        **({"cluster": cluster} if cluster else {}),
    }


def _annotations(message: Message) -> dict[str, str]:
    facts = message.facts.items()
    known = {key: value for key, value in facts if value and key not in _IN_LABELS}
    return {**known, "summary": f"{message.subject}: {message.text}"}


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
