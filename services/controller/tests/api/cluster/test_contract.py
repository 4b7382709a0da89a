"""What the fake API and a real API server have in common, with the same tests for both."""

import asyncio
from typing import Any

import pytest

from flagger_controller.cluster.client import (
    ApiConflict,
    ApiError,
    ApiNotFound,
    Object,
    Ref,
    Resource,
)
from flagger_controller.cluster.slim import parsed

from .conftest import THINGS, Api

OTHER = "00000000-0000-0000-0000-000000000000"
SPEC: Object = {"spec": {"replicas": 1, "paused": False}}


def meta(body: Object) -> Object:
    found: Object = body["metadata"]
    return found


def version(body: Object) -> str:
    return str(meta(body)["resourceVersion"])


async def test_create(api: Api) -> None:
    made = await api.client.create(api.thing(), {**SPEC, "status": {"phase": "Failed"}})
    assert made["spec"] == SPEC["spec"]
    assert "status" not in made
    assert (made["apiVersion"], made["kind"]) == ("test.flagger.app/v1", "Thing")
    assert meta(made)["name"] == "cart"
    assert meta(made)["namespace"] == api.namespace
    assert meta(made)["generation"] == 1
    assert meta(made)["uid"]
    assert meta(made)["creationTimestamp"].endswith("Z")
    live = await api.client.get(api.thing())
    assert (version(live), live["spec"]) == (version(made), made["spec"])


async def test_create_twice(api: Api) -> None:
    await api.client.create(api.thing(), SPEC)
    with pytest.raises(ApiConflict) as caught:
        await api.client.create(api.thing(), SPEC)
    assert (caught.value.status, caught.value.reason) == (409, "AlreadyExists")
    assert str(caught.value) == 'things.test.flagger.app "cart" already exists'


async def test_what_is_not_there(api: Api) -> None:
    for call in (
        api.client.get(api.thing()),
        api.client.patch(api.thing(), SPEC),
        api.client.patch(api.thing(), SPEC, subresource="status"),
        api.client.delete(api.thing()),
    ):
        with pytest.raises(ApiNotFound) as caught:
            await call
        assert (caught.value.status, caught.value.reason) == (404, "NotFound")
        assert str(caught.value) == 'things.test.flagger.app "cart" not found'


async def test_update_of_what_is_not_there(api: Api) -> None:
    made = await api.client.create(api.thing(), SPEC)
    await api.client.delete(api.thing())
    with pytest.raises((ApiNotFound, ApiConflict)):
        await api.client.update(api.thing(), made)


async def test_update(api: Api) -> None:
    made = await api.client.create(api.thing(), SPEC)
    done = await api.client.update(api.thing(), {**made, "spec": {"replicas": 2}})
    assert done["spec"] == {"replicas": 2}
    assert int(version(done)) > int(version(made))
    with pytest.raises(ApiConflict) as caught:
        await api.client.update(api.thing(), {**made, "spec": {"replicas": 3}})
    assert caught.value.reason == "Conflict"
    assert "the object has been modified" in str(caught.value)


async def test_update_needs_a_version(api: Api) -> None:
    await api.client.create(api.thing(), SPEC)
    with pytest.raises(ApiError) as caught:
        await api.client.update(api.thing(), SPEC)
    assert caught.value.status == 422
    assert "must be specified for an update" in str(caught.value)


async def test_of_two_updates_one_wins(api: Api) -> None:
    made = await api.client.create(api.thing(), SPEC)
    results = await asyncio.gather(
        *(api.client.update(api.thing(), {**made, "spec": {"n": n}}) for n in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, ApiConflict) for result in results) == 4


async def test_a_write_that_changes_nothing(api: Api) -> None:
    made = await api.client.create(api.thing(), SPEC)
    assert version(await api.client.update(api.thing(), made)) == version(made)
    assert version(await api.client.patch(api.thing(), SPEC)) == version(made)
    status = {"status": {"phase": "Failed"}}
    once = await api.client.patch(api.thing(), status, subresource="status")
    again = await api.client.patch(api.thing(), status, subresource="status")
    assert version(once) == version(again) != version(made)


async def test_generation(api: Api) -> None:
    body = await api.client.create(api.thing(), SPEC)
    body = await api.client.patch(api.thing(), {"metadata": {"labels": {"a": "b"}}})
    assert meta(body)["generation"] == 1
    body = await api.client.patch(api.thing(), {"status": {"a": 1}}, subresource="status")
    assert meta(body)["generation"] == 1
    body = await api.client.patch(api.thing(), {"spec": {"replicas": 7}})
    assert meta(body)["generation"] == 2
    body["metadata"]["generation"] = 99
    body = await api.client.update(api.thing(), {**body, "spec": {"replicas": 8}})
    assert meta(body)["generation"] == 3


async def test_status_is_separate(api: Api) -> None:
    made = await api.client.create(api.thing(), SPEC)
    status = {**made, "spec": {"lost": 1}, "status": {"phase": "Progressing"}}
    status["metadata"] = {**meta(made), "labels": {"lost": "yes"}}
    body = await api.client.update(api.thing(), status, subresource="status")
    assert body["spec"] == SPEC["spec"]
    assert body["status"] == {"phase": "Progressing"}
    assert "labels" not in meta(body)

    body = await api.client.update(api.thing(), {**body, "status": {}, "spec": {"n": 2}})
    assert body["spec"] == {"n": 2}
    assert body["status"] == {"phase": "Progressing"}
    body = await api.client.patch(api.thing(), {"status": {"phase": "Failed"}})
    assert body["status"] == {"phase": "Progressing"}
    with pytest.raises(ApiConflict):
        await api.client.update(api.thing(), status, subresource="status")


async def test_status_of_a_kind_without_it(api: Api) -> None:
    await api.client.create(api.config_map(), {"data": {}})
    with pytest.raises(ApiNotFound):
        await api.client.patch(api.config_map(), {"status": {}}, subresource="status")


async def test_merge_patch(api: Api) -> None:
    await api.client.create(api.thing(), {"spec": {"a": {"b": 1, "c": 2}, "d": [1, 2]}})
    body = await api.client.patch(api.thing(), {"spec": {"a": {"b": None, "e": 3}, "d": [3]}})
    assert body["spec"] == {"a": {"c": 2, "e": 3}, "d": [3]}


@pytest.mark.parametrize("subresource", ["", "status"])
async def test_patch_with_a_precondition(api: Api, subresource: str) -> None:
    made = await api.client.create(api.thing(), SPEC)
    change: dict[str, Any] = {"spec": {"n": 2}, "status": {"n": 2}}
    patch = {**change, "metadata": {"resourceVersion": version(made)}}
    await api.client.patch(api.thing(), patch, subresource=subresource)
    with pytest.raises(ApiConflict):
        await api.client.patch(api.thing(), patch, subresource=subresource)


@pytest.mark.parametrize("subresource", ["", "status"])
async def test_a_uid_is_a_precondition_of_updates(api: Api, subresource: str) -> None:
    made = await api.client.create(api.thing(), SPEC)
    other = {**made, "spec": {"n": 2}, "status": {"n": 2}, "metadata": {**meta(made), "uid": OTHER}}
    with pytest.raises(ApiConflict):
        await api.client.update(api.thing(), other, subresource=subresource)


async def test_a_uid_is_not_a_precondition_of_patches(api: Api) -> None:
    await api.client.create(api.thing(), SPEC)
    patch: Object = {"status": {"n": 2}, "metadata": {"uid": OTHER}}
    with pytest.raises(ApiError) as caught:
        await api.client.patch(api.thing(), patch)
    assert caught.value.status == 422
    done = await api.client.patch(api.thing(), patch, subresource="status")
    assert done["status"] == {"n": 2}


async def test_delete(api: Api) -> None:
    made = await api.client.create(api.thing(), SPEC)
    with pytest.raises(ApiConflict):
        await api.client.delete(api.thing(), uid=OTHER)
    await api.client.delete(api.thing(), uid=meta(made)["uid"])
    with pytest.raises(ApiNotFound):
        await api.client.get(api.thing())
    again = await api.client.create(api.thing(), SPEC)
    assert meta(again)["uid"] != meta(made)["uid"]


async def test_finalizers_hold_up_a_deletion(api: Api) -> None:
    held = {**SPEC, "metadata": {"finalizers": ["flagger.app/test"]}}
    await api.client.create(api.thing(), held)
    await api.client.delete(api.thing())
    live = await api.client.get(api.thing())
    assert meta(live)["deletionTimestamp"]
    assert meta(live)["generation"] == 2
    await api.client.delete(api.thing())
    assert version(await api.client.get(api.thing())) == version(live)
    body = await api.client.patch(api.thing(), {"status": {"a": 1}}, subresource="status")
    assert body["status"] == {"a": 1}
    more = {"metadata": {"finalizers": ["flagger.app/test", "flagger.app/more"]}}
    with pytest.raises(ApiError, match="no new finalizers can be added") as caught:
        await api.client.patch(api.thing(), more)
    assert caught.value.status == 422
    await api.client.patch(api.thing(), {"metadata": {"finalizers": None}})
    with pytest.raises(ApiNotFound):
        await api.client.get(api.thing())


async def test_what_only_a_deleted_object_owned_is_collected(api: Api) -> None:
    owner = await api.client.create(api.config_map("owner"), {"data": {}})
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "owner",
        "uid": meta(owner)["uid"],
    }
    owned = {"data": {}, "metadata": {"ownerReferences": [reference]}}
    await api.client.create(api.config_map("owned"), owned)
    await api.client.create(api.config_map("free"), {"data": {}})
    await api.client.delete(api.config_map("owner"))
    async with asyncio.timeout(60):
        while True:
            found = await api.client.list(api.config_map().resource, api.namespace)
            names = {meta(body)["name"] for body in found} - {"kube-root-ca.crt"}
            if names == {"free"}:
                break
            await asyncio.sleep(0.1)


async def test_list(api: Api) -> None:
    for number in range(5):
        await api.client.create(api.thing(f"t{number}"), {"spec": {"n": number}})
    found = await api.client.list(THINGS, api.namespace)
    assert [(meta(body)["name"], body["kind"]) for body in found] == [
        (f"t{number}", "Thing") for number in range(5)
    ]


async def test_pages_belong_together(api: Api) -> None:
    for number in range(5):
        await api.client.create(api.thing(f"t{number}"), {"spec": {"n": number}})
    names: list[str] = []
    versions: set[str] = set()
    token = ""
    for expected in (2, 2, 1):
        page = await api.client.page(THINGS, api.namespace, limit=2, token=token)
        assert len(page.items) == expected
        names += [parsed(b'{"type":"X","object":' + item + b"}")[1][1] for item in page.items]
        versions.add(page.version)
        token = page.token
    assert token == ""
    assert names == [f"t{number}" for number in range(5)]
    assert len(versions) == 1


async def test_metadata_only(api: Api) -> None:
    await api.client.create(api.config_map("a"), {"data": {"color": "blue"}})
    page = await api.client.page(api.config_map().resource, api.namespace, metadata_only=True)
    assert not any(b"blue" in item for item in page.items)
    assert any(b'"a"' in item for item in page.items)


async def listen(api: Api, since: str, count: int) -> list[tuple[str, str, Any]]:
    """Type, name and `spec.n` of so many events."""
    found: list[tuple[str, str, Any]] = []
    async with asyncio.timeout(20):
        async with api.client.watch(THINGS, api.namespace, version=since, seconds=60) as lines:
            async for line in lines:
                type_, (_, name), entry = parsed(line)
                if type_ != "BOOKMARK":
                    found.append((type_, name, entry.decoded()["spec"].get("n")))
                if len(found) == count:
                    return found
    return found


async def test_watch(api: Api) -> None:
    await api.client.create(api.thing("before"), {"spec": {"n": 0}})
    since = (await api.client.page(THINGS, api.namespace)).version
    listening = asyncio.create_task(listen(api, since, 4))
    await api.client.create(api.thing("a"), {"spec": {"n": 1}})
    await api.client.patch(api.thing("a"), {"spec": {"n": 1}})  # changes nothing: no event
    await api.client.patch(api.thing("a"), {"spec": {"n": 2}})
    await api.client.delete(api.thing("a"))
    await api.client.delete(api.thing("before"))
    assert await listening == [
        ("ADDED", "a", 1),
        ("MODIFIED", "a", 2),
        ("DELETED", "a", 2),
        ("DELETED", "before", 0),
    ]
    assert await listen(api, since, 2) == [("ADDED", "a", 1), ("MODIFIED", "a", 2)]


async def test_a_deletion_has_a_version_of_its_own(api: Api) -> None:
    made = await api.client.create(api.thing(), SPEC)
    since = (await api.client.page(THINGS, api.namespace)).version
    await api.client.delete(api.thing())
    async with api.client.watch(THINGS, api.namespace, version=since, seconds=60) as lines:
        async for line in lines:
            _, _, entry = parsed(line)
            assert entry.version > int(version(made))
            break


async def test_watch_of_metadata(api: Api) -> None:
    resource = api.config_map().resource
    since = (await api.client.page(resource, api.namespace)).version
    await api.client.create(api.config_map("a"), {"data": {"color": "blue"}})
    async with api.client.watch(
        resource, api.namespace, version=since, seconds=60, metadata_only=True
    ) as lines:
        async for line in lines:
            type_, (_, name), entry = parsed(line)
            if name == "a":
                assert type_ == "ADDED"
                assert "data" not in entry.decoded()
                break


async def test_the_server_ends_a_watch(api: Api) -> None:
    since = (await api.client.page(THINGS, api.namespace)).version
    async with asyncio.timeout(20):
        async with api.client.watch(THINGS, api.namespace, version=since, seconds=1) as lines:
            assert [line async for line in lines if b"BOOKMARK" not in line] == []


async def test_a_kind_that_is_not_installed(api: Api) -> None:
    absent = Resource("absent.flagger.app", "v1", "ghosts", "Ghost")
    if hasattr(api.client, "faults"):
        api.client.faults.missing.add(absent)
    ref = Ref(absent, "cart", api.namespace)
    for call in (
        api.client.list(absent, api.namespace),
        api.client.get(ref),
        api.client.create(ref, {}),
    ):
        with pytest.raises(ApiNotFound):
            await call
    with pytest.raises(ApiNotFound):
        async with api.client.watch(absent, version="1", seconds=10):
            pass
