"""Slack, by incoming web hook or as a bot with a token (alerting.md sections 5 and 7)."""

import html
from typing import Any, Final

from flagger_controller.alerts import attachments
from flagger_controller.alerts.base import Address, Message, checked
from flagger_controller.rollout.decision import Severity

_COLOURS: Final = {Severity.ERROR: "danger"}


class Slack:
    """Posts an attachment; `&`, `<` and `>` are escaped as Slack's markup wants it (A17)."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.url = checked(address.url, "Slack hook")

    def payload(self, message: Message) -> dict[str, Any]:
        """The message as an attachment."""
        colour = _COLOURS.get(message.severity, "good")
        return attachments.payload(message, self._address, colour, _escape)

    def headers(self) -> dict[str, str]:
        """The bearer token of a bot."""
        token = self._address.token
        return {"Authorization": f"Bearer {token}"} if token else {}


def _escape(text: str) -> str:
    return html.escape(text, quote=False)
