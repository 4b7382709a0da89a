import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import (
    ApiConflict,
    ApiError,
    KubeClient,
    Object,
    Ref,
    Resource,
)
from flagger_controller.cluster.fake import FakeApi
from flagger_controller.cluster.http import HttpClient
from flagger_controller.cluster.login import load

THINGS = Resource("test.flagger.app", "v1", "things", "Thing")
"""A custom kind with a status subresource, as Canaries are."""


@dataclass(frozen=True)
class Api:
    """The fake or a real API server, and a namespace on it."""

    client: KubeClient
    namespace: str

    def thing(self, name: str = "cart") -> Ref:
        return Ref(THINGS, name, self.namespace)

    def config_map(self, name: str = "settings") -> Ref:
        return Ref(resources.CONFIG_MAPS, name, self.namespace)

    def service(self, name: str = "cart") -> Ref:
        return Ref(resources.SERVICES, name, self.namespace)


async def eventually(check: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something that other processes bring about."""
    async with asyncio.timeout(seconds):
        while True:
            if check():
                return
            await asyncio.sleep(0.02)


async def real(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    plane = request.getfixturevalue("control_plane")
    client = HttpClient(load(str(plane.kubeconfig)))
    namespace = Ref(resources.NAMESPACES, f"test-{uuid.uuid4().hex[:10]}")
    await client.create(namespace, {})
    await install_things(client)
    yield Api(client, namespace.name)
    await client.delete(namespace)
    await client.close()


async def install_things(client: HttpClient) -> None:
    """Install our custom kind; the first test pays."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": THINGS.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    body: Object = {
        "spec": {
            "group": THINGS.group,
            "names": {"plural": THINGS.plural, "kind": THINGS.kind},
            "scope": "Namespaced",
            "versions": [version],
        }
    }
    try:
        name = f"{THINGS.plural}.{THINGS.group}"
        await client.create(Ref(resources.CUSTOM_RESOURCES, name), body)
    except ApiConflict:
        return
    async with asyncio.timeout(30):
        while True:
            try:
                await client.list(THINGS)
                break
            except ApiError:
                await asyncio.sleep(0.1)


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.api)])
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    if request.param == "fake":
        yield Api(FakeApi(), "shop")
        return
    async for found in real(request):
        yield found
