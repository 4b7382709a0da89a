"""Logins at Google, with its library, in a thread, and over our own client."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flagger_controller import net
from flagger_controller.api.base import Object
from flagger_controller.errors import ConfigError
from flagger_controller.metrics import sdk, web
from flagger_controller.metrics.base import SourceError, SourceTimeout

TIMEOUT: Final = 15.0
"""Seconds for a token, and for what it is used for."""
_SCOPES: Final = ("https://www.googleapis.com/auth/monitoring.read",)


class Login:
    """One account."""

    def __init__(self, http: net.Http, key: str, project: str) -> None:
        """Nothing is asked yet.

        Args:
            http: the client.
            key: a service account (JSON); empty: who the environment says that we are.
            project: empty: the one of that account.

        Raises:
            ConfigError: the key cannot be read, or the library is not installed.
        """
        sdk.require("google.auth", "stackdriver")
        self._http = http
        self._account = _account(key)
        self._project = project
        self._credentials: Any = None

    async def token(self) -> tuple[str, str]:
        """A valid access token, and the project.

        Raises:
            SourceError: there is no login.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(TIMEOUT):
                return await sdk.run(lambda: self._log_in(loop), "google login")
        except TimeoutError as error:
            text = f"error requesting stackdriver: no token within {TIMEOUT:g} s"
            raise SourceTimeout(text) from error
        except _errors() as error:
            shown = net.shorten(str(error), web.ERROR_LIMIT)
            raise SourceError(f"error requesting stackdriver: no login: {shown}") from error

    def _log_in(self, loop: asyncio.AbstractEventLoop) -> tuple[str, str]:
        import google.auth
        from google.oauth2 import service_account

        transport = _Transport(self._http, loop)
        if self._credentials is None and self._account:
            load = service_account.Credentials.from_service_account_info
            self._credentials = load(self._account, scopes=_SCOPES)
        elif self._credentials is None:
            self._credentials, found = google.auth.default(scopes=_SCOPES, request=transport)
            self._project = self._project or found or ""
        if not self._project:
            raise ValueError("the project is not known: name a Secret with the key project")
        if not self._credentials.valid:
            self._credentials.refresh(transport)
        return self._credentials.token, self._project


@dataclass(frozen=True)
class _Answer:
    """An answer as Google's library wants it."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class _Transport:
    """What Google's library talks through, in its thread: our client, in the event loop."""

    def __init__(self, http: net.Http, loop: asyncio.AbstractEventLoop) -> None:
        self._http = http
        self._loop = loop

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> _Answer:
        from google.auth.exceptions import TransportError

        request = net.Request(
            method="POST" if method == "POST" else "GET",
            url=url,
            headers=tuple((headers or {}).items()),
            body=body.encode() if isinstance(body, str) else body,
            timeout=timeout or TIMEOUT,
        )
        try:
            reply = asyncio.run_coroutine_threadsafe(self._http.call(request), self._loop).result()
        except net.CallError as error:
            raise TransportError(str(error)) from error
        return _Answer(reply.status, reply.headers, reply.body)


def _errors() -> tuple[type[Exception], ...]:
    from google.auth.exceptions import GoogleAuthError

    return (GoogleAuthError, ValueError)


def _account(key: str) -> Object:
    """The service account of a Secret; empty: none."""
    if not key:
        return {}
    try:
        found = json.loads(key)
    except ValueError as error:
        raise ConfigError("the key serviceAccountKey of the Secret is no JSON") from error
    if not isinstance(found, dict):
        raise ConfigError("the key serviceAccountKey of the Secret is no JSON object")
    return found
