"""The connections of a process: to its own cluster, for the Lease, and to a mesh's cluster."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from flagger_controller.cluster import login
from flagger_controller.cluster.client import KubeClient
from flagger_controller.cluster.heard import Heard
from flagger_controller.cluster.http import HttpClient, HttpSettings
from flagger_controller.cluster.split import SplitClient
from flagger_controller.operator import leader
from flagger_controller.operator.lease import LeaseSettings
from flagger_controller.operator.settings import Settings


async def mesh_client(
    settings: Settings, limits: HttpSettings, heard: Heard, stack: AsyncExitStack
) -> HttpClient | None:
    """The client for routes, when they live in another cluster."""
    if not settings.kubeconfig_service_mesh:
        return None
    connection = login.load(settings.kubeconfig_service_mesh, settings.master)
    client = HttpClient(connection, limits, heard=heard)
    stack.push_async_callback(client.close)
    return client


@dataclass(frozen=True)
class Clients:
    """Connections to API servers."""

    local: HttpClient
    renewals: HttpClient
    """For the Lease alone."""
    mesh: HttpClient | None
    """For routes, when they have a kubeconfig of their own."""

    @property
    def waiting(self) -> int:
        """Requests that the rate limits hold back; those for the Lease are not among them."""
        return self.local.waiting + (self.mesh.waiting if self.mesh else 0)

    @property
    def one_cluster(self) -> bool:
        """Routes can be owned by Canaries: both live on the same server."""
        return self.mesh is None or self.mesh.server == self.local.server

    def fenced(self, elector: leader.Elector | None) -> KubeClient:
        """The client of the engine; with an elector its writes are fenced."""
        local, mesh = self.local, self.mesh
        if elector is not None:
            local = local.fenced(elector.check)
            mesh = mesh and mesh.fenced(elector.check)
        return local if mesh is None else SplitClient(local, mesh)


def candidate(settings: Settings, client: HttpClient) -> leader.Elector | None:
    """Who stands for election, when there is one."""
    if not settings.enable_leader_election:
        return None
    lease = LeaseSettings(settings.shard)
    return leader.Elector(client, settings.lease_namespace, leader.identity(), settings=lease)
