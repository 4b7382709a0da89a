"""Posts a message to a channel, and again when that can help (alerting.md section 6)."""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Final

from flagger_controller import net
from flagger_controller.alerts.base import Address, Channel, Message
from flagger_controller.errors import FlaggerError

Sleep = Callable[[float], Awaitable[None]]
"""Waits so many seconds; `asyncio.sleep` outside tests."""

ERROR_LIMIT: Final = 512
"""Bytes of an answer that are logged."""
WAITS: Final = (1.0, 2.0, 4.0, 8.0)
"""Seconds between attempts."""
_LONGEST_WAIT: Final = 60.0
"""Seconds that a receiver's `Retry-After` can ask for."""
_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERROR: Final = 500
_BODY_LIMIT: Final = 64 * 1024


class PostError(FlaggerError):
    """The message was not accepted; the text shows no address and no token."""

    def __init__(self, text: str, *, wait: float | None) -> None:
        super().__init__(f"postMessage failed: sending notification {text}")
        self.wait = wait
        """Seconds the receiver asks for; zero: it does not say; None: trying again is no use."""


async def post(
    http: net.Http, channel: Channel, address: Address, message: Message, sleep: Sleep
) -> None:
    """Deliver the message.

    Raises:
        PostError: not accepted, also not after the retries.
    """
    for wait in WAITS:
        try:
            await _attempt(http, channel, address, message)
            return
        except PostError as error:
            if error.wait is None:
                raise
            await sleep(max(wait, min(error.wait, _LONGEST_WAIT)))
    await _attempt(http, channel, address, message)


async def _attempt(http: net.Http, channel: Channel, address: Address, message: Message) -> None:
    request = net.Request(
        method="POST",
        url=channel.url,
        headers=(("Content-Type", "application/json"), *channel.headers().items()),
        body=json.dumps(channel.payload(message)).encode(),
        proxy=address.proxy,
        limit=_BODY_LIMIT,
    )
    secrets = (channel.url, address.url, address.token, address.proxy)
    try:
        reply = await http.call(request)
    except net.CallError as error:
        wait = 0.0 if isinstance(error, net.Unreachable) else None
        text = net.redact(str(error), secrets)
        raise PostError(f"failed to send: {text}", wait=wait) from error
    shown = net.shorten(net.redact(reply.text, secrets), ERROR_LIMIT)
    if not 200 <= reply.status <= 299:
        raise PostError(f"bad response {reply.status}: {shown}", wait=_wait(reply))
    refusal = _refusal(reply)
    if refusal:
        limited = refusal in ("ratelimited", "rate_limited")
        raise PostError(f"refused: {refusal}", wait=_asked(reply) if limited else None)


def _wait(reply: net.Reply) -> float | None:
    repeatable = reply.status == _TOO_MANY_REQUESTS or reply.status >= _SERVER_ERROR
    return _asked(reply) if repeatable else None


def _asked(reply: net.Reply) -> float:
    asked = reply.headers.get("retry-after", "")
    return float(asked) if re.fullmatch(r"\d{1,9}", asked) else 0.0


def _refusal(reply: net.Reply) -> str:
    """Slack answers 200 and says in the body that it did not post the message (A5)."""
    try:
        answer = json.loads(reply.body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(answer, dict) or answer.get("ok") is not False:
        return ""
    return net.shorten(str(answer.get("error") or "no reason given"), ERROR_LIMIT)
