import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import ApiError, Object, Ref
from flagger_controller.cluster.fake import FakeApi
from flagger_controller.cluster.slim import Entry
from flagger_controller.cluster.watch import Reflector, WatchSettings

from .world import Behind, config_map, deployment, replicas

pytestmark = pytest.mark.looptime

SETTINGS = WatchSettings(page=2, jitter=lambda: 0.0)


class Watched:
    """A running reflector of Deployments and what it reported."""

    def __init__(self, api: FakeApi, namespace: str = "") -> None:
        self.changes: list[tuple[str, bool, bool]] = []
        self.reflector = Reflector(
            api,
            resources.DEPLOYMENTS,
            namespace,
            on_change=self._changed,
            settings=SETTINGS,
        )

    def _changed(self, ref: Ref, old: Entry | None, new: Entry | None) -> None:
        self.changes.append((ref.name, old is not None, new is not None))

    def names(self) -> list[str]:
        return sorted(ref.name for ref in self.reflector.refs())

    def get(self, name: str = "cart") -> Object | None:
        return self.reflector.get(deployment(name))


@asynccontextmanager
async def running(api: FakeApi, namespace: str = "") -> AsyncIterator[Watched]:
    watched = Watched(api, namespace)
    task = asyncio.create_task(watched.reflector.run())
    try:
        await asyncio.sleep(0.1)
        yield watched
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def settle() -> None:
    await asyncio.sleep(0.1)


def lists(api: FakeApi) -> int:
    return api.reads["list", resources.DEPLOYMENTS]


def watches(api: FakeApi) -> int:
    return api.reads["watch", resources.DEPLOYMENTS]


async def test_lists_in_pages_then_follows_changes(api: FakeApi) -> None:
    for number in range(5):
        api.put(deployment(f"d{number}"), replicas(number))
    async with running(api) as watched:
        assert watched.names() == ["d0", "d1", "d2", "d3", "d4"]
        assert lists(api) == 3
        watched.changes.clear()
        api.put(deployment("new"), replicas(1))
        api.put(deployment("d1"), replicas(7))
        api.remove(deployment("d0"))
        await settle()
        assert watched.changes == [("new", False, True), ("d1", True, True), ("d0", True, False)]
        changed = watched.get("d1")
        assert changed is not None
        assert changed["spec"] == {"replicas": 7}
        assert (lists(api), watches(api)) == (3, 1)


async def test_one_namespace(api: FakeApi) -> None:
    api.put(deployment("mine", "shop"), replicas(1))
    api.put(deployment("other", "bank"), replicas(1))
    async with running(api, "shop") as watched:
        api.put(deployment("later", "bank"), replicas(1))
        await settle()
        assert watched.names() == ["mine"]


async def test_returns_fresh_copies_with_their_kind(api: FakeApi) -> None:
    api.put(deployment(), replicas(1))
    async with running(api) as watched:
        first = watched.get()
        assert first is not None
        first["spec"]["replicas"] = 99
        second = watched.get()
        assert second is not None
        assert second["spec"]["replicas"] == 1
        assert (second["apiVersion"], second["kind"]) == ("apps/v1", "Deployment")


async def test_410_lists_again_and_notices_what_vanished(api: FakeApi) -> None:
    api.put(deployment("stays"), replicas(1))
    api.put(deployment("goes"), replicas(1))
    async with running(api) as watched:
        watched.changes.clear()
        api.break_watches()
        api.remove(deployment("goes"))
        api.put(deployment("comes"), replicas(1))
        api.compact()
        await asyncio.sleep(5)
        assert watched.names() == ["comes", "stays"]
        assert sorted(watched.changes) == [("comes", False, True), ("goes", True, False)]
        assert lists(api) == 2


async def test_an_object_created_anew_meanwhile_is_one_change(api: FakeApi) -> None:
    api.put(deployment(), replicas(1))
    async with running(api) as watched:
        watched.changes.clear()
        api.break_watches()
        api.remove(deployment())
        api.put(deployment(), replicas(2))
        api.compact()
        await asyncio.sleep(5)
        assert watched.changes == [("cart", True, True)]


async def test_a_broken_stream_continues_where_it_was(api: FakeApi) -> None:
    api.put(deployment(), replicas(1))
    async with running(api) as watched:
        api.break_watches()
        api.put(deployment(), replicas(2))
        await asyncio.sleep(5)
        now = watched.get()
        assert now is not None
        assert now["spec"]["replicas"] == 2
        assert (lists(api), watches(api)) == (1, 2)


async def test_the_server_may_end_streams(api: FakeApi) -> None:
    async with running(api) as watched:
        await asyncio.sleep(3 * SETTINGS.stream)
        api.put(deployment(), replicas(2))
        await settle()
        assert watched.names() == ["cart"]
        assert (lists(api), watches(api)) == (1, 4)


async def test_a_silent_stream_is_given_up(api: FakeApi) -> None:
    async with running(api) as watched:
        api.pause_watches()
        api.put(deployment(), replicas(2))
        await asyncio.sleep(SETTINGS.stream + SETTINGS.margin - 2)
        assert watched.names() == []
        await asyncio.sleep(4)
        assert watched.names() == ["cart"]
        assert lists(api) == 2


async def test_a_stream_that_had_bookmarks_is_given_up_earlier(api: FakeApi) -> None:
    async with running(api) as watched:
        await asyncio.sleep(61)
        api.pause_watches()
        api.put(deployment(), replicas(2))
        await asyncio.sleep(SETTINGS.silence + 1)
        assert watched.names() == ["cart"]


async def test_bookmarks_keep_a_quiet_watch_young(api: FakeApi) -> None:
    async with running(api):
        api.put(config_map(), {"data": {}})  # the version grows without our kind
        await asyncio.sleep(61)
        api.compact()
        await asyncio.sleep(2 * SETTINGS.stream)
        assert lists(api) == 1


async def test_an_absent_kind_is_empty_until_it_is_installed(api: FakeApi) -> None:
    api.faults.missing.add(resources.DEPLOYMENTS)
    async with running(api) as watched:
        assert watched.reflector.synced
        assert watched.names() == []
        await asyncio.sleep(600)
        assert lists(api) <= 11
        api.faults.missing.clear()
        api.put(deployment(), replicas(2))
        await asyncio.sleep(100)
        assert watched.names() == ["cart"]


async def test_a_kind_that_is_removed_empties_the_cache(api: FakeApi) -> None:
    api.put(deployment(), replicas(2))
    async with running(api) as watched:
        api.faults.missing.add(resources.DEPLOYMENTS)
        api.break_watches()
        await asyncio.sleep(5)
        assert watched.names() == []
        assert watched.changes[-1] == ("cart", True, False)


async def test_an_outage_keeps_the_content_and_backs_off(api: FakeApi) -> None:
    api.put(deployment(), replicas(2))
    async with running(api) as watched:
        api.faults.down = True
        api.break_watches()
        await asyncio.sleep(600)
        assert watched.names() == ["cart"]
        assert "refused" in watched.reflector.problem
        assert watches(api) < 60
        api.faults.down = False
        api.put(deployment("more"), replicas(1))
        await asyncio.sleep(40)
        assert watched.names() == ["cart", "more"]


async def test_a_server_that_is_down_at_the_start_is_not_an_empty_cluster(api: FakeApi) -> None:
    api.faults.down = True
    async with running(api) as watched:
        await asyncio.sleep(60)
        assert not watched.reflector.synced
        api.faults.down = False
        await asyncio.sleep(40)
        assert watched.reflector.synced
        assert watched.reflector.problem == ""


async def test_a_kind_that_we_may_not_watch_is_told_once_and_goes_on_when_it_is_granted(
    api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    api.put(deployment(), replicas(2))
    api.faults.forbidden.add(resources.DEPLOYMENTS)
    async with running(api, "shop") as watched:
        await asyncio.sleep(120)
        with pytest.raises(ApiError, match="cannot list"):
            await watched.reflector.ready()
        assert not watched.reflector.synced
        (record,) = caplog.records
        assert record.levelname == "WARNING"
        assert 'verbs: ["list"]' in record.message
        keys = {"error": "forbidden", "verb": "list", "resource": "deployments.apps"}
        assert keys.items() <= vars(record).items()
        api.faults.forbidden.clear()
        await asyncio.sleep(40)
        await watched.reflector.ready()
        assert watched.names() == ["cart"]
        assert caplog.messages[1:] == ["watch of deployments goes on"]


async def test_a_right_that_is_taken_away_is_noticed_though_a_copy_is_there(api: FakeApi) -> None:
    api.put(deployment(), replicas(2))
    async with running(api) as watched:
        await watched.reflector.ready()
        api.faults.forbidden.add(resources.DEPLOYMENTS)
        api.break_watches()
        await asyncio.sleep(10)
        assert watched.names() == ["cart"]
        with pytest.raises(ApiError, match="cannot list"):
            await watched.reflector.ready()


async def test_history_that_is_too_old_is_nothing_to_tell(
    api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(api) as watched:
        api.put(config_map(), {"data": {}})
        api.compact()
        api.break_watches()
        await asyncio.sleep(10)
        assert lists(api) == 2
        await watched.reflector.ready()
    assert [r for r in caplog.records if "too old" in r.message and r.levelname != "DEBUG"] == []


async def test_a_server_that_is_behind_is_not_believed(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = Behind(api, monkeypatch)
    api.put(deployment(), replicas(1))
    await behind.remember()
    async with running(api) as watched:
        api.put(deployment(), replicas(2))
        await settle()
        watched.changes.clear()
        behind.begin()
        before = lists(api)
        watched.reflector.relist()
        await asyncio.sleep(SETTINGS.past / 2)
        assert watched.get() == api.object(deployment())
        assert watched.reflector.problem == "the server lists the past"
        assert 2 < lists(api) - before < 10, "it is asked again, with pauses"
        behind.end()
        await asyncio.sleep(SETTINGS.backoff_most)
        assert watched.changes == []
        assert watched.reflector.problem == ""
        api.put(deployment(), replicas(3))
        await settle()
        assert watched.changes == [("cart", True, True)]


async def test_storage_that_was_restored_is_believed_after_a_while(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = Behind(api, monkeypatch)
    api.put(deployment(), replicas(1))
    await behind.remember()
    async with running(api) as watched:
        api.put(deployment(), replicas(2))
        await settle()
        watched.changes.clear()
        behind.begin()
        watched.reflector.relist()
        await asyncio.sleep(SETTINGS.past / 2)
        assert watched.changes == []
        await asyncio.sleep(SETTINGS.past / 2 + SETTINGS.backoff_most)
        back_and_forth = [("cart", True, True)] * 2  # this server still has the history
        assert watched.changes == back_and_forth
        assert watched.reflector.problem == ""


async def test_relist_on_demand(api: FakeApi) -> None:
    async with running(api) as watched:
        api.pause_watches()
        api.put(deployment(), replicas(2))
        watched.reflector.relist()
        await settle()
        assert watched.names() == ["cart"]


async def test_managed_fields_are_not_kept(api: FakeApi) -> None:
    body = replicas(1) | {"metadata": {"labels": {"a": "b"}}}
    written = api.put(deployment(), body)
    api.memory.objects[deployment()]["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    async with running(api) as watched:
        assert watched.get() == written
