import asyncio

import pytest

from flagger_controller.cluster import resources
from flagger_controller.cluster.cache import Cache, NotSynced
from flagger_controller.cluster.client import ApiError, Object, Ref
from flagger_controller.cluster.expectations import CacheStale
from flagger_controller.cluster.fake import FakeApi
from flagger_controller.cluster.writer import Writer

from .world import Behind, World, config_map, deployment, replicas

pytestmark = pytest.mark.looptime

SERVICE = Ref(resources.SERVICES, "cart", "shop")


def scopes(cache: Cache, ref: Ref) -> set[str]:
    return cache._kinds[ref.resource].scopes


def count(body: Object | None) -> int:
    assert body is not None
    return int(body["spec"]["replicas"])


async def test_what_is_not_known_yet_is_not_absent(world: World) -> None:
    with pytest.raises(NotSynced, match="not watched"):
        world.cache.get(deployment())
    world.cache.watch([deployment()], "a")
    with pytest.raises(NotSynced, match="first list"):
        world.cache.get(deployment())
    await world.cache.synced([deployment()])
    assert world.cache.get(deployment()) is None


async def test_not_synced_tells_why(world: World) -> None:
    world.api.faults.down = True
    world.cache.watch([deployment(), SERVICE], "a")
    with pytest.raises(NotSynced, match=r"deployments: .*refused; services: .*refused"):
        await world.cache.synced([deployment(), SERVICE], seconds=5)


async def test_a_kind_that_we_may_not_watch_is_an_error_at_once(world: World) -> None:
    world.api.faults.forbidden.add(SERVICE.resource)
    world.cache.watch([deployment(), SERVICE], "a")
    began = asyncio.get_running_loop().time()
    with pytest.raises(ApiError, match='cannot list resource "services"'):
        await world.cache.synced([deployment(), SERVICE])
    assert asyncio.get_running_loop().time() - began < 1
    await world.cache.synced([deployment()])
    world.api.faults.forbidden.clear()
    await asyncio.sleep(5)
    await world.cache.synced([deployment(), SERVICE])


async def test_changes_wake_those_who_refer_to_the_object(world: World) -> None:
    world.cache.watch([deployment("one"), SERVICE], "a")
    world.cache.watch([deployment("two"), SERVICE], "b")
    await world.cache.synced([deployment("one"), SERVICE])
    for ref in (deployment("one"), deployment("two"), deployment("three"), SERVICE):
        world.api.put(ref, replicas(1))
        await asyncio.sleep(0.1)
    assert sorted(world.seen()) == [
        ("a", "cart", False, True),
        ("a", "one", False, True),
        ("b", "cart", False, True),
        ("b", "two", False, True),
    ]
    world.api.remove(SERVICE)
    world.cache.watch([deployment("two")], "b")
    await asyncio.sleep(0.1)
    assert world.seen() == [("a", "cart", True, False)]


async def test_who_refers_to_all_of_a_kind_is_told_what_comes_goes_and_changes(
    world: World,
) -> None:
    world.cache.watch([deployment(""), SERVICE], "all")
    world.cache.watch([deployment("one")], "one")
    await world.cache.synced([deployment("")])
    world.api.put(deployment("one"), replicas(1))
    world.api.put(deployment("elsewhere", "attic"), replicas(1))
    await asyncio.sleep(0.1)
    assert sorted(world.seen()) == [("all", "one", False, True), ("one", "one", False, True)]
    world.api.put(deployment("one"), replicas(1) | {"status": {"readyReplicas": 1}})
    await asyncio.sleep(0.1)
    assert world.seen() == [("one", "one", True, True)]
    world.api.put(deployment("one"), replicas(2))
    world.api.remove(deployment("one"))
    await asyncio.sleep(0.1)
    assert sorted(each for each in world.seen() if each[0] == "all") == [
        ("all", "one", True, False),
        ("all", "one", True, True),
    ]


async def test_who_refers_to_an_object_twice_is_told_once(world: World) -> None:
    world.cache.watch([deployment("one"), deployment("")], "a")
    await world.cache.synced([deployment("")])
    world.api.put(deployment("one"), replicas(1))
    await asyncio.sleep(0.1)
    assert world.seen() == [("a", "one", False, True)]


async def test_reflectors_run_only_as_long_as_they_are_needed(world: World) -> None:
    world.cache.watch([deployment("one", "x"), deployment("two", "x")], "a")
    world.cache.watch([deployment("one", "y")], "b")
    assert scopes(world.cache, deployment()) == {"x", "y"}
    world.cache.watch([deployment("two", "x")], "a")
    world.cache.unwatch("b")
    await asyncio.sleep(31)
    assert scopes(world.cache, deployment()) == {"x"}
    world.cache.unwatch("a")
    await asyncio.sleep(31)
    assert scopes(world.cache, deployment()) == set()
    assert not world.cache._tasks
    with pytest.raises(NotSynced):
        world.cache.get(deployment("one", "x"))


async def test_many_namespaces_are_watched_at_once(world: World) -> None:
    places = [deployment("cart", f"n{number:02}") for number in range(21)]
    for number, ref in enumerate(places):
        world.api.put(ref, replicas(number))
        world.cache.watch([ref], ref.namespace)
        if number < 20:
            await world.cache.synced([ref])
    await asyncio.sleep(1)
    assert scopes(world.cache, places[0]) == {""}
    assert [count(world.cache.get(ref)) for ref in places] == list(range(21))
    woken = world.seen()
    assert len(woken) == 21, "switching reports nothing twice"
    world.api.put(places[3], replicas(99))
    await asyncio.sleep(0.1)
    assert world.seen() == [("n03", "cart", True, True)]

    for ref in places[10:]:
        world.cache.unwatch(ref.namespace)
    await asyncio.sleep(32)
    assert len(scopes(world.cache, places[0])) == 10
    assert count(world.cache.get(places[3])) == 99
    assert world.seen() == []


async def test_a_reflector_takes_over_only_when_it_knows_as_much(world: World) -> None:
    places = [deployment("cart", f"n{number:02}") for number in range(21)]
    for ref in places[:20]:
        world.cache.watch([ref], ref.namespace)
    await world.cache.synced(places[:20])
    world.api.put(places[0], replicas(5))
    await asyncio.sleep(0.1)
    world.api.faults.down = True
    world.cache.watch([places[20]], "last")
    await asyncio.sleep(60)
    assert count(world.cache.get(places[0])) == 5
    with pytest.raises(NotSynced):
        world.cache.get(places[20])
    world.api.faults.down = False
    await asyncio.sleep(60)
    assert scopes(world.cache, places[0]) == {""}
    assert count(world.cache.get(places[0])) == 5


async def test_a_restricted_controller_never_lists_the_whole_cluster(api: FakeApi) -> None:
    cache = Cache(api, restricted=True)
    for number in range(30):
        cache.watch([deployment("cart", f"n{number}")], number)
    await asyncio.sleep(0.1)
    assert "" not in scopes(cache, deployment())
    await cache.close()


async def test_cluster_scoped_kinds(world: World) -> None:
    ref = Ref(resources.TRAFFIC_ROUTES, "cart")
    world.api.put(ref, {"mesh": "default"})
    world.cache.watch([ref], "a")
    await world.cache.synced([ref])
    assert (world.cache.get(ref) or {})["mesh"] == "default"


async def test_all_objects_of_a_kind(world: World) -> None:
    world.api.put(deployment("a", "x"), replicas(1))
    world.api.put(deployment("b", "y"), replicas(1))
    world.cache.ensure(resources.DEPLOYMENTS)
    await asyncio.sleep(0.1)
    assert [ref.name for ref in world.cache.refs(resources.DEPLOYMENTS, "")] == ["a", "b"]
    assert [ref.name for ref in world.cache.refs(resources.DEPLOYMENTS, "y")] == ["b"]
    world.cache.release(resources.DEPLOYMENTS)
    assert scopes(world.cache, deployment()) == set()


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


async def test_a_thousand_changes_while_nobody_looks(world: World) -> None:
    world.cache.watch([deployment()], "a")
    await world.cache.synced([deployment()])
    for number in range(1000):
        world.api.put(deployment(), replicas(number))
    await asyncio.sleep(0.1)
    assert count(world.cache.get(deployment())) == 999
