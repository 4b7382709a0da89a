"""Google Cloud Monitoring (metrics.md 9.7), with Google's login library: extra `stackdriver`."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flagger_controller import net
from flagger_controller.api.base import Object
from flagger_controller.api.metrictemplate import MetricTemplateProvider
from flagger_controller.errors import ConfigError
from flagger_controller.metrics import sdk, web
from flagger_controller.metrics.base import (
    Context,
    NoValues,
    Secret,
    SourceError,
    SourceTimeout,
    credential,
    number,
)

TIMEOUT: Final = 15.0
"""Seconds for a token, and for a query."""
_ADDRESS: Final = "https://monitoring.googleapis.com"
_SCOPES: Final = ("https://www.googleapis.com/auth/monitoring.read",)
_KEY: Final = "serviceAccountKey"
_INVALID: Final = "INVALID_ARGUMENT"
_KINDS: Final = ("doubleValue", "int64Value", "boolValue")


class Stackdriver:
    """Templates of type `stackdriver`; the query is MQL.

    Secret: `project`, and `serviceAccountKey` (JSON). Without a key, or without a Secret, the
    login comes from where Google's libraries look for it, and so does the project.
    """

    def __init__(
        self,
        provider: MetricTemplateProvider,
        secret: Secret,
        interval: str,
        context: Context,
    ) -> None:
        del interval  # queries carry their window in their text
        self._project = ""
        if provider.secret_ref is not None:
            self._project = credential(provider, secret, "project", "a project id")
        sdk.require("google.auth", "stackdriver")
        self._account = _account(secret.get(_KEY, ""))
        self._address = (provider.address or _ADDRESS).rstrip("/")
        self._http = context.http
        self._authority = web.authority(secret)
        self._login: Any = None

    async def query(self, query: str) -> float:
        """The newest point of the first series."""
        try:
            value = await self._ask(query, _newest)
        except _Refused as error:
            raise SourceError(f"error requesting stackdriver: {error}") from error
        if value is None:
            raise NoValues("invalid response")
        return value

    async def online(self) -> None:
        """Send a query that is refused for being empty, if we have the right to ask."""
        try:
            await self._ask("", lambda _: None)
        except _Refused as error:
            if error.status != _INVALID:
                code = error.status.title().replace("_", "")
                raise SourceError(f"unexpected status code: {code}") from error

    async def _ask(self, query: str, read: Callable[[Any], float | None]) -> float | None:
        try:
            async with asyncio.timeout(TIMEOUT):
                token, project = await self._token()
        except TimeoutError as error:
            text = f"error requesting stackdriver: no token within {TIMEOUT:g} s"
            raise SourceTimeout(text) from error
        client = web.Web(
            self._http,
            headers=(("Authorization", f"Bearer {token}"),),
            secrets=(token,),
            authority=self._authority,
            timeout=TIMEOUT,
        )
        url = f"{self._address}/v3/projects/{project}/timeSeries:query"
        reply = await client.post(url, {"query": query})
        if reply.status != web.OK:
            raise _refusal(reply, client)
        return client.decode(reply, read)

    async def _token(self) -> tuple[str, str]:
        """A valid access token, and the project."""
        loop = asyncio.get_running_loop()
        try:
            return await sdk.run(lambda: self._log_in(loop), "stackdriver login")
        except _login_errors() as error:
            shown = net.shorten(str(error), web.ERROR_LIMIT)
            raise SourceError(f"error requesting stackdriver: no login: {shown}") from error

    def _log_in(self, loop: asyncio.AbstractEventLoop) -> tuple[str, str]:
        import google.auth
        from google.oauth2 import service_account

        transport = _Transport(self._http, loop)
        if self._login is None and self._account:
            load = service_account.Credentials.from_service_account_info
            self._login = load(self._account, scopes=_SCOPES)
        elif self._login is None:
            self._login, found = google.auth.default(scopes=_SCOPES, request=transport)
            self._project = self._project or found or ""
        if not self._project:
            raise ValueError("the project is not known: name a Secret with the key project")
        if not self._login.valid:
            self._login.refresh(transport)
        return self._login.token, self._project


class _Refused(Exception):
    """The API has answered with an error."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class _Answer:
    """An answer as Google's library wants it."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class _Transport:
    """What Google's library talks through, in a thread: our client, in the event loop."""

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


def _login_errors() -> tuple[type[Exception], ...]:
    from google.auth.exceptions import GoogleAuthError

    return (GoogleAuthError, ValueError)


def _account(key: str) -> Object:
    """The service account of a Secret.

    Raises:
        ConfigError: the key is no JSON object.
    """
    if not key:
        return {}
    try:
        found = json.loads(key)
    except ValueError as error:
        raise ConfigError(f"the key {_KEY} of the Secret is no JSON") from error
    if not isinstance(found, dict):
        raise ConfigError(f"the key {_KEY} of the Secret is no JSON object")
    return found


def _refusal(reply: net.Reply, client: web.Web) -> _Refused:
    try:
        error = json.loads(reply.body)["error"]
        status, message = str(error["status"]), str(error["message"])
    except (ValueError, LookupError, TypeError):
        status, message = f"{reply.status} {reply.reason}".strip(), reply.text
    return _Refused(status, f"{status}: {client.show(message)}")


def _newest(document: Any) -> float | None:
    """The first value of the first, which is the newest, point of the first series."""
    found = document
    for name in ("timeSeriesData", "pointData", "values"):
        items = web.listed(found, name)
        if not items:
            return None
        found = items[0]
    return _typed(found)


def _typed(value: Any) -> float | None:
    """A value of the API says in its one member of which type it is (sharp edge M14)."""
    if not isinstance(value, dict):
        raise ValueError("a value is no JSON object")
    for kind in _KINDS:
        if kind in value:
            found = value[kind]
            return number(float(found) if isinstance(found, str | bool) else found)
    if value:
        raise ValueError(f"a value of the type {', '.join(value)} is no number")
    return None
