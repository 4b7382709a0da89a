"""A pool for each test."""

from collections.abc import AsyncIterator

import pytest

from .bench import Bench, stop


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    found = Bench()
    yield found
    await stop(found)
