"""Reflector, cache, Events and Lease against the fake and a real API server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from flagger_controller.cluster import resources
from flagger_controller.cluster.cache import Cache, Change
from flagger_controller.cluster.client import ApiError, Ref
from flagger_controller.cluster.events import EventRecorder, Subject
from flagger_controller.cluster.slim import parsed
from flagger_controller.cluster.watch import WatchSettings
from flagger_controller.cluster.writer import Writer
from flagger_controller.operator.leader import Elector
from flagger_controller.operator.lease import LeaseSettings

from .conftest import THINGS, Api, eventually

Changes = list[tuple[Any, Change]]


@pytest.fixture
def changes() -> Changes:
    return []


@pytest.fixture
async def cache(api: Api, changes: Changes) -> AsyncIterator[Cache]:
    cache = Cache(
        api.client,
        on_change=lambda key, change: changes.append((key, change)),
        settings=WatchSettings(page=2),
    )
    yield cache
    await cache.close()


async def test_cache_reads_its_own_writes(api: Api, cache: Cache) -> None:
    writer = Writer(api.client, cache)
    refs = [api.thing(f"t{number}") for number in range(5)]
    await writer.create(refs[0], {"spec": {"n": 0}})
    cache.watch(refs, "a")
    await cache.synced(refs)
    for ref in refs[1:]:
        await writer.create(ref, {"spec": {"n": 0}})
    for turn in range(1, 20):
        for ref in refs:
            body = cache.get(ref)
            assert body is not None
            body["spec"]["n"] = turn
            await writer.update(ref, body)
            await writer.patch(ref, {"status": {"n": turn}}, subresource="status")
        await cache.caught_up(refs)
    for ref in refs:
        body = cache.get(ref)
        assert body is not None
        assert (body["spec"], body["status"]) == ({"n": 19}, {"n": 19})
        await writer.delete(ref, uid=body["metadata"]["uid"])
    await cache.caught_up(refs)
    assert [cache.get(ref) for ref in refs] == [None] * 5


async def test_cache_notices_what_others_do(api: Api, cache: Cache, changes: Changes) -> None:
    await api.client.create(api.thing("old"), {"spec": {"n": 0}})
    cache.watch([api.thing("old"), api.thing("new")], "a")
    await cache.synced([api.thing()])
    await api.client.create(api.thing("new"), {"spec": {"n": 1}})
    await api.client.delete(api.thing("old"))
    await api.client.create(api.thing("other"), {"spec": {"n": 1}})
    await eventually(lambda: len(changes) >= 3)
    seen = [(c.ref.name, c.old is None, c.new is None) for _, c in changes]
    assert seen == [("old", True, False), ("new", True, False), ("old", False, True)]


async def test_cache_of_configs(api: Api, cache: Cache, changes: Changes) -> None:
    writer = Writer(api.client, cache)
    ref = api.config_map()
    await api.client.create(ref, {"data": {"color": "blue"}})
    cache.watch([ref], "a")
    await cache.synced([ref])
    shown, read = cache.get(ref), await cache.data(ref)
    assert shown is not None
    assert read is not None
    assert "data" not in shown
    assert read["data"] == {"color": "blue"}
    assert shown["metadata"] == read["metadata"]
    assert "managedFields" not in read["metadata"]
    await writer.patch(ref, {"data": {"color": "red"}})
    await cache.caught_up([ref])
    read = await cache.data(ref)
    assert read is not None
    assert read["data"] == {"color": "red"}
    assert [change.own for _, change in changes if change.old] in ([True], [False])


async def test_cache_of_a_custom_kind_that_is_not_installed(api: Api, cache: Cache) -> None:
    ref = Ref(resources.SCALED_OBJECTS, "cart", api.namespace)
    if hasattr(api.client, "faults"):
        api.client.faults.missing.add(ref.resource)
    cache.watch([ref], "a")
    await cache.synced([ref])
    assert cache.get(ref) is None


async def test_a_version_from_the_past_is_gone(api: Api) -> None:
    if hasattr(api.client, "compact"):
        api.client.compact()

    async def first() -> None:
        async with api.client.watch(THINGS, api.namespace, version="1", seconds=5) as lines:
            async for line in lines:
                parsed(line)
                break

    with pytest.raises(ApiError) as caught:
        await first()
    assert caught.value.status == 410


async def test_events(api: Api) -> None:
    made = await api.client.create(api.thing(), {"spec": {}})
    recorder = EventRecorder(api.client, now=lambda: datetime.now(UTC))
    subject = Subject.of(api.thing(), made)
    for text in ("one", "two", "one"):
        recorder.record(subject, text, warning=text == "two")
        await recorder.flush()
    await recorder.close()
    found = await api.client.list(resources.EVENTS, api.namespace)
    seen = [(e["message"], e["count"], e["type"], e["involvedObject"]["uid"]) for e in found]
    uid = made["metadata"]["uid"]
    assert sorted(seen) == [("one", 2, "Normal", uid), ("two", 1, "Warning", uid)]


async def test_lease(api: Api) -> None:
    settings = LeaseSettings(retry=0.2)
    electors = [
        Elector(api.client, api.namespace, name, settings=settings) for name in ("a", "b", "c")
    ]
    tasks = [asyncio.create_task(e.run(lambda: None, lambda: None)) for e in electors]
    led: list[str] = []
    for _ in electors:
        await eventually(lambda: any(e.valid() for e in electors))
        await asyncio.sleep(0.5)
        (leader,) = [number for number, e in enumerate(electors) if e.valid()]
        led.append(electors[leader].name)
        tasks[leader].cancel()
        await asyncio.gather(tasks[leader], return_exceptions=True)
    assert sorted(led) == ["a", "b", "c"]
    (lease,) = await api.client.list(resources.LEASES, api.namespace)
    assert lease["spec"].get("holderIdentity", "") == ""
    assert lease["spec"]["leaseTransitions"] == 2
