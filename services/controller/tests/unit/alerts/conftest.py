"""Canaries and a client for the tests of alerts."""

import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from flagger_controller import net
from flagger_controller.api.canary import Canary

from .world import World

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


@pytest.fixture
def world(http: net.Http, httpserver: HTTPServer) -> World:
    return World(http, httpserver)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING)
    return caplog


@pytest.fixture
def routed(canary: Build) -> Canary:
    return canary(alerts=[{"name": "x", "providerRef": {"name": "chat"}}])
