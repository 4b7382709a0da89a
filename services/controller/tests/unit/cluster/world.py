"""What the tests of the watch cache share."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from flagger_controller.cluster import resources
from flagger_controller.cluster.cache import Cache, Change
from flagger_controller.cluster.client import Object, Page, Ref
from flagger_controller.cluster.fake import FakeApi

SERVICE = Ref(resources.SERVICES, "cart", "shop")


@dataclass
class World:
    """A fake cluster with a cache and what the cache reported."""

    api: FakeApi
    cache: Cache
    changes: list[tuple[Any, Change]] = field(default_factory=list)

    def seen(self) -> list[tuple[Any, str, bool, bool]]:
        """Key, name, existed, exists of all changes since the last call."""
        found = [(k, c.ref.name, c.old is not None, c.new is not None) for k, c in self.changes]
        self.changes.clear()
        return found


def deployment(name: str = "cart", namespace: str = "shop") -> Ref:
    return Ref(resources.DEPLOYMENTS, name, namespace)


def config_map(name: str = "settings", namespace: str = "shop") -> Ref:
    return Ref(resources.CONFIG_MAPS, name, namespace)


def replicas(count: int) -> Object:
    return {"spec": {"replicas": count}}


def count(body: Object | None) -> int:
    assert body is not None
    return int(body["spec"]["replicas"])


class Behind:
    """Lists end as they were at a time; everything else is up to date."""

    def __init__(self, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
        self._page, self._patch, self._api = api.page, monkeypatch, api
        self._past: list[Page] = []

    async def remember(self) -> None:
        self._past.append(await self._page(resources.DEPLOYMENTS))

    def begin(self) -> None:
        async def page(*_: object, **__: object) -> Page:
            self._api.reads["list", resources.DEPLOYMENTS] += 1
            return self._past[-1]

        self._patch.setattr(self._api, "page", page)

    def end(self) -> None:
        self._patch.setattr(self._api, "page", self._page)
