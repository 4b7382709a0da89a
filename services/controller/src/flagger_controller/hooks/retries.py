"""When a hook is called again, and after how long (webhooks.md section 6).

Its own code instead of a library: the waits, and what is retried, are a contract with receivers.
"""

import email.utils
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flagger_controller import net
from flagger_controller.clock import Clock

Sleep = Callable[[float], Awaitable[None]]
"""Waits so many seconds; `asyncio.sleep` outside tests."""

_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 30.0
_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERROR: Final = 500
_NOT_IMPLEMENTED: Final = 501
_UNAVAILABLE: Final = 503


@dataclass(frozen=True)
class Outcome:
    """How a call with its retries ended: with the last reply or with the last error."""

    attempts: int
    reply: net.Reply | None = None
    error: net.CallError | None = None

    @property
    def exhausted(self) -> bool:
        """No attempt got an answer that counts."""
        return self.reply is None or repeatable(self.reply.status)


def repeatable(status: int) -> bool:
    """Whether the same call may get a better answer later."""
    if status == _TOO_MANY_REQUESTS:
        return True
    return status >= _SERVER_ERROR and status != _NOT_IMPLEMENTED


def wait(attempt: int, reply: net.Reply | None, now: datetime) -> float:
    """Seconds between an attempt, counted from 1, and the next one.

    A `Retry-After` of 429 and 503 replaces the computed wait, without an upper bound.
    """
    if reply is not None and reply.status in (_TOO_MANY_REQUESTS, _UNAVAILABLE):
        asked = _retry_after(reply.headers.get("retry-after", ""), now)
        if asked is not None:
            return asked
    return min(_FIRST_WAIT * 2.0 ** min(attempt - 1, 30), _LONGEST_WAIT)


async def persist(
    http: net.Http,
    request: net.Request,
    retries: int,
    sleep: Sleep,
    now: Clock,
    *,
    final: tuple[int, ...] = (),
) -> Outcome:
    """Call until an answer counts, the error is final, or the retries are used up.

    Args:
        http: the client.
        request: what to send.
        retries: further attempts after the first.
        sleep: waits between attempts.
        now: the time, for a `Retry-After` that names one.
        final: statuses that count although others repeat them.
    """
    last = max(retries, 0) + 1
    for attempt in range(1, last + 1):
        outcome = await _attempt(http, request, attempt)
        counts = not outcome.exhausted or (outcome.reply and outcome.reply.status in final)
        if counts or isinstance(outcome.error, net.Unusable) or attempt == last:
            return outcome
        await sleep(wait(attempt, outcome.reply, now()))
    raise AssertionError("the last attempt returns")


async def _attempt(http: net.Http, request: net.Request, attempt: int) -> Outcome:
    try:
        return Outcome(attempt, reply=await http.call(request))
    except net.CallError as error:
        return Outcome(attempt, error=error)


def _retry_after(text: str, now: datetime) -> float | None:
    if re.fullmatch(r"\d{1,18}", text):
        return float(text)
    try:
        asked = email.utils.parsedate_to_datetime(text)
        return max(0.0, asked.timestamp() - now.timestamp())
    except ValueError:
        return None
