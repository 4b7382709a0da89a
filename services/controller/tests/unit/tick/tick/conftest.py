"""The rig whose ticks are tested."""

from collections.abc import AsyncIterator

import pytest

from .bench import Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    found = Bench()
    yield found
    await found.rig.stop()
    for process in found.processes:
        await process.cache.close()
