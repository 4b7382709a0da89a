"""A real Kubernetes API for the tests of this folder, and a namespace and a client for each."""

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
from tools.cluster import settings
from tools.cluster.controlplane import MASTERS, ControlPlane, Options

from flagger_controller.cluster.http import HttpClient
from flagger_controller.cluster.login import load

from .scene import World

USERS = {
    **dict.fromkeys(("flagger", "flagger2", *(f"shard{number}" for number in range(5))), MASTERS),
    "narrow": "",
}
"""`narrow` has the rights that a test gives it."""


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """An API server with controllers and two fake nodes; shared, so use `namespace`."""
    try:
        plane = ControlPlane.start(Options(users=USERS, fake_nodes=2))
    except settings.ClusterError as error:
        pytest.skip(f"no control plane: {error}")
    with plane:
        yield plane


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A fresh namespace; it is deleted afterwards, without waiting for it."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    with control_plane.client() as admin:
        admin.create("/api/v1/namespaces", {"metadata": {"name": name}})
        yield name
        admin.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
async def client(control_plane: ControlPlane) -> AsyncIterator[HttpClient]:
    """Our own client, as cluster administrator."""
    client = HttpClient(load(str(control_plane.kubeconfig)))
    yield client
    await client.close()


@pytest.fixture(scope="session")
def world(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """What is around controllers, with a folder for their logs."""
    with World.around(control_plane, tmp_path_factory.mktemp("logs")) as world:
        yield world
