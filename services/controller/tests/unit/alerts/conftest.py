"""Canaries and a client for the tests of alerts."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from flagger_controller import net
from flagger_controller.api.canary import Canary

Build = Callable[..., Canary]


@pytest.fixture
async def http() -> AsyncIterator[net.Http]:
    async with net.Http() as client:
        yield client


@pytest.fixture
def canary() -> Build:
    """Build a Canary `podinfo` of the Deployment `target` in `default`; keywords: its analysis."""

    def build(*, name: str = "podinfo", deadline: int | None = None, **analysis: Any) -> Canary:
        spec: dict[str, Any] = {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "target"},
            "analysis": analysis,
            "progressDeadlineSeconds": deadline,
        }
        metadata = {"name": name, "namespace": "default"}
        return Canary.from_api({"metadata": metadata, "spec": spec})

    return build
