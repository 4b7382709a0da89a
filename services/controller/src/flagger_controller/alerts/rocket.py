"""Rocket.Chat, by incoming web hook (alerting.md sections 5 and 7)."""

from typing import Final

from flagger_controller.alerts import attachments
from flagger_controller.alerts.base import Address, Message, Post, checked, encode
from flagger_controller.rollout.decision import Severity

_COLOURS: Final = {Severity.INFO: "#0076D7", Severity.WARN: "#FFA500", Severity.ERROR: "#FF0000"}


def post(address: Address, message: Message) -> Post:
    """An attachment."""
    url = checked(address.url, "Rocket hook")
    return Post(url, encode(attachments.payload(message, address, _COLOURS[message.severity])))
