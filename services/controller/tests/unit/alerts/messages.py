"""A message, and what channels make of it."""

import json
from datetime import UTC, datetime
from typing import Any

from flagger_controller.alerts.base import Address, Field, Message, Post
from flagger_controller.alerts.dispatch import post_of
from flagger_controller.alerts.providers import Destination
from flagger_controller.rollout.decision import Severity

INFO, WARN, ERROR = Severity
URL = "https://chat.test/hook"
NOW = datetime(2026, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)
FIELDS = (Field("Cluster", "rig"), Field("Target", "Deployment/podinfo.test"))
FACTS = {
    "id": "0123456789abcdef",
    "name": "podinfo",
    "namespace": "test",
    "cluster": "rig",
    "phase": "Progressing",
    "revision": "",
}


def message(severity: Severity = INFO, text: str = "It works.", **changes: Any) -> Message:
    usual: dict[str, Any] = {"fields": FIELDS, "facts": FACTS, "at": NOW}
    return Message("podinfo", "test", text, severity=severity, **(usual | changes))


def posted(kind: str, found: Message | None = None, url: str = URL, **address: Any) -> Post:
    return post_of(Destination(kind, Address(url, **address)), found or message())


def payload(kind: str, found: Message | None = None, url: str = URL, **address: Any) -> Any:
    return json.loads(posted(kind, found, url, **address).body)
