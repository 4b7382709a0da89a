"""The document that Slack, Discord and Rocket.Chat have in common (alerting.md section 7); pure."""

from collections.abc import Callable
from typing import Any

from flagger_controller.alerts.base import Address, Message


def payload(
    message: Message, address: Address, colour: str, escape: Callable[[str], str] = str
) -> dict[str, Any]:
    """One attachment; `escape` makes texts safe for the chat's markup."""
    fields = [
        {"title": each.name, "value": escape(each.value), "short": False} for each in message.fields
    ]
    attachment = {
        "color": colour,
        "author_name": message.subject,
        "text": escape(message.text),
        "mrkdwn_in": ["text"],
        "fields": fields,
    }
    return {
        "channel": address.channel,
        "username": address.username,
        "icon_url": "",
        "icon_emoji": ":rocket:",
        "attachments": [attachment],
    }
