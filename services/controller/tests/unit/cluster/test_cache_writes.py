"""The cache and our own writes: it waits until the watch has shown them."""

import asyncio

import pytest

from flagger_controller.cluster import resources
from flagger_controller.cluster.expectations import CacheStale
from flagger_controller.cluster.writer import Writer

from .world import SERVICE, Behind, World, count, deployment, replicas

pytestmark = pytest.mark.looptime


async def test_waits_for_its_own_writes(world: World) -> None:
    writer = Writer(world.api, world.cache)
    world.cache.watch([deployment()], "a")
    await world.cache.synced([deployment()])
    world.api.pause_watches()
    await writer.create(deployment(), replicas(1))
    assert world.cache.get(deployment()) is None
    asyncio.get_running_loop().call_later(3, world.api.resume_watches)
    began = asyncio.get_running_loop().time()
    await world.cache.caught_up([deployment(), SERVICE])
    assert asyncio.get_running_loop().time() - began == pytest.approx(3, abs=0.1)
    assert count(world.cache.get(deployment())) == 1
    await world.cache.caught_up([deployment()], seconds=0.01)


async def test_own_writes_are_marked_as_such(world: World) -> None:
    writer = Writer(world.api, world.cache)
    world.cache.watch([deployment()], "a")
    await world.cache.synced([deployment()])
    await writer.create(deployment(), replicas(1))
    await world.cache.caught_up([deployment()])
    world.api.put(deployment(), replicas(2))
    await asyncio.sleep(0.1)
    assert [change.own for _, change in world.changes] == [True, False]


async def test_own_writes_to_any_of_a_kind_are_marked_and_waited_for(world: World) -> None:
    writer = Writer(world.api, world.cache)
    world.cache.watch([deployment("")], "a")
    await world.cache.synced([deployment("")])
    world.api.pause_watches()
    await writer.create(deployment("new"), replicas(1))
    waiting = asyncio.create_task(world.cache.caught_up([deployment("")]))
    await asyncio.sleep(1)
    assert not waiting.done()
    world.api.resume_watches()
    await waiting
    assert world.cache.refs(resources.DEPLOYMENTS, "shop") == [deployment("new")]
    assert [change.own for _, change in world.changes] == [True]


async def test_a_dead_stream_is_noticed_through_our_own_writes(world: World) -> None:
    writer = Writer(world.api, world.cache)
    world.cache.watch([deployment()], "a")
    await world.cache.synced([deployment()])
    world.api.pause_watches()
    await writer.create(deployment(), replicas(1))
    with pytest.raises(CacheStale, match=r"Deployment cart\.shop"):
        await world.cache.caught_up([deployment()], seconds=5)
    await world.cache.caught_up([deployment()], seconds=5)
    assert count(world.cache.get(deployment())) == 1


async def test_a_list_of_a_server_that_is_behind_does_not_show_our_write(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = Behind(world.api, monkeypatch)
    await behind.remember()
    writer = Writer(world.api, world.cache)
    world.cache.watch([deployment()], "a")
    await world.cache.synced([deployment()])
    world.api.pause_watches()
    behind.begin()
    await writer.create(deployment(), replicas(1))
    for _ in range(2):
        with pytest.raises(CacheStale):
            await world.cache.caught_up([deployment()], seconds=5)
    behind.end()
    await world.cache.caught_up([deployment()], seconds=5)
    assert count(world.cache.get(deployment())) == 1


async def test_a_write_overtaken_by_somebody_else_counts_as_shown(world: World) -> None:
    writer = Writer(world.api, world.cache)
    world.cache.watch([deployment()], "a")
    await world.cache.synced([deployment()])
    world.api.pause_watches()
    await writer.create(deployment(), replicas(1))
    world.api.remove(deployment())
    world.api.resume_watches()
    await world.cache.caught_up([deployment()])
    assert world.cache.get(deployment()) is None


async def test_waits_for_its_own_deletions(world: World) -> None:
    writer = Writer(world.api, world.cache)
    world.api.put(deployment(), replicas(1))
    world.cache.watch([deployment()], "a")
    await world.cache.synced([deployment()])
    world.api.pause_watches()
    await writer.delete(deployment())
    waiting = asyncio.create_task(world.cache.caught_up([deployment()]))
    await asyncio.sleep(1)
    assert not waiting.done()
    world.api.resume_watches()
    await waiting
    assert world.cache.get(deployment()) is None


async def test_a_deletion_held_up_by_a_finalizer_is_shown(world: World) -> None:
    writer = Writer(world.api, world.cache)
    world.api.put(deployment(), {"metadata": {"finalizers": ["x/y"]}})
    world.cache.watch([deployment()], "a")
    await world.cache.synced([deployment()])
    await writer.delete(deployment())
    await world.cache.caught_up([deployment()])
    live = world.cache.get(deployment())
    assert live is not None
    assert live["metadata"]["deletionTimestamp"]


async def test_a_creation_followed_by_a_deletion(world: World) -> None:
    writer = Writer(world.api, world.cache)
    world.cache.watch([deployment()], "a")
    await world.cache.synced([deployment()])
    world.api.pause_watches()
    await writer.create(deployment(), replicas(1))
    await writer.delete(deployment())
    waiting = asyncio.create_task(world.cache.caught_up([deployment()]))
    await asyncio.sleep(1)
    assert not waiting.done()
    world.api.resume_watches()
    await waiting
    assert world.cache.get(deployment()) is None


async def test_nobody_waits_for_what_was_given_up(world: World) -> None:
    writer = Writer(world.api, world.cache)
    world.cache.watch([deployment()], "a")
    await world.cache.synced([deployment()])
    world.api.pause_watches()
    await writer.create(deployment(), replicas(1))
    waiting = asyncio.create_task(world.cache.caught_up([deployment()], seconds=60))
    await asyncio.sleep(1)
    world.cache.unwatch("a")
    await waiting


async def test_nothing_is_remembered_of_a_kind_that_was_given_up(world: World) -> None:
    writer = Writer(world.api, world.cache)
    world.cache.watch([deployment("")], "a")
    await world.cache.synced([deployment("")])
    await writer.create(deployment("shown"), replicas(1))
    await world.cache.caught_up([deployment("")])
    world.api.pause_watches()
    await writer.create(deployment("hidden"), replicas(1))
    waiting = asyncio.create_task(world.cache.caught_up([deployment("")], seconds=60))
    await asyncio.sleep(1)
    world.cache.unwatch("a")
    await waiting
    assert world.cache._written == {}
