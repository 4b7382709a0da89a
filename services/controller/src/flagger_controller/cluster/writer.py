"""Writes through a client and tells the cache about them: the only way the controller writes."""

from flagger_controller.cluster.cache import Cache
from flagger_controller.cluster.client import KubeClient, Object, Ref


class Writer:
    """create, update, patch and delete of `KubeClient`, remembered for `Cache.caught_up`.

    A write that fails is not recorded, also when its outcome is unknown: the caller tries again
    from a new observation, and preconditions stop what is outdated.
    """

    def __init__(self, client: KubeClient, cache: Cache) -> None:
        self._client = client
        self._cache = cache

    async def create(self, ref: Ref, body: Object) -> Object:
        """Create; `ApiConflict` when it exists."""
        return self._recorded(ref, await self._client.create(ref, body))

    async def update(self, ref: Ref, body: Object, *, subresource: str = "") -> Object:
        """Replace; the body carries the resourceVersion that was read."""
        return self._recorded(ref, await self._client.update(ref, body, subresource=subresource))

    async def patch(self, ref: Ref, patch: Object, *, subresource: str = "") -> Object:
        """JSON merge patch; put `metadata.resourceVersion` into it as a precondition."""
        return self._recorded(ref, await self._client.patch(ref, patch, subresource=subresource))

    async def delete(self, ref: Ref, *, uid: str = "") -> None:
        """Delete; with a uid only that very object."""
        await self._client.delete(ref, uid=uid)
        self._cache.deleted(ref, uid)

    def _recorded(self, ref: Ref, body: Object) -> Object:
        self._cache.wrote(ref, body["metadata"]["resourceVersion"])
        self._cache.keep(ref, body)
        return body
