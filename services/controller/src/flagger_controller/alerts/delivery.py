"""Posts a message, and again when that can help (alerting.md section 6)."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final

from flagger_controller import net
from flagger_controller.alerts.base import Address, Post
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
_JSON: Final = ("Content-Type", "application/json")
_RATE_LIMITED: Final = ("ratelimited", "rate_limited")


class PostError(FlaggerError):
    """The message was not accepted; the text shows no address and no token."""

    def __init__(self, text: str, *, wait: float | None) -> None:
        super().__init__(f"postMessage failed: sending notification {text}")
        self.wait = wait
        """Seconds the receiver asks for; zero: it does not say; None: trying again is no use."""


class Postman:
    """Delivers messages."""

    def __init__(self, http: net.Http, sleep: Sleep = asyncio.sleep) -> None:
        self._http = http
        self._sleep = sleep

    async def deliver(self, post: Post, address: Address) -> None:
        """Post the message until it is accepted, at most five times.

        Raises:
            PostError: not accepted, also not after the retries.
        """
        for wait in WAITS:
            try:
                await self._attempt(post, address)
                return
            except PostError as error:
                if error.wait is None:
                    raise
                await self._sleep(max(wait, min(error.wait, _LONGEST_WAIT)))
        await self._attempt(post, address)

    async def _attempt(self, post: Post, address: Address) -> None:
        request = net.Request(
            method="POST",
            url=post.url,
            headers=(_JSON, *post.headers, *address.headers),
            body=post.body,
            authority=address.authority,
            proxy=address.proxy,
            limit=_BODY_LIMIT,
        )
        secrets = (post.url, *address.secrets, *(value for _, value in post.headers))
        try:
            reply = await self._http.call(request)
        except net.CallError as error:
            wait = 0.0 if isinstance(error, net.Unreachable) else None
            text = net.redact(str(error), secrets)
            raise PostError(f"failed to send: {text}", wait=wait) from error
        _check(reply, net.redact(reply.text, secrets), post.refusal)


def _check(reply: net.Reply, answer: str, refusal: Callable[[str], str]) -> None:
    if not 200 <= reply.status <= 299:
        shown = net.shorten(answer, ERROR_LIMIT)
        raise PostError(f"bad response {reply.status}: {shown}", wait=_wait(reply))
    if refused := refusal(answer):
        wait = _asked(reply) if refused in _RATE_LIMITED else None
        raise PostError(f"refused: {net.shorten(refused, ERROR_LIMIT)}", wait=wait)


def _wait(reply: net.Reply) -> float | None:
    repeatable = reply.status == _TOO_MANY_REQUESTS or reply.status >= _SERVER_ERROR
    return _asked(reply) if repeatable else None


def _asked(reply: net.Reply) -> float:
    asked = reply.headers.get("retry-after", "")
    return float(asked) if re.fullmatch(r"\d{1,9}", asked) else 0.0
