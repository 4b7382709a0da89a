"""Which connection is used for what, and which writes a lost leadership stops."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import yaml
from pytest_httpserver import HTTPServer

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Fenced, KubeClient, Ref
from flagger_controller.cluster.heard import nobody
from flagger_controller.cluster.http import HttpClient, HttpSettings
from flagger_controller.cluster.login import Login
from flagger_controller.operator import leader
from flagger_controller.operator.clients import Clients, candidate, mesh_client
from flagger_controller.operator.settings import Settings
from flagger_controller.urgency import FIRST

DEPLOYMENT = Ref(resources.DEPLOYMENTS, "cart", "shop")
ROUTE = Ref(resources.TRAEFIK_SERVICES, "cart", "shop")


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


def opened(stack: AsyncExitStack, server: str) -> HttpClient:
    client = HttpClient(Login(server))
    stack.push_async_callback(client.close)
    return client


def serving(server: HTTPServer, name: str) -> str:
    """An API server that answers every request with its own name."""
    server.clear()
    for method in ("GET", "POST", "PUT", "PATCH"):
        for path in (
            "/apis/apps/v1/namespaces/shop/deployments",
            "/apis/apps/v1/namespaces/shop/deployments/cart",
            "/apis/traefik.io/v1alpha1/namespaces/shop/traefikservices/cart",
        ):
            body = {"metadata": {"name": name, "resourceVersion": "1"}}
            server.expect_request(path, method=method).respond_with_json(body)
    return server.url_for("").rstrip("/")


async def answered(client: KubeClient, ref: Ref) -> str:
    return str((await client.get(ref))["metadata"]["name"])


async def test_without_a_mesh_there_is_one_cluster(
    stack: AsyncExitStack, httpserver: HTTPServer
) -> None:
    local = opened(stack, serving(httpserver, "local"))
    clients = Clients(local, local, None)
    assert clients.one_cluster
    assert clients.fenced(None) is local
    assert await answered(clients.fenced(None), ROUTE) == "local"


async def test_routes_live_in_the_cluster_of_the_mesh(
    stack: AsyncExitStack, httpserver: HTTPServer
) -> None:
    with HTTPServer() as mesh:
        local = opened(stack, serving(httpserver, "local"))
        other = opened(stack, serving(mesh, "mesh"))
        clients = Clients(local, local, other)
        assert not clients.one_cluster
        client = clients.fenced(None)
        assert await answered(client, ROUTE) == "mesh"
        assert await answered(client, DEPLOYMENT) == "local"


async def test_two_ways_to_the_same_server_are_one_cluster(stack: AsyncExitStack) -> None:
    first, second = (opened(stack, "http://127.0.0.1:1") for _ in range(2))
    assert Clients(first, first, second).one_cluster


async def test_what_the_rate_limits_hold_back_is_counted_without_the_lease(
    stack: AsyncExitStack,
) -> None:
    limits = HttpSettings(qps=0.001, burst=1)
    local, lease, mesh = (HttpClient(Login("http://127.0.0.1:1"), limits) for _ in range(3))
    clients, asked = Clients(local, lease, mesh), list[asyncio.Task[None]]()
    for client, requests in ((local, 3), (lease, 7), (mesh, 2)):
        stack.push_async_callback(client.close)
        asked += [asyncio.create_task(client._throttle.wait(FIRST)) for _ in range(requests)]
    await asyncio.sleep(0)
    assert clients.waiting == 3 - 1 + 2 - 1
    assert Clients(local, lease, None).waiting == 2
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    assert clients.waiting == 0


async def test_without_leadership_no_write_leaves_the_process(
    stack: AsyncExitStack, httpserver: HTTPServer
) -> None:
    with HTTPServer() as mesh:
        local = opened(stack, serving(httpserver, "local"))
        other = opened(stack, serving(mesh, "mesh"))
        elector = leader.Elector(local, "flagger", "me")
        client = Clients(local, local, other).fenced(elector)
        for ref in (DEPLOYMENT, ROUTE):
            with pytest.raises(Fenced):
                await client.patch(ref, {})
            with pytest.raises(Fenced):
                await client.update(ref, {"metadata": {}})
        assert httpserver.log == []
        assert mesh.log == []
        assert await answered(client, DEPLOYMENT) == "local", "followers read"
        await local.patch(DEPLOYMENT, {})  # the elector's own connection is not fenced


async def test_only_with_leader_election_there_is_a_candidate(stack: AsyncExitStack) -> None:
    assert candidate(Settings(), opened(stack, "http://127.0.0.1:1")) is None


async def test_a_candidate_has_a_name_of_its_own(stack: AsyncExitStack) -> None:
    client = opened(stack, "http://127.0.0.1:1")
    settings = Settings(enable_leader_election=True, leader_election_namespace="flagger")
    first, second = (candidate(settings, client) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.name != second.name
    assert not first.valid()


async def test_a_mesh_client_needs_a_kubeconfig_of_its_own(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    assert await mesh_client(Settings(), HttpSettings(), nobody, stack) is None
    path = tmp_path / "mesh"
    user = {"token": base64.b64encode(b"t").decode()}
    config = {
        "current-context": "mesh",
        "contexts": [{"name": "mesh", "context": {"cluster": "mesh", "user": "me"}}],
        "clusters": [{"name": "mesh", "cluster": {"server": "http://127.0.0.1:7"}}],
        "users": [{"name": "me", "user": user}],
    }
    path.write_text(yaml.safe_dump(config))
    settings = Settings(kubeconfig_service_mesh=str(path))
    client = await mesh_client(settings, HttpSettings(), nobody, stack)
    assert client is not None
    assert client.server == "http://127.0.0.1:7"
