import asyncio

import pytest

from flagger_controller.cluster import resources
from flagger_controller.cluster.cache import Cache
from flagger_controller.cluster.client import Ref
from flagger_controller.cluster.fake import FakeApi
from flagger_controller.cluster.split import SplitClient
from flagger_controller.cluster.writer import Writer

pytestmark = pytest.mark.looptime

ROUTE = Ref(resources.VIRTUAL_SERVICES, "cart", "shop")
SERVICE = Ref(resources.SERVICES, "cart", "shop")


async def test_routes_live_in_the_other_cluster() -> None:
    local, mesh = FakeApi(), FakeApi()
    client = SplitClient(local, mesh)
    cache = Cache(client)
    cache.watch({ROUTE, SERVICE}, "cart.shop")
    await cache.synced({ROUTE, SERVICE})
    writer = Writer(client, cache)
    for ref in (ROUTE, SERVICE):
        await writer.create(ref, {"metadata": {"name": "cart", "namespace": "shop"}, "spec": {}})
    await cache.caught_up({ROUTE, SERVICE})
    assert mesh.object(ROUTE) is not None
    assert mesh.object(SERVICE) is None
    assert local.object(SERVICE) is not None
    assert local.object(ROUTE) is None
    assert cache.get(ROUTE) is not None
    mesh.remove(ROUTE)
    await asyncio.sleep(1)
    assert cache.get(ROUTE) is None
    assert cache.get(SERVICE) is not None
    await cache.close()
