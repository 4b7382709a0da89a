"""What only the fake can do; its semantics are checked against a real server in tests/api."""

import asyncio

import pytest

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import (
    ApiConflict,
    ApiError,
    ApiNotFound,
    ApiUnavailable,
    Fenced,
    Object,
    Ref,
)
from flagger_controller.cluster.fake import FakeApi, Killed, Write

from .world import config_map, deployment, replicas

pytestmark = pytest.mark.looptime


def count(api: FakeApi) -> int | None:
    body = api.object(deployment())
    return None if body is None else int(body["spec"]["replicas"])


async def test_a_write_that_never_happens(api: FakeApi) -> None:
    def kill(write: Write) -> None:
        raise Killed

    forget = api.before_write(kill)
    with pytest.raises(Killed):
        await api.create(deployment(), replicas(1))
    assert count(api) is None
    forget()
    await api.create(deployment(), replicas(1))
    assert count(api) == 1
    assert [(w.index, w.verb, w.applied) for w in api.writes] == [
        (0, "create", False),
        (1, "create", True),
    ]


async def test_a_write_whose_answer_is_lost(api: FakeApi) -> None:
    def lose(write: Write) -> None:
        raise ApiUnavailable(0, "Timeout", "no answer")

    api.after_write(lose)
    with pytest.raises(ApiUnavailable):
        await api.create(deployment(), replicas(1))
    assert count(api) == 1
    assert [write.ref for write in api.applied("create")] == [deployment()]


async def test_hooks_see_what_is_written_and_may_wait(api: FakeApi) -> None:
    async def slow(write: Write) -> None:
        if write.verb == "patch":
            await asyncio.sleep(10)

    api.before_write(slow)
    await api.create(deployment(), replicas(1))
    task = asyncio.create_task(api.patch(deployment(), replicas(2)))
    await asyncio.sleep(5)
    assert count(api) == 1
    await task
    assert count(api) == 2
    assert api.writes[1].body == replicas(2)


async def test_what_is_written_later_does_not_change_the_log(api: FakeApi) -> None:
    body = replicas(1)
    made = await api.create(deployment(), body)
    body["spec"]["replicas"] = made["spec"]["replicas"] = 99
    assert count(api) == 1
    assert api.writes[0].body == replicas(1)


async def test_a_fenced_client_of_the_same_cluster(api: FakeApi) -> None:
    def fence() -> None:
        raise Fenced("not the leader")

    other = api.fenced(fence)
    with pytest.raises(Fenced):
        await other.create(deployment(), replicas(1))
    await api.create(deployment(), replicas(1))
    assert (await other.get(deployment()))["spec"] == {"replicas": 1}
    assert len(other.writes) == 1
    api.faults.down = True
    with pytest.raises(ApiUnavailable):
        await other.get(deployment())


async def test_counts_reads(api: FakeApi) -> None:
    await api.create(deployment(), replicas(1))
    await api.get(deployment())
    await api.list(resources.DEPLOYMENTS)
    assert dict(api.reads) == {
        ("get", resources.DEPLOYMENTS): 1,
        ("list", resources.DEPLOYMENTS): 1,
    }


async def test_the_rest_of_the_world_writes_spec_and_status(api: FakeApi) -> None:
    api.before_write(lambda write: pytest.fail("not one of ours"))
    made = api.put(deployment(), {**replicas(1), "status": {"readyReplicas": 1}})
    assert (made["status"], made["metadata"]["generation"]) == ({"readyReplicas": 1}, 1)
    made = api.put(deployment(), {**made, "spec": {"replicas": 2}})
    assert (made["status"], made["metadata"]["generation"]) == ({"readyReplicas": 1}, 2)
    assert api.writes == []
    api.remove(deployment())
    assert api.object(deployment()) is None


async def test_pages_expire(api: FakeApi) -> None:
    for name in "abc":
        api.put(config_map(name), {"data": {}})
    page = await api.page(resources.CONFIG_MAPS, limit=2)
    api.compact()
    api.put(config_map("d"), {"data": {}})
    api.compact()
    with pytest.raises(Exception, match="too old") as caught:
        await api.page(resources.CONFIG_MAPS, limit=2, token=page.token)
    assert getattr(caught.value, "status", None) == 410


async def test_garbage_collection_follows_chains(api: FakeApi) -> None:
    def owned_by(ref: Ref) -> Object:
        owner = api.object(ref)
        assert owner is not None
        return {"metadata": {"ownerReferences": [{"uid": owner["metadata"]["uid"]}]}}

    api.put(deployment("a"), replicas(1))
    api.put(deployment("b"), owned_by(deployment("a")))
    api.put(deployment("c"), owned_by(deployment("b")))
    api.remove(deployment("a"))
    assert api.memory.objects == {}


async def test_garbage_collection_spares_what_has_another_owner(api: FakeApi) -> None:
    for name in "ab":
        api.put(deployment(name), replicas(1))
    uids = [(api.object(deployment(name)) or {})["metadata"]["uid"] for name in "ab"]
    both = [{"uid": uid} for uid in uids]
    api.put(deployment("c"), {"metadata": {"ownerReferences": both}})
    api.remove(deployment("a"))
    left = api.object(deployment("c"))
    assert left is not None
    assert left["metadata"]["ownerReferences"] == [{"uid": uids[1]}]


async def test_conflicts_and_absence(api: FakeApi) -> None:
    made = await api.create(deployment(), replicas(1))
    await api.patch(deployment(), replicas(2))
    with pytest.raises(ApiConflict):
        await api.update(deployment(), made)
    with pytest.raises(ApiNotFound):
        await api.get(deployment("other"))
    assert [write.applied for write in api.writes] == [True, True, False]


async def test_a_part_of_the_history_can_be_forgotten(api: FakeApi) -> None:
    api.put(config_map("a"), {"data": {}})
    version = api.memory.version
    api.put(config_map("b"), {"data": {}})
    api.memory.compact(version)
    assert api.memory.oldest == version
    assert [str(entry.ref) for entry in api.memory.history] == [str(config_map("b"))]
    async with api.watch(resources.CONFIG_MAPS, version=str(version), seconds=1) as lines:
        assert b'"name":"b"' in await anext(aiter(lines))
    with pytest.raises(ApiError, match="too old"):
        async with api.watch(resources.CONFIG_MAPS, version=str(version - 1), seconds=1):
            pass
