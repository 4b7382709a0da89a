"""Google Chat, by web hook (alerting.md sections 5 and 7)."""

import html
from typing import Any, Final

from flagger_controller.alerts.base import Address, Message, Post, checked, encode
from flagger_controller.rollout.decision import Severity

_ICON: Final = "https://flagger.app/favicon.png"
_TITLES: Final = {
    Severity.INFO: "Flagger",
    Severity.WARN: "Flagger: warning",
    Severity.ERROR: "Flagger: error",
}
"""Cards of web hooks have no colour, so a word says how urgent it is (A6)."""


def post(address: Address, message: Message) -> Post:
    """A card; its texts are HTML, so `&`, `<` and `>` are escaped (A17)."""
    return Post(checked(address.url, "Google Chat webhook"), encode(_card(message)))


def _card(message: Message) -> dict[str, Any]:
    """The message is one section, then there is one for each field."""
    sections = [_section(_strong(message.text))]
    sections += [
        _section(f"{_escape(each.name)}<br>{_strong(each.value)}") for each in message.fields
    ]
    header = {
        "title": _TITLES[message.severity],
        "subtitle": message.subject,
        "imageUrl": _ICON,
    }
    return {"cards": [{"header": header, "sections": sections}]}


def _section(text: str) -> dict[str, Any]:
    return {"widgets": [{"textParagraph": {"text": text}}]}


def _strong(text: str) -> str:
    return f"<font color=#848484><strong>{_escape(text)}</strong></font>"


def _escape(text: str) -> str:
    return html.escape(text, quote=False)
