"""Dynatrace's metrics API (metrics.md 9.9)."""

from typing import Any

from flagger_controller.errors import ConfigError
from flagger_controller.metrics import web
from flagger_controller.metrics.base import (
    WINDOW_FACTOR,
    NoValues,
    Setup,
    number,
)


class Dynatrace:
    """Templates of type `dynatrace`.

    Secret: `dynatrace_token`, an API token with the scope `metrics.read`.
    """

    def __init__(self, setup: Setup) -> None:
        if not setup.provider.address:
            raise ConfigError("dynatrace endpoint is not set")
        token = setup.credential("dynatrace_token")
        self._address = setup.provider.address.rstrip("/")
        self._seconds = WINDOW_FACTOR * setup.seconds()
        self._setup = setup
        self._web = web.Web(
            setup.context.http,
            headers=(("Authorization", f"Api-Token {token}"),),
            secrets=(token,),
            authority=web.authority(setup.secret),
        )
        self._remarks = web.Remarks()

    async def query(self, query: str) -> float:
        """One value for the whole window, of the last series."""
        now = self._setup.context.now()
        start = self._setup.window(now, self._seconds)
        params = {
            "metricSelector": query,
            "resolution": "Inf",
            "from": f"{start.timestamp() * 1000:.0f}",
            "to": f"{now.timestamp() * 1000:.0f}",
        }
        reply = await self._web.get(f"{self._address}/api/v2/metrics/query", params)
        self._web.expect_ok(reply)
        series = self._web.decode(reply, _series)
        self._remarks.several(len(series), "last", query)
        value = self._web.decode(reply, lambda _: _last(series))
        if value is None:
            raise NoValues(f"invalid response: {self._web.show(reply.text)}")
        return value

    async def online(self) -> None:
        """List one metric."""
        url = f"{self._address}/api/v2/metrics"
        self._web.expect_ok(await self._web.get(url, {"pageSize": "1"}))


def _series(document: Any) -> list[Any]:
    """The series of the first metric."""
    result = web.listed(document, "result")
    return web.listed(result[0], "data") if result else []


def _last(series: list[Any]) -> float | None:
    values = web.listed(series[-1], "values") if series else []
    return number(values[0]) if values and values[0] is not None else None
