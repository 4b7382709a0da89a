"""New Relic's Insights query API (metrics.md 9.4)."""

from typing import Any, Final

from flagger_controller.metrics import web
from flagger_controller.metrics.base import (
    NoValues,
    Setup,
    number,
)

_ADDRESS: Final = "https://insights-api.newrelic.com"
_PROBE: Final = "SELECT * FROM Metric"


class NewRelic:
    """Templates of type `newrelic`.

    Secret: `newrelic_account_id` and `newrelic_query_key`.
    """

    def __init__(self, setup: Setup) -> None:
        account = setup.credential("newrelic_account_id")
        key = setup.credential("newrelic_query_key")
        address = (setup.provider.address or _ADDRESS).rstrip("/")
        self._url = f"{address}/v1/accounts/{account}/query"
        self._seconds = setup.seconds()
        self._setup = setup
        self._web = web.Web(
            setup.context.http,
            headers=(("X-Query-Key", key),),
            secrets=(key,),
            authority=web.authority(setup.secret),
        )

    async def query(self, query: str) -> float:
        """The one `result` of the query, over the last interval."""
        reply = await self._ask(query)
        value = self._web.decode(reply, _result)
        if value is None:
            raise NoValues(f"invalid response: {self._web.show(reply.text)}")
        return value

    async def online(self) -> None:
        """Run a query that every account can answer."""
        await self._ask(_PROBE)

    async def _ask(self, query: str) -> Any:
        now = self._setup.context.now()
        length = (now - self._setup.window(now, self._seconds)).total_seconds()
        since = f" SINCE {max(1, int(length))} seconds ago"
        reply = await self._web.get(self._url, {"nrql": f"{query}{since}"})
        self._web.expect_ok(reply)
        return reply


def _result(document: Any) -> float | None:
    """Other aggregates than `result`, facets and several columns are no value."""
    results = web.listed(document, "results")
    if not all(isinstance(each, dict) for each in results):
        raise ValueError("a result is no JSON object")
    if len(results) != 1 or not isinstance(results[0].get("result"), int | float):
        return None
    return number(results[0]["result"])
