"""The metrics endpoint answers what controllers ask."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import test_utils
from bench.scale import prometheus


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with test_utils.TestServer(prometheus.application()) as server:
        yield str(server.make_url(prometheus.PATH))


@pytest.mark.parametrize(
    ("query", "value"), [("vector(1)", "1"), ('sum(rate(x{a="b"}[1m]))', "100")]
)
async def test_an_instant_query(url: str, query: str, value: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(url, params={"query": query}) as got:
        assert json.loads(await got.text()) == {
            "status": "success",
            "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1.0, value]}]},
        }
