"""Two API servers behind one client: routes of a mesh may live in another cluster (routing.md 2.4).

Which server a kind belongs to depends on its API group alone.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

from flagger_controller.cluster.client import KubeClient, Object, Page, Ref, Resource

MESH_GROUPS: Final = frozenset(
    {
        "apisix.apache.org",
        "appmesh.k8s.aws",
        "gateway.networking.k8s.io",
        "gateway.solo.io",
        "gloo.solo.io",
        "kuma.io",
        "networking.istio.io",
        "projectcontour.io",
        "split.smi-spec.io",
        "traefik.io",
    }
)
"""API groups whose objects are written to the mesh's control plane."""


class SplitClient:
    """A `KubeClient` that sends route objects to `mesh` and everything else to `local`."""

    def __init__(self, local: KubeClient, mesh: KubeClient) -> None:
        self._local = local
        self._mesh = mesh

    async def get(self, ref: Ref) -> Object:
        """Read one object."""
        return await self._of(ref.resource).get(ref)

    async def read(
        self, path: str, params: Mapping[str, str] | None = None, *, seconds: float | None = None
    ) -> Object:
        """GET what is no object."""
        return await self._local.read(path, params, seconds=seconds)

    async def list(self, resource: Resource, namespace: str = "") -> list[Object]:
        """Read all objects of a kind."""
        return await self._of(resource).list(resource, namespace)

    async def create(self, ref: Ref, body: Object) -> Object:
        """Create."""
        return await self._of(ref.resource).create(ref, body)

    async def update(self, ref: Ref, body: Object, *, subresource: str = "") -> Object:
        """Replace."""
        return await self._of(ref.resource).update(ref, body, subresource=subresource)

    async def patch(self, ref: Ref, patch: Object, *, subresource: str = "") -> Object:
        """JSON merge patch."""
        return await self._of(ref.resource).patch(ref, patch, subresource=subresource)

    async def delete(self, ref: Ref, *, uid: str = "") -> None:
        """Delete."""
        await self._of(ref.resource).delete(ref, uid=uid)

    async def page(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        limit: int = 500,
        token: str = "",
        metadata_only: bool = False,
    ) -> Page:
        """Read one page of a list."""
        return await self._of(resource).page(
            resource, namespace, limit=limit, token=token, metadata_only=metadata_only
        )

    def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        version: str,
        seconds: float,
        metadata_only: bool = False,
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Stream watch events."""
        return self._of(resource).watch(
            resource, namespace, version=version, seconds=seconds, metadata_only=metadata_only
        )

    def _of(self, resource: Resource) -> KubeClient:
        return self._mesh if resource.group in MESH_GROUPS else self._local
