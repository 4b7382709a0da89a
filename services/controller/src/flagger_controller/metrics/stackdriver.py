"""Google Cloud Monitoring (metrics.md 9.7), with Google's login library: extra `stackdriver`."""

import json
from collections.abc import Callable
from typing import Any, Final

from flagger_controller import net
from flagger_controller.metrics import google, web
from flagger_controller.metrics.base import (
    NoValues,
    Setup,
    SourceError,
    number,
)

_ADDRESS: Final = "https://monitoring.googleapis.com"
_KEY: Final = "serviceAccountKey"
_INVALID: Final = "INVALID_ARGUMENT"
_KINDS: Final = ("doubleValue", "int64Value", "boolValue")


class Stackdriver:
    """Templates of type `stackdriver`; the query is MQL.

    Secret: `project`, and `serviceAccountKey` (JSON). Without a key, or without a Secret, the
    login comes from where Google's libraries look for it, and so does the project.
    """

    def __init__(self, setup: Setup) -> None:
        project = ""
        if setup.provider.secret_ref is not None:
            project = setup.credential("project", "a project id")
        self._login = google.Login(setup.context.http, setup.secret.get(_KEY, ""), project)
        self._address = (setup.provider.address or _ADDRESS).rstrip("/")
        self._http = setup.context.http
        self._authority = web.authority(setup.secret)
        self._remarks = web.Remarks()

    async def query(self, query: str) -> float:
        """The newest point of the first series."""
        try:
            value = await self._ask(query, lambda document: self._newest(document, query))
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
        token, project = await self._login.token()
        client = web.Web(
            self._http,
            headers=(("Authorization", f"Bearer {token}"),),
            secrets=(token,),
            authority=self._authority,
            timeout=google.TIMEOUT,
        )
        url = f"{self._address}/v3/projects/{project}/timeSeries:query"
        reply = await client.post(url, {"query": query})
        if reply.status != web.OK:
            raise _refusal(reply, client)
        return client.decode(reply, read)

    def _newest(self, document: Any, query: str) -> float | None:
        """The first value of the first, which is the newest, point of the first series."""
        self._remarks.several(len(web.listed(document, "timeSeriesData")), "first", query)
        found = document
        for name in ("timeSeriesData", "pointData", "values"):
            items = web.listed(found, name)
            if not items:
                return None
            found = items[0]
        return _typed(found)


class _Refused(Exception):
    """The API has answered with an error."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.status = status


def _refusal(reply: net.Reply, client: web.Web) -> _Refused:
    try:
        error = json.loads(reply.body)["error"]
        status, message = str(error["status"]), str(error["message"])
    except (ValueError, LookupError, TypeError):
        status, message = f"{reply.status} {reply.reason}".strip(), reply.text
    return _Refused(status, f"{status}: {client.show(message)}")


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
