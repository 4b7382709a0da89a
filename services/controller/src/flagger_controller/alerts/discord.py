"""Discord, through its Slack-compatible address (alerting.md sections 5 and 7)."""

from typing import Final

from flagger_controller.alerts import attachments
from flagger_controller.alerts.base import Address, Message, Post, below, checked, encode
from flagger_controller.rollout.decision import Severity

_COLOURS: Final = {Severity.INFO: "good", Severity.WARN: "warning", Severity.ERROR: "danger"}


def post(address: Address, message: Message) -> Post:
    """An attachment, for the address with `/slack` at the end of its path (A12)."""
    url = below(checked(address.url, "Discord hook"), "/slack")
    return Post(url, encode(attachments.payload(message, address, _COLOURS[message.severity])))
