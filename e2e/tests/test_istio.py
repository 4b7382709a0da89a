"""Istio as data plane: what istiod makes of our objects, in the Envoy of a gateway."""

from collections.abc import Callable
from typing import Any

import pytest

from e2e.suite import access, history, podinfo
from e2e.tests import plays

NAME = "istio"
GATEWAY = "istio/public"


@pytest.fixture(scope="module")
def entry(data_plane: Callable[[str], tuple[str, int]]) -> tuple[str, int]:
    return data_plane(NAME)


@pytest.fixture
def routed(app: podinfo.App) -> dict[str, Any]:
    """Return what the Canary says for clients of the gateway."""
    return {"provider": NAME, "service": {"gateways": [GATEWAY], "hosts": [app.host]}}


def test_weights(
    app: podinfo.App, past: history.History, reach: access.Access, routed: dict[str, Any]
) -> None:
    plays.templates(app)
    plays.by_weight(app, past, reach, plays.METRICS, **routed)


def test_a_b_by_header(app: podinfo.App, past: history.History, routed: dict[str, Any]) -> None:
    plays.by_header(app, past, **routed)


def test_rolled_back(app: podinfo.App, past: history.History, routed: dict[str, Any]) -> None:
    plays.templates(app)
    plays.rolled_back(app, past, plays.METRICS, **routed)


@pytest.mark.parametrize("percent", [100, 50])
def test_copies(
    app: podinfo.App,
    past: history.History,
    reach: access.Access,
    routed: dict[str, Any],
    percent: int,
) -> None:
    plays.mirrored(app, past, reach, percent, **routed)


def test_cookies(
    app: podinfo.App, past: history.History, reach: access.Access, routed: dict[str, Any]
) -> None:
    plays.sticky(app, past, reach, primary="podinfo-primary", **routed)
