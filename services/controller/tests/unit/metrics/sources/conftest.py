"""What sources need of the process, and certificates."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import trustme

from flagger_controller import net
from flagger_controller.cluster.fake import FakeApi
from flagger_controller.metrics.base import Context

NOW = datetime(2026, 11, 26, 18, tzinfo=UTC)


@pytest.fixture
async def context() -> AsyncIterator[Context]:
    async with net.Http() as http:
        yield Context(http, FakeApi(), lambda: NOW)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Nobody trusts it."""
    return trustme.CA()
