"""Google Chat, by web hook (alerting.md sections 5 and 7)."""

import html
from typing import Any, Final

from flagger_controller.alerts.base import Address, Message, checked

_ICON: Final = "https://flagger.app/favicon.png"


class GoogleChat:
    """Posts a card; its texts are HTML, so `&`, `<` and `>` are escaped (A17)."""

    def __init__(self, address: Address) -> None:
        self.url = checked(address.url, "Google Chat webhook")

    def payload(self, message: Message) -> dict[str, Any]:
        """The message as one section, then one for each field."""
        sections = [_section(_strong(message.text))]
        sections += [
            _section(f"{_escape(each.name)}<br>{_strong(each.value)}") for each in message.fields
        ]
        header = {"title": "Flagger", "subtitle": message.subject, "imageUrl": _ICON}
        return {"cards": [{"header": header, "sections": sections}]}

    def headers(self) -> dict[str, str]:
        """Nothing: the address is the secret."""
        return {}


def _section(text: str) -> dict[str, Any]:
    return {"widgets": [{"textParagraph": {"text": text}}]}


def _strong(text: str) -> str:
    return f"<font color=#848484><strong>{_escape(text)}</strong></font>"


def _escape(text: str) -> str:
    return html.escape(text, quote=False)
