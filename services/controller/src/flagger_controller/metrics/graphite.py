"""Graphite's render API (metrics.md 9.6)."""

import urllib.parse
from typing import Any, Final

from flagger_controller import net
from flagger_controller.metrics import promql, web
from flagger_controller.metrics.base import (
    NoValues,
    Setup,
    SourceError,
    finite,
)

_PROBE: Final = "target=test"


class Graphite:
    """Templates of type `graphite`; the query is the query string of `/render`.

    Secret: `username` and `password`; `ca.crt`.
    """

    def __init__(self, setup: Setup) -> None:
        self._url = web.endpoint(setup.provider, "/render")
        login = _login(setup)
        password = urllib.parse.urlsplit(self._url).password or ""
        self._web = web.Web(
            setup.context.http,
            headers=(("Authorization", login),) if login else (),
            secrets=(setup.secret.get("password", "").strip(), login.partition(" ")[2], password),
            verify=not setup.provider.insecure_skip_verify,
            authority=web.authority(setup.secret),
        )
        self._remarks = web.Remarks()

    async def query(self, query: str) -> float:
        """The last number of the last series that has one."""
        reply = await self._web.get(f"{self._url}?{_encoded(query)}")
        if reply.status >= web.BAD_REQUEST:
            raise SourceError(f"error response: {self._web.show(reply.text)}")
        series = self._web.decode(reply, _series)
        self._remarks.several(len(series), "last", query)
        numbers = [value for each in series for value in each]
        if not numbers:
            raise NoValues
        return finite(numbers[-1])

    async def online(self) -> None:
        """Render a target; there need not be one of that name."""
        try:
            await self.query(_PROBE)
        except NoValues:
            return


def _login(setup: Setup) -> str:
    """The Authorization header; a Secret may also bring nothing but certificates."""
    if setup.provider.secret_ref is None or set(setup.secret) == {net.AUTHORITY}:
        return ""
    username = setup.credential("username", "a username")
    password = setup.credential("password", "a password")
    return web.basic(username, password) if username and password else ""


def _encoded(query: str) -> str:
    """The query's parameters in the order of their names, and JSON as format.

    What is no correct escape is meant as it is written, and so are `;` (tags) and `#` (colours).
    """
    text = promql.collapse(query, comments=False)
    found = urllib.parse.parse_qsl(text, keep_blank_values=True)
    pairs = [(name.strip(), value.strip()) for name, value in found]
    kept = [pair for pair in pairs if pair[0] != "format"]
    return urllib.parse.urlencode(sorted([*kept, ("format", "json")], key=lambda pair: pair[0]))


def _series(document: Any) -> list[list[float]]:
    """The numbers of each series that has any."""
    series = [[_value(*point) for point in each["datapoints"]] for each in document]
    numbers = [[value for value in each if value is not None] for each in series]
    return [each for each in numbers if each]


def _value(value: Any, time: Any) -> float | None:
    """A datapoint's value: null, a number or its text; its time is checked likewise."""
    if time is not None:
        int(time)
    if isinstance(value, bool):
        raise ValueError("a datapoint is neither null nor a number")
    return None if value is None else float(value)
