"""Who calls: headers of a hook from its `secretRef` (sharp edges 21 of webhooks.md, A20)."""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from flagger_controller.api.canary import Webhook
from flagger_controller.clock import Clock
from flagger_controller.errors import ConfigError, NotFound

TIMESTAMP: Final = "X-Flagger-Timestamp"
"""Unix seconds; signed with the body, so that nobody can send an old call again for ever."""
SIGNATURE: Final = "X-Flagger-Signature"
"""`sha256=`, and in hexadecimal the HMAC-SHA256 of the timestamp, a full stop and the body."""

Secrets = Callable[[str, str], Awaitable[Mapping[str, str]]]
"""The decoded data of a Secret, by namespace and name; raises NotFound."""


@dataclass(frozen=True)
class Login:
    """What one call carries, and what of it nobody may see."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


class Credentials:
    """Reads the Secret of a hook anew for each call, so a changed one is in force at once."""

    def __init__(self, secrets: Secrets, now: Clock) -> None:
        self._secrets = secrets
        self._now = now

    async def of(self, hook: Webhook, namespace: str, payload: bytes) -> Login:
        """The login of a call; empty for a hook without `secretRef`.

        Raises:
            ConfigError: the Secret does not exist, or has nothing that is of use.
            FlaggerError: it cannot be read right now.
        """
        if hook.secret_ref is None:
            return Login()
        name = hook.secret_ref.name
        try:
            secret = await self._secrets(namespace, name)
        except NotFound as error:
            text = f'secretRef: secrets "{name}" not found; create it in namespace {namespace}'
            raise ConfigError(text) from error
        found = {key: value.strip() for key, value in secret.items()}
        headers = (*_authorization(found), *_signature(found, self._now(), payload))
        if not headers:
            keys = "token, username and password, or hmacKey"
            raise ConfigError(f'secretRef: secrets "{name}" has none of the keys {keys}')
        shown = ("token", "password", "hmacKey")
        return Login(headers, tuple(found[key] for key in shown if found.get(key)))


def _authorization(secret: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    if token := secret.get("token"):
        return (("Authorization", f"Bearer {token}"),)
    login = f"{secret.get('username', '')}:{secret.get('password', '')}"
    if login == ":":
        return ()
    return (("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}"),)


def _signature(
    secret: Mapping[str, str], now: datetime, payload: bytes
) -> tuple[tuple[str, str], ...]:
    key, at = secret.get("hmacKey"), str(int(now.timestamp()))
    if not key:
        return ()
    digest = hmac.new(key.encode(), f"{at}.".encode() + payload, hashlib.sha256).hexdigest()
    return ((TIMESTAMP, at), (SIGNATURE, f"sha256={digest}"))
