"""Who may call a companion: a shared token, or a signed body (loadtester.md section 8.2.4).

The controller sends either for hooks with a ``secretRef``; a controller that can send no headers
puts the token into ``metadata.token``.
"""

import dataclasses
import hashlib
import hmac
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Final

from .payload import CanaryWebhookPayload

TIMESTAMP: Final = "X-Flagger-Timestamp"
"""Unix seconds of the call; part of what is signed."""
SIGNATURE: Final = "X-Flagger-Signature"
"""``sha256=`` and the HMAC-SHA256, in hexadecimal, of the timestamp, a full stop and the body."""
TOKEN: Final = "token"  # noqa: S105 - the name of a key
"""Key of the metadata that may hold the token."""

_BEARER: Final = "bearer "
_WINDOW: Final = 300.0
"""Seconds that a signature stays good, so that a call that was overheard does not work for ever."""


@dataclasses.dataclass(frozen=True)
class Callers:
    """Knows the secrets; without a file everybody may call.

    The files are read for each call, so a secret that was changed is in force at once.
    """

    token_file: pathlib.Path | None = None
    """Tokens, one a line, so that two are good while one is being replaced."""

    key_file: pathlib.Path | None = None
    """Key of the signatures."""

    now: Callable[[], float] = time.time
    """Unix seconds."""

    def refusal(self, headers: Mapping[str, str], body: bytes, token: str = "") -> str | None:
        """Say why a call is refused; None when it is good.

        Args:
            headers: of the request, each word of a name with a capital, as WSGI has them.
            body: as received.
            token: of the metadata, empty without one.

        Raises:
            OSError: a secret cannot be read; nobody may call then.
        """
        if self.token_file is None and self.key_file is None:
            return None
        authorization = headers.get("Authorization", "")
        if authorization[: len(_BEARER)].lower() == _BEARER:
            token = authorization[len(_BEARER) :].strip()
        if token and self.token_file is not None:
            return None if self._known(token) else "unknown token"
        if self.key_file is not None and headers.get(SIGNATURE):
            return self._unsigned(headers, body)
        return "no token" if self.key_file is None else "no token and no signature"

    def _known(self, token: str) -> bool:
        if self.token_file is None:
            return False
        # All are compared, in a time that tells nothing.
        lines = self.token_file.read_bytes().split(b"\n")
        tokens = [line.strip() for line in lines if line.strip()]
        return sum([hmac.compare_digest(known, token.encode()) for known in tokens]) > 0

    def _unsigned(self, headers: Mapping[str, str], body: bytes) -> str | None:
        if self.key_file is None or not (key := self.key_file.read_bytes().strip()):
            return "no signature can be checked"
        at = headers.get(TIMESTAMP, "")
        digest = hmac.new(key, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(f"sha256={digest}".encode(), headers[SIGNATURE].encode()):
            return "wrong signature"
        if not at.isascii() or not at.isdigit() or abs(self.now() - int(at)) > _WINDOW:
            return "the signature is too old or from the future"
        return None


def without_token(payload: CanaryWebhookPayload) -> CanaryWebhookPayload:
    """Return a payload that no log and no command learns the token from."""
    if TOKEN not in payload.metadata:
        return payload
    kept = {key: value for key, value in payload.metadata.items() if key != TOKEN}
    return payload.model_copy(update={"metadata": kept})
