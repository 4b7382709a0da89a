"""Discord, through its Slack-compatible address (alerting.md sections 5 and 7)."""

from typing import Any, Final
from urllib.parse import urlsplit

from flagger_controller.alerts import attachments
from flagger_controller.alerts.base import Address, Message, checked
from flagger_controller.rollout.decision import Severity

_COLOURS: Final = {Severity.ERROR: "danger"}


class Discord:
    """Posts an attachment."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.url = _slack_compatible(checked(address.url, "Discord hook"))

    def payload(self, message: Message) -> dict[str, Any]:
        """The message as an attachment."""
        colour = _COLOURS.get(message.severity, "good")
        return attachments.payload(message, self._address, colour)

    def headers(self) -> dict[str, str]:
        """Nothing: the address is the secret."""
        return {}


def _slack_compatible(url: str) -> str:
    """The address with `/slack` at the end of its path, whatever its query says (A12)."""
    parsed = urlsplit(url)
    path = parsed.path.rstrip("/")
    return url if path.endswith("/slack") else parsed._replace(path=f"{path}/slack").geturl()
