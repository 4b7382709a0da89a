from collections.abc import AsyncIterator
from typing import Any

import pytest

from flagger_controller.cluster.cache import Cache, Change
from flagger_controller.cluster.fake import FakeApi

from .world import World


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
async def world(api: FakeApi) -> AsyncIterator[World]:
    changes: list[tuple[Any, Change]] = []
    cache = Cache(api, on_change=lambda key, change: changes.append((key, change)))
    yield World(api, cache, changes)
    await cache.close()
