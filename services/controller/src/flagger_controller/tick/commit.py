"""Commit: the one status write of a decision, conditional on what was read."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus, Revision
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import ApiNotFound, KubeClient, Ref
from flagger_controller.errors import Gone

FINALIZER: Final = "finalizer.flagger.app"
"""Keeps a Canary with `revertOnDeletion` until everything is reverted."""
_OURS: Final = frozenset(field.alias or name for name, field in CanaryStatus.model_fields.items())


def ref_of(canary: Canary) -> Ref:
    """The Canary as an object of the API."""
    return Ref(resources.CANARIES, canary.name, canary.namespace)


class Committer:
    """Writes status, and nothing else of a Canary but its finalizer."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def commit(self, canary: Canary, stored: Object, status: CanaryStatus) -> Object:
        """Write what changed, and return the object as the server has it now.

        Args:
            canary: the Canary that the decision was made for.
            stored: status and version as they were read: status fields that we do not know survive.
            status: the next status.

        Raises:
            ApiConflict: somebody wrote the Canary since it was read; decide anew.
            Gone: it was deleted meanwhile.
        """
        before = stored.get("status") or {}
        foreign = {key: value for key, value in before.items() if key not in _OURS}
        changes = merge_patch(before, {**foreign, **status.to_api()})
        patch = {"metadata": _precondition(stored), "status": changes}
        return await self._patch(canary, patch, subresource="status")

    async def hold(self, canary: Canary, stored: Object) -> Object:
        """Add our finalizer."""
        kept = [*canary.metadata.finalizers, FINALIZER]
        return await self._finalizers(canary, stored, kept)

    async def release(self, canary: Canary, stored: Object) -> Object:
        """Remove our finalizer: the Canary may go."""
        kept = [name for name in canary.metadata.finalizers if name != FINALIZER]
        return await self._finalizers(canary, stored, kept)

    async def _finalizers(self, canary: Canary, stored: Object, kept: list[str]) -> Object:
        metadata = {**_precondition(stored), "finalizers": kept}
        return await self._patch(canary, {"metadata": metadata})

    async def _patch(self, canary: Canary, patch: Object, *, subresource: str = "") -> Object:
        try:
            return await self._client.patch(ref_of(canary), patch, subresource=subresource)
        except ApiNotFound as error:
            raise Gone(str(error)) from error


def named(
    before: CanaryStatus, after: CanaryStatus, revision: str, upstream: Callable[[], str]
) -> CanaryStatus:
    """The next status, with what upstream calls the revisions that it names.

    Where two revisions have the same name, because they differ in something that upstream does
    not know, the older one keeps it.

    Args:
        before: the status that was read.
        after: the next one.
        revision: our hash of the live target.
        upstream: gives upstream's hash of the same, which takes a while.
    """
    used = {after.last_applied_spec, after.last_promoted_spec}
    kept = [each for each in before.run.revisions if each.ours in used]
    if revision in used - {each.ours for each in kept}:
        name = upstream()
        if name not in {each.upstream for each in kept}:
            kept.append(Revision(ours=revision, upstream=name))
    run = after.run.model_copy(update={"revisions": tuple(kept)})
    return after.model_copy(update={"run": run})


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> Object:
    """The JSON merge patch (RFC 7386) that turns one document into the other."""
    patch: Object = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if inner := merge_patch(before, value):
                patch[key] = inner
        elif value != before or key not in old:
            patch[key] = value
    return patch


def _precondition(stored: Object) -> Object:
    return {"resourceVersion": stored["metadata"]["resourceVersion"]}
