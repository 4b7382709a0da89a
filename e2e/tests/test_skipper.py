"""Skipper as data plane: an Ingress and its copy, weights in annotations."""

from collections.abc import Callable
from typing import Any

import pytest

from e2e.suite import access, history, podinfo
from e2e.tests import plays
from e2e.tests.test_routers import INGRESS, ingress

NAME = "skipper"


@pytest.fixture(scope="module")
def entry(data_plane: Callable[[str], tuple[str, int]]) -> tuple[str, int]:
    return data_plane(NAME)


@pytest.fixture
def shop(app: podinfo.App) -> dict[str, Any]:
    """Create the Ingress of the application's owner; return what the Canary says."""
    ingress(app, NAME)
    return {"provider": "skipper", "ingressRef": INGRESS}


def test_weights(
    app: podinfo.App, past: history.History, reach: access.Access, shop: dict[str, Any]
) -> None:
    plays.by_weight(app, past, reach, plays.BUILT_IN, **shop)


def test_a_b(app: podinfo.App, past: history.History, shop: dict[str, Any]) -> None:
    plays.by_header(app, past, **shop)


def test_rolled_back(app: podinfo.App, past: history.History, shop: dict[str, Any]) -> None:
    plays.rolled_back(app, past, plays.BUILT_IN, **shop)
