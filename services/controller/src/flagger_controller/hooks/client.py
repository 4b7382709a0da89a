"""Calls hooks and says whether they passed (webhooks.md sections 5 to 7)."""

import asyncio
from dataclasses import replace
from typing import Final

from flagger_common import durations
from flagger_controller import clock, net, seats, secrecy
from flagger_controller.api.canary import HookType, Webhook
from flagger_controller.errors import ConfigError
from flagger_controller.hooks import retries
from flagger_controller.hooks.credentials import Credentials
from flagger_controller.rollout.evidence import Answer

DEFAULT_TIMEOUT: Final = 10.0
"""Seconds an attempt may take when the hook does not say."""
ERROR_LIMIT: Final = 2048
"""Bytes of an answer that are shown: error pages must not fill events, logs and chats."""
_BODY_LIMIT: Final = 64 * 1024
_HIGHEST_PASS: Final = 202
"""A gate may use 204 to refuse; what event hooks answer decides nothing, so all of 2xx passes."""
_HIGHEST_HEARD: Final = 299
_HEADERS: Final = (("Content-Type", "application/json"),)


class HookClient:
    """The one way to call a hook."""

    def __init__(
        self,
        http: net.Http,
        credentials: Credentials,
        sleep: retries.Sleep = asyncio.sleep,
        now: clock.Clock = clock.utc,
    ) -> None:
        self._http = http
        self._credentials = credentials
        self._sleep = sleep
        self._now = now

    async def call(self, hook: Webhook, payload: bytes, namespace: str) -> Answer:
        """Post the payload, as often as the hook's retries allow; never raises for a bad hook.

        Args:
            hook: what to call.
            payload: the body.
            namespace: of the canary; its Secret is there.

        Raises:
            FlaggerError: its Secret cannot be read right now.

        Without verification of certificates the proxies of the environment are ignored, as
        upstream does: such hooks are neighbours in the cluster.
        """
        try:
            timeout = timeout_of(hook)
            login = await self._credentials.of(hook, namespace, payload)
        except ConfigError as error:
            return Answer(ok=False, error=str(error))
        request = net.Request(
            method="POST",
            url=hook.url,
            headers=(*_HEADERS, *login.headers),
            body=payload,
            timeout=timeout,
            verify=not hook.disable_tls,
            direct=hook.disable_tls,
            limit=_BODY_LIMIT,
        )
        with seats.left():
            outcome = await retries.persist(
                self._http, request, hook.retries, self._sleep, self._now
            )
        highest = _HIGHEST_HEARD if hook.kind is HookType.EVENT else _HIGHEST_PASS
        answer = judge(hook.url, outcome, highest)
        return replace(answer, error=net.redact(answer.error, login.secrets))


def timeout_of(hook: Webhook) -> float:
    """Seconds of one attempt; zero: no deadline (webhooks.md section 7).

    Raises:
        ConfigError: the text is no duration. The hook fails before any request.
    """
    shortest = 1 if hook.kind is HookType.EVENT else 2
    if len(hook.timeout) < shortest:
        return DEFAULT_TIMEOUT
    try:
        seconds = durations.parse(hook.timeout)
    except ValueError as error:
        raise ConfigError(f"timeout: {error}") from error
    if seconds < 0:
        raise ConfigError(f'timeout: "{hook.timeout}" is negative')
    return seconds


def judge(url: str, outcome: retries.Outcome, highest: int) -> Answer:
    """The table of webhooks.md section 5; `highest` is the last status that passes.

    The body of a final 5xx follows upstream's text, so that a failed test run says why, and
    alert rules that look for upstream's text still find it (sharp edge 9).
    """
    reply = outcome.reply
    if reply is None or outcome.exhausted:
        text = f"POST {secrecy.public(url)} giving up after {outcome.attempts} attempt(s)"
        cause = str(outcome.error) if reply is None else reply.text
        return Answer(
            ok=False, error=net.shorten(f"{text}: {cause}" if cause else text, ERROR_LIMIT)
        )
    if reply.broken:
        return Answer(ok=False, error=f"error reading body: {reply.broken}")
    if reply.status <= highest:
        return Answer(ok=True)
    return Answer(ok=False, error=net.shorten(reply.text, ERROR_LIMIT))
