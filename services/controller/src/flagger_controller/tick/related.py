"""Observe, second part: objects that only the content of the target names.

The ConfigMaps and Secrets of its pods with their copies, and what is followed.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.cluster import resources
from flagger_controller.cluster.cache import Cache, NotSynced
from flagger_controller.cluster.client import Ref
from flagger_controller.targets import tracking
from flagger_controller.targets.base import ConfigRef, Configs, TargetSettings
from flagger_controller.tick.world import Parts

_KINDS: Final = {
    tracking.CONFIG_MAP: resources.CONFIG_MAPS,
    tracking.SECRET: resources.SECRETS,
}


@dataclass(frozen=True)
class Found:
    """What is there of it."""

    configs: Configs
    """The tracked configs."""
    missing: tuple[ConfigRef, ...]
    """Configs that pods cannot start without."""
    copies: Mapping[Ref, Object]
    """Their copies as they must be."""
    live: Mapping[Ref, Object]
    """Copies, and what is followed, as they are."""


class Related:
    """Reads it from the watch cache."""

    def __init__(self, cache: Cache, settings: TargetSettings) -> None:
        self._cache = cache
        self._settings = settings

    async def read(self, canary: Canary, parts: Parts, target: Object, named: set[Ref]) -> Found:
        """What is there now.

        Args:
            canary: whose target it is.
            parts: what serves the canary.
            target: the live target.
            named: what else the canary refers to; it stays watched.

        Raises:
            Retriable: the cache cannot answer yet, or config data could not be read.
        """
        wanted = parts.target.configs(target)
        sources = {ref: Ref(_KINDS[ref.kind], ref.name, canary.namespace) for ref in wanted}
        twins = {ref: replace(own, name=f"{own.name}-primary") for ref, own in sources.items()}
        followed = parts.target.refs(canary, target)
        needed = {*sources.values(), *twins.values(), *(ref for ref in followed if ref.name)}
        self._cache.watch({*named, *needed, *followed}, canary.key)
        await self._cache.synced(needed)
        await self._cache.caught_up({*needed, *followed})
        await self._cache.confirm(own for ref, own in sources.items() if not ref.optional)
        existing = await self._existing(sources)
        configs = tracking.resolve(existing)
        copies = await self._existing({ref: twins[ref] for ref in configs})
        return Found(
            configs=configs,
            missing=tuple(ref for ref in wanted if ref not in existing and not ref.optional),
            copies={
                twins[ref]: tracking.copied(canary, self._settings, ref, body, copies.get(ref))
                for ref, body in configs.items()
            },
            live={twins[ref]: body for ref, body in copies.items()} | self._known(followed),
        )

    async def _existing(self, places: Mapping[ConfigRef, Ref]) -> dict[ConfigRef, Object]:
        found = {ref: await self._cache.data(place) for ref, place in places.items()}
        return {ref: body for ref, body in found.items() if body is not None}

    def _known(self, refs: tuple[Ref, ...]) -> dict[Ref, Object]:
        every = [each for ref in refs for each in self._all(ref)]
        found = {ref: self._cache.get(ref) for ref in every}
        return {ref: body for ref, body in found.items() if body is not None}

    def _all(self, ref: Ref) -> list[Ref]:
        """What a reference without a name stands for: whatever is known by now.

        No release waits for it: where it cannot be listed, for want of a right, there is none.
        """
        if ref.name:
            return [ref]
        with contextlib.suppress(NotSynced):
            return self._cache.refs(ref.resource, ref.namespace)
        return []
