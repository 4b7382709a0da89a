"""Slack, by incoming web hook or as a bot with a token (alerting.md sections 5 and 7)."""

import html
import json
from typing import Final

from flagger_controller.alerts import attachments
from flagger_controller.alerts.base import Address, Message, Post, authorization, checked, encode
from flagger_controller.rollout.decision import Severity

_COLOURS: Final = {Severity.INFO: "good", Severity.WARN: "warning", Severity.ERROR: "danger"}


def post(address: Address, message: Message) -> Post:
    """An attachment; `&`, `<` and `>` are escaped as Slack's markup wants it (A17)."""
    colour = _COLOURS[message.severity]
    return Post(
        url=checked(address.url, "Slack hook"),
        body=encode(attachments.payload(message, address, colour, _escape)),
        headers=authorization(address),
        refusal=_refusal,
    )


def _escape(text: str) -> str:
    return html.escape(text, quote=False)


def _refusal(answer: str) -> str:
    """Slack answers 200 and says in the body that it did not post the message (A5)."""
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(document, dict) or document.get("ok") is not False:
        return ""
    return str(document.get("error") or "no reason given")
