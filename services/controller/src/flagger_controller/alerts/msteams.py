"""Microsoft Teams (alerting.md section 7): adaptive cards for Workflows, else MessageCards.

Microsoft retired the connectors that upstream's MessageCards were made for; Workflows show them
without colour. Other hosts, such as a relay of one's own, get what upstream sends, unless the
provider says otherwise.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from flagger_controller.alerts.base import Address, Message, Post, checked, encode
from flagger_controller.rollout.decision import Severity

_WORKFLOW_HOSTS: Final = (".logic.azure.com", ".powerplatform.com")
_COLOURS: Final = {Severity.INFO: "0076D7", Severity.WARN: "FFA500", Severity.ERROR: "FF0000"}
_STYLES: Final = {
    Severity.INFO: "emphasis",
    Severity.WARN: "warning",
    Severity.ERROR: "attention",
}


def post(address: Address, message: Message) -> Post:
    """A card of the form that the receiver shows best."""
    url = checked(address.url, "MS Teams webhook")
    workflow = (urlsplit(url).hostname or "").endswith(_WORKFLOW_HOSTS)
    adaptive = address.card == "adaptive" or (workflow and address.card != "message")
    return Post(url, encode(_adaptive_card(message) if adaptive else _message_card(message)))


def _message_card(message: Message) -> dict[str, Any]:
    section = {
        "activityTitle": message.text,
        "activitySubtitle": message.subject,
        "facts": [{"name": each.name, "value": each.value} for each in message.fields],
    }
    return {
        "@type": "MessageCard",
        "@context": "http://schema.org/extensions",
        "themeColor": _COLOURS[message.severity],
        "summary": message.subject,
        "sections": [section],
    }


def _adaptive_card(message: Message) -> dict[str, Any]:
    title = {"type": "TextBlock", "text": message.subject, "weight": "bolder", "size": "medium"}
    items = [title, {"type": "TextBlock", "text": message.text, "wrap": True}]
    facts = [{"title": each.name, "value": each.value} for each in message.fields]
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [
            {"type": "Container", "style": _STYLES[message.severity], "items": items},
            {"type": "FactSet", "facts": facts},
        ],
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": content,
    }
    return {"type": "message", "attachments": [attachment]}
