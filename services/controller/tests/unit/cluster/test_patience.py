"""A server that asks for patience (429 with Retry-After), with virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from flagger_controller import urgency
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import ApiUnavailable, Fenced, Ref
from flagger_controller.cluster.http import HttpClient, HttpSettings
from flagger_controller.cluster.login import Login
from flagger_controller.cluster.wire import RETRY_AFTER_MOST
from flagger_controller.urgency import Level, Rank

from .server import Answer, Script, failure, reply, serving
from .world import config_map

pytestmark = pytest.mark.looptime

DEPLOYMENT = resources.DEPLOYMENTS
FINE = reply({"metadata": {"resourceVersion": "1"}, "items": []})


class Talk:
    """A client, the server, and the time at which each request came."""

    def __init__(self, script: Script, client: HttpClient) -> None:
        self.script = script
        self.client = client
        self.log: list[tuple[str, float]] = []

    async def get(self, name: str, rank: Rank) -> None:
        urgency.follow(lambda: rank)
        await self.client.get(Ref(DEPLOYMENT, name, "shop"))
        self.log.append((name, round(asyncio.get_running_loop().time(), 1)))


@asynccontextmanager
async def talk(*answers: Answer, qps: float = 10, burst: int = 20) -> AsyncIterator[Talk]:
    async with serving(*answers) as script:
        client = HttpClient(Login(script.url), HttpSettings(qps, burst), jitter=lambda: 0.0)
        try:
            yield Talk(script, client)
        finally:
            await client.close()


async def test_a_write_that_was_turned_away_is_repeated_when_the_server_says() -> None:
    busy = failure(429, "TooManyRequests", "later", Retry_After="3")
    async with talk(busy, busy, FINE) as it:
        await it.client.patch(config_map(), {})
        assert len(it.script.calls) == 3
        assert asyncio.get_running_loop().time() == pytest.approx(6.2, abs=0.05)


async def test_all_calls_wait_and_then_go_on_by_rank() -> None:
    async with talk(failure(429, Retry_After="5"), FINE) as it:
        first = asyncio.create_task(it.get("first", Rank(Level.REPAIR)))
        await asyncio.sleep(0.5)  # the refused one stands in line again
        assert it.client.waiting == 1
        ranks = {"start": Rank(Level.START), "late": Rank(Level.RELEASE, 90)}
        ranks["soon"] = Rank(Level.RELEASE, 30)
        others = [asyncio.create_task(it.get(name, rank)) for name, rank in ranks.items()]
        await asyncio.gather(first, *others)
        assert it.log == [("soon", 5.1), ("late", 5.2), ("first", 5.3), ("start", 5.4)]


async def test_without_a_time_only_the_one_call_waits() -> None:
    async with talk(failure(429), FINE) as it:
        first = asyncio.create_task(it.get("first", Rank(Level.RELEASE)))
        await asyncio.sleep(0.2)
        assert len(it.script.calls) == 1
        await it.get("other", Rank(Level.START))
        await first
        assert it.log == [("other", 0.2), ("first", 0.5)]


async def test_an_adapter_that_is_busy_is_not_the_server() -> None:
    async with talk(failure(429, Retry_After="5"), FINE) as it:
        reading = asyncio.create_task(it.client.read("/apis/external.metrics.k8s.io/v1beta1"))
        await asyncio.sleep(0.2)
        await it.get("other", Rank(Level.START))
        await reading
        assert it.log == [("other", 0.2)]
        assert asyncio.get_running_loop().time() == pytest.approx(5.0, abs=0.05)


async def test_a_server_that_asks_for_more_patience_than_a_call_has_stops_the_others() -> None:
    async with talk(failure(429, Retry_After="9999"), FINE) as it:
        with pytest.raises(ApiUnavailable) as caught:
            await it.get("first", Rank(Level.RELEASE))
        assert caught.value.retry_after == RETRY_AFTER_MOST
        await it.get("other", Rank(Level.RELEASE))
        assert it.log == [("other", RETRY_AFTER_MOST + 0.1)]


async def test_a_watch_that_is_turned_away_stops_everybody_too() -> None:
    async with talk(failure(429, Retry_After="7"), FINE) as it:
        with pytest.raises(ApiUnavailable):
            async with it.client.watch(DEPLOYMENT, version="5", seconds=60):
                pass
        await it.get("other", Rank(Level.RELEASE))
        assert it.log == [("other", 7.1)]


async def test_what_fills_the_cache_comes_first_whoever_needed_it() -> None:
    async with talk(FINE, burst=1) as it:
        await it.client.get(Ref(DEPLOYMENT, "cart", "shop"))

        async def start() -> None:
            urgency.follow(lambda: Rank(Level.START))
            await it.client.page(DEPLOYMENT)

        async def watch() -> None:
            urgency.follow(lambda: Rank(Level.START))
            async with it.client.watch(DEPLOYMENT, version="5", seconds=60):
                pass

        release = Rank(Level.RELEASE, 10)
        await asyncio.gather(it.get("cart", release), start(), watch())
        assert [call.query.get("watch", call.path) for call in it.script.calls[1:]] == [
            "/apis/apps/v1/deployments",
            "1",
            "/apis/apps/v1/namespaces/shop/deployments/cart",
        ]


async def test_the_fence_is_asked_after_the_wait() -> None:
    asked: list[int] = []

    def fence() -> None:
        asked.append(round(asyncio.get_running_loop().time()))
        if len(asked) == 2:
            raise Fenced("not the leader")

    async with talk(failure(429, Retry_After="4")) as it:
        with pytest.raises(Fenced):
            await it.client.fenced(fence).patch(config_map(), {})
        assert asked == [0, 4]
        assert len(it.script.calls) == 1
