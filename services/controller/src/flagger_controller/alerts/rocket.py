"""Rocket.Chat, by incoming web hook (alerting.md sections 5 and 7)."""

from typing import Any, Final

from flagger_controller.alerts import attachments
from flagger_controller.alerts.base import Address, Message, checked
from flagger_controller.rollout.decision import Severity

_COLOURS: Final = {Severity.ERROR: "#FF0000"}


class Rocket:
    """Posts an attachment."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.url = checked(address.url, "Rocket hook")

    def payload(self, message: Message) -> dict[str, Any]:
        """The message as an attachment."""
        colour = _COLOURS.get(message.severity, "#0076D7")
        return attachments.payload(message, self._address, colour)

    def headers(self) -> dict[str, str]:
        """Nothing: the address is the secret."""
        return {}
