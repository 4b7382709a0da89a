"""Microsoft Teams (alerting.md section 7): adaptive cards for Workflows, else MessageCards.

Microsoft retired the connectors that upstream's MessageCards were made for; Workflows show them
without colour. Other hosts, such as a relay of one's own, get what upstream sends.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from flagger_controller.alerts.base import Address, Message, checked
from flagger_controller.rollout.decision import Severity

_WORKFLOW_HOSTS: Final = (".logic.azure.com", ".powerplatform.com")
_COLOURS: Final = {Severity.ERROR: "FF0000"}
_STYLES: Final = {Severity.WARN: "warning", Severity.ERROR: "attention"}


class MsTeams:
    """Posts a card."""

    def __init__(self, address: Address) -> None:
        self.url = checked(address.url, "MS Teams webhook")
        self._adaptive = (urlsplit(self.url).hostname or "").endswith(_WORKFLOW_HOSTS)

    def payload(self, message: Message) -> dict[str, Any]:
        """The message as a card of the form that the receiver shows best."""
        return _adaptive_card(message) if self._adaptive else _message_card(message)

    def headers(self) -> dict[str, str]:
        """Nothing: the address is the secret."""
        return {}


def _message_card(message: Message) -> dict[str, Any]:
    section = {
        "activityTitle": message.text,
        "activitySubtitle": message.subject,
        "facts": [{"name": each.name, "value": each.value} for each in message.fields],
    }
    return {
        "@type": "MessageCard",
        "@context": "http://schema.org/extensions",
        "themeColor": _COLOURS.get(message.severity, "0076D7"),
        "summary": message.subject,
        "sections": [section],
    }


def _adaptive_card(message: Message) -> dict[str, Any]:
    title = {"type": "TextBlock", "text": message.subject, "weight": "bolder", "size": "medium"}
    items = [title, {"type": "TextBlock", "text": message.text, "wrap": True}]
    style = _STYLES.get(message.severity, "emphasis")
    facts = [{"title": each.name, "value": each.value} for each in message.fields]
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [
            {"type": "Container", "style": style, "items": items},
            {"type": "FactSet", "facts": facts},
        ],
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": content,
    }
    return {"type": "message", "attachments": [attachment]}
