"""New Relic's Insights query API (metrics.md 9.4)."""

from typing import Any, Final

from flagger_controller.api.metrictemplate import MetricTemplateProvider
from flagger_controller.metrics import web
from flagger_controller.metrics.base import (
    Context,
    NoValues,
    Secret,
    credential,
    number,
    seconds,
)

_ADDRESS: Final = "https://insights-api.newrelic.com"
_PROBE: Final = "SELECT * FROM Metric"


class NewRelic:
    """Templates of type `newrelic`.

    Secret: `newrelic_account_id` and `newrelic_query_key`.
    """

    def __init__(
        self,
        provider: MetricTemplateProvider,
        secret: Secret,
        interval: str,
        context: Context,
    ) -> None:
        account = credential(provider, secret, "newrelic_account_id")
        key = credential(provider, secret, "newrelic_query_key")
        address = (provider.address or _ADDRESS).rstrip("/")
        self._url = f"{address}/v1/accounts/{account}/query"
        self._since = f" SINCE {max(1, int(seconds(interval)))} seconds ago"
        self._web = web.Web(
            context.http,
            headers=(("X-Query-Key", key),),
            secrets=(key,),
            authority=web.authority(secret),
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
        reply = await self._web.get(self._url, {"nrql": f"{query}{self._since}"})
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
