"""ConfigMaps in the cache: watched without their data, which is read when they changed."""

import asyncio

import pytest

from flagger_controller.cluster import resources
from flagger_controller.cluster.writer import Writer

from .world import World, config_map, deployment

pytestmark = pytest.mark.looptime


async def test_references_learnt_step_by_step_cost_nothing(world: World) -> None:
    """As a tick does it: the target first, then the configs that its pods use."""
    writer = Writer(world.api, world.cache)
    world.api.put(config_map(), {"data": {"color": "blue"}})
    everything = [deployment(), config_map()]
    for turn in range(20):
        world.cache.watch([deployment()], "a")
        await world.cache.synced([deployment()])
        world.cache.watch(everything, "a")
        await world.cache.synced(everything)
        await world.cache.caught_up(everything)
        body = await world.cache.data(config_map())
        assert body is not None
        if turn == 10:
            await writer.patch(config_map(), {"data": {"color": "red"}})
        assert body["data"]["color"] == ("red" if turn > 10 else "blue")
        await asyncio.sleep(10)
    for kind in (resources.DEPLOYMENTS, resources.CONFIG_MAPS):
        assert world.api.reads["list", kind] == 1
    assert world.api.reads["get", resources.CONFIG_MAPS] == 1
    assert [change.own for _, change in world.changes if change.old] == [True]


async def test_what_was_given_up_is_forgotten(world: World) -> None:
    world.api.put(config_map(), {"data": {"color": "blue"}})
    world.cache.watch([config_map(), config_map("other")], "a")
    await world.cache.synced([config_map()])
    await world.cache.data(config_map())
    world.cache.watch([config_map("other")], "a")
    await asyncio.sleep(31)
    assert world.cache._data == {}
    world.cache.watch([config_map()], "a")
    await world.cache.data(config_map())
    assert world.api.reads["get", resources.CONFIG_MAPS] == 2
    assert world.api.reads["list", resources.CONFIG_MAPS] == 1


async def test_configs_are_watched_without_their_data(world: World) -> None:
    world.api.put(config_map(), {"data": {"color": "blue"}})
    world.cache.watch([config_map()], "a")
    await world.cache.synced([config_map()])
    shown = world.cache.get(config_map())
    assert shown is not None
    assert "data" not in shown
    assert shown["kind"] == "ConfigMap"
    reads = world.api.reads

    for _ in range(3):
        body = await world.cache.data(config_map())
        assert body is not None
        assert body["data"] == {"color": "blue"}
    assert reads["get", resources.CONFIG_MAPS] == 1

    world.api.put(config_map(), {"data": {"color": "red"}})
    await asyncio.sleep(0.1)
    assert world.seen()[-1] == ("a", "settings", True, True)
    body = await world.cache.data(config_map())
    assert body is not None
    assert body["data"] == {"color": "red"}
    assert reads["get", resources.CONFIG_MAPS] == 2

    world.api.remove(config_map())
    await asyncio.sleep(0.1)
    assert await world.cache.data(config_map()) is None
    assert reads["get", resources.CONFIG_MAPS] == 2


async def test_a_config_that_we_wrote_is_not_read(world: World) -> None:
    writer = Writer(world.api, world.cache)
    world.cache.watch([config_map()], "a")
    await world.cache.synced([config_map()])
    await writer.create(config_map(), {"data": {"color": "blue"}})
    await world.cache.caught_up([config_map()])
    body = await world.cache.data(config_map())
    assert body is not None
    assert body["data"] == {"color": "blue"}
    assert world.api.reads["get", resources.CONFIG_MAPS] == 0


async def test_a_config_that_vanishes_while_it_is_read(world: World) -> None:
    world.api.put(config_map(), {"data": {"color": "blue"}})
    world.cache.watch([config_map()], "a")
    await world.cache.synced([config_map()])
    world.api.pause_watches()
    world.api.remove(config_map())
    assert await world.cache.data(config_map()) is None
