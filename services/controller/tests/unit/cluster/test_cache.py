"""What the watch cache knows, whom it wakes, and which reflectors it runs."""

import asyncio

import pytest

from flagger_controller.cluster import resources
from flagger_controller.cluster.cache import Cache, NotSynced
from flagger_controller.cluster.client import ApiError, Ref
from flagger_controller.cluster.fake import FakeApi

from .world import SERVICE, World, count, deployment, replicas

pytestmark = pytest.mark.looptime


def scopes(cache: Cache, ref: Ref) -> set[str]:
    return cache._kinds[ref.resource].scopes


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


async def test_who_learns_step_by_step_what_it_refers_to_lets_go_of_nothing(world: World) -> None:
    whole = [deployment("old"), SERVICE]
    world.cache.watch(whole, "a")
    for _ in range(3):
        world.cache.watch_too([deployment("old")], "a")
        world.cache.watch(whole, "a")
    assert not world.cache._timers, "nothing is to be forgotten later"
    world.cache.watch_too([deployment("new")], "a")
    await world.cache.synced(whole)
    for ref in (deployment("old"), deployment("new"), SERVICE):
        world.api.put(ref, replicas(1))
    await asyncio.sleep(0.1)
    assert sorted(name for _, name, *_ in world.seen()) == ["cart", "new", "old"]


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


async def test_a_thousand_changes_while_nobody_looks(world: World) -> None:
    world.cache.watch([deployment()], "a")
    await world.cache.synced([deployment()])
    for number in range(1000):
        world.api.put(deployment(), replicas(number))
    await asyncio.sleep(0.1)
    assert count(world.cache.get(deployment())) == 999
