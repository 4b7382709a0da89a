"""What happens to watches and calls when connections to a real API server break or fall silent."""

import asyncio
import contextlib
import dataclasses
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from tools.cluster.controlplane import ControlPlane

from flagger_controller.cluster import resources
from flagger_controller.cluster.cache import Cache
from flagger_controller.cluster.client import ApiError, ApiNotFound, Ref
from flagger_controller.cluster.failures import Kind
from flagger_controller.cluster.http import HttpClient, HttpSettings
from flagger_controller.cluster.login import Login, load
from flagger_controller.cluster.watch import WatchSettings
from flagger_controller.cluster.writer import Writer

from .conftest import eventually
from .tunnel import Tunnel, tunnel

pytestmark = pytest.mark.api

SETTINGS = WatchSettings(stream=2, margin=0.5, backoff=0.05)


@dataclass
class Shaky:
    """A cache whose connections can be harmed, and a client whose connections cannot."""

    tunnel: Tunnel
    harmed: HttpClient
    cache: Cache
    safe: HttpClient
    ref: Ref


@pytest.fixture
async def shaky(
    control_plane: ControlPlane, client: HttpClient, namespace: str
) -> AsyncIterator[Shaky]:
    login = load(str(control_plane.kubeconfig))
    async with tunnel(urlsplit(login.server).port or 443) as through:
        there = dataclasses.replace(login, server=f"https://127.0.0.1:{through.port}")
        harmed = HttpClient(there, HttpSettings(timeout=2))
        cache = Cache(harmed, settings=SETTINGS)
        ref = Ref(resources.CONFIG_MAPS, "settings", namespace)
        cache.watch([ref], "a")
        await cache.synced([ref])
        await asyncio.sleep(0.3)  # until the watch stands
        yield Shaky(through, harmed, cache, client, ref)
        await cache.close()
        await harmed.close()


async def test_a_cut_watch_goes_on(shaky: Shaky) -> None:
    shaky.tunnel.cut()
    await shaky.safe.create(shaky.ref, {"data": {}})
    await eventually(lambda: shaky.cache.get(shaky.ref) is not None, 10)


async def test_a_silent_watch_is_given_up(shaky: Shaky) -> None:
    shaky.tunnel.freeze()
    await shaky.safe.create(shaky.ref, {"data": {}})
    await asyncio.sleep(0.3)
    assert shaky.cache.get(shaky.ref) is None
    await eventually(lambda: shaky.cache.get(shaky.ref) is not None, 10)


async def test_watches_outlive_many_streams(shaky: Shaky) -> None:
    for number in range(5):
        await shaky.safe.create(dataclasses.replace(shaky.ref, name=f"c{number}"), {"data": {}})
        await asyncio.sleep(1)
    refs = shaky.cache.refs(resources.CONFIG_MAPS, shaky.ref.namespace)
    assert {f"c{number}" for number in range(5)} <= {ref.name for ref in refs}


async def test_calls_survive_a_cut(shaky: Shaky) -> None:
    writer = Writer(shaky.harmed, shaky.cache)
    await writer.create(shaky.ref, {"data": {}})
    for turn in range(3):
        shaky.tunnel.cut()
        await asyncio.sleep(0.05)
        await writer.patch(shaky.ref, {"data": {"turn": str(turn)}})
        await shaky.cache.caught_up([shaky.ref])
    body = await shaky.cache.data(shaky.ref)
    assert body is not None
    assert body["data"] == {"turn": "2"}


async def test_connections_are_reused(shaky: Shaky) -> None:
    before = shaky.tunnel.accepted
    for _ in range(20):
        with contextlib.suppress(ApiError):
            await shaky.harmed.get(shaky.ref)
    assert shaky.tunnel.accepted - before <= 2


async def test_users_without_rights_are_told(control_plane: ControlPlane, namespace: str) -> None:
    login: Login = load(str(control_plane.kubeconfig))
    client = HttpClient(dataclasses.replace(login, authorization=lambda: ""))
    ref = Ref(resources.CONFIG_MAPS, "settings", namespace)
    with pytest.raises(ApiError, match="anonymous") as caught:
        await client.get(ref)
    assert caught.value.status == 403
    await client.close()


async def test_version(client: HttpClient) -> None:
    assert (await client.read("/version"))["major"] == "1"


@pytest.mark.parametrize("trusted", [False, True], ids=["authority", "token"])
async def test_a_server_and_a_client_that_do_not_accept_each_other(
    control_plane: ControlPlane, trusted: bool
) -> None:
    login = load(str(control_plane.kubeconfig))
    strange = dataclasses.replace(
        login,
        tls=login.tls if trusted else ssl.create_default_context(),
        authorization=lambda: "Bearer nobody",
    )
    client = HttpClient(strange, HttpSettings(attempts=1))
    with pytest.raises(ApiError) as caught:
        await client.get(Ref(resources.CONFIG_MAPS, "settings", "default"))
    await client.close()
    assert caught.value.kind is (Kind.UNAUTHORIZED if trusted else Kind.TLS)
    assert str(caught.value).startswith("get configmaps settings.default: ")


async def test_a_group_that_is_not_installed_is_told_from_an_absent_object(
    client: HttpClient, namespace: str
) -> None:
    for resource, kind in (
        (resources.CONFIG_MAPS, Kind.NOT_FOUND),
        (resources.ROUTE_TABLES, Kind.NOT_SERVED),
    ):
        with pytest.raises(ApiNotFound) as caught:
            await client.get(Ref(resource, "settings", namespace))
        assert caught.value.kind is kind
