"""Datadog's query API (metrics.md 9.3)."""

from typing import Any, Final

from flagger_controller.metrics import web
from flagger_controller.metrics.base import (
    WINDOW_FACTOR,
    NoValues,
    Setup,
    number,
)

_ADDRESS: Final = "https://api.datadoghq.com"
_API_KEY: Final = "datadog_api_key"
_APPLICATION_KEY: Final = "datadog_application_key"


class Datadog:
    """Templates of type `datadog`.

    Secret: `datadog_api_key` and `datadog_application_key`.
    """

    def __init__(self, setup: Setup) -> None:
        keys = [setup.credential(key) for key in (_API_KEY, _APPLICATION_KEY)]
        self._address = (setup.provider.address or _ADDRESS).rstrip("/")
        self._seconds = WINDOW_FACTOR * setup.seconds()
        self._setup = setup
        self._web = web.Web(
            setup.context.http,
            headers=(("DD-API-KEY", keys[0]), ("DD-APPLICATION-KEY", keys[1])),
            secrets=tuple(keys),
            authority=web.authority(setup.secret),
        )
        self._remarks = web.Remarks()

    async def query(self, query: str) -> float:
        """The newest complete point of the first series (sharp edge M13)."""
        stop = self._setup.context.now()
        start, now = self._setup.window(stop, self._seconds).timestamp(), stop.timestamp()
        params = {"query": query, "from": f"{start:.0f}", "to": f"{now:.0f}"}
        reply = await self._web.get(f"{self._address}/api/v1/query", params)
        self._web.expect_ok(reply)
        series = self._web.decode(reply, lambda document: web.listed(document, "series"))
        self._remarks.several(len(series), "first", query)
        value = self._web.decode(reply, lambda _: _newest(series, now))
        if value is None:
            raise NoValues(f"invalid response: {self._web.show(reply.text)}")
        return value

    async def online(self) -> None:
        """Ask whether the API key is valid."""
        self._web.expect_ok(await self._web.get(f"{self._address}/api/v1/validate"))


def _newest(series: list[Any], now: float) -> float | None:
    """The newest point whose time is over, else the newest; points without a value do not count.

    A point is an average since its time, over the `interval` of its series (seconds).
    """
    if not series:
        return None
    points = [point for point in web.listed(series[0], "pointlist") if _filled(point)]
    length = float(series[0].get("interval") or 0)
    over = [point for point in points if point[0] / 1000 + length <= now]
    chosen = (over or points)[-1:]
    return number(chosen[0][1]) if chosen else None


def _filled(point: Any) -> bool:
    """Points are time in milliseconds and value; one without a value says nothing (M6, M14)."""
    return len(point) > 1 and point[1] is not None
