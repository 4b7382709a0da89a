"""The cluster that is observed."""

from collections.abc import AsyncIterator

import pytest

from flagger_controller.cluster.cache import Cache, Change
from flagger_controller.cluster.fake import FakeApi

from ..scene import TARGET, now, workload
from .bench import Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    api, changes = FakeApi(now=now), list[str]()

    def changed(key: object, change: Change) -> None:
        changes.append(f"{key}: {change.ref}")

    cache = Cache(api, on_change=changed)
    api.put(TARGET, workload())
    yield Bench(api, cache, changes)
    await cache.close()
