"""Contour and its Envoy as data plane: HTTPProxies, and the one Gateway that it serves."""

from collections.abc import Callable
from typing import Any

import pytest

from e2e.suite import access, history, podinfo
from e2e.tests import plays

NAME = "contour"


@pytest.fixture(scope="module")
def entry(data_plane: Callable[[str], tuple[str, int]]) -> tuple[str, int]:
    return data_plane(NAME)


@pytest.fixture
def proxy(app: podinfo.App) -> dict[str, Any]:
    """Create the root HTTPProxy of the application's owner; return what the Canary says."""
    app.api.apply(
        {
            "apiVersion": "projectcontour.io/v1",
            "kind": "HTTPProxy",
            "metadata": {"name": "shop", "namespace": app.namespace},
            "spec": {"virtualhost": {"fqdn": app.host}, "includes": [{"name": podinfo.NAME}]},
        }
    )
    return {"provider": "contour"}


@pytest.fixture
def route(app: podinfo.App) -> dict[str, Any]:
    """Return what the Canary says for an HTTPRoute at Contour's Gateway."""
    gateway = {"name": NAME, "namespace": NAME}
    service = {"gatewayRefs": [gateway], "hosts": [app.host]}
    return {"provider": "gatewayapi:v1", "service": service}


def test_weights_of_an_httpproxy(
    app: podinfo.App, past: history.History, reach: access.Access, proxy: dict[str, Any]
) -> None:
    plays.by_weight(app, past, reach, plays.BUILT_IN, **proxy)


def test_a_b_of_an_httpproxy(
    app: podinfo.App, past: history.History, proxy: dict[str, Any]
) -> None:
    plays.by_header(app, past, **proxy)


def test_rolled_back_behind_an_httpproxy(
    app: podinfo.App, past: history.History, proxy: dict[str, Any]
) -> None:
    plays.rolled_back(app, past, plays.BUILT_IN, **proxy)


@pytest.mark.parametrize("percent", [100, 50])
def test_copies_by_an_httpproxy(
    app: podinfo.App,
    past: history.History,
    reach: access.Access,
    proxy: dict[str, Any],
    percent: int,
) -> None:
    plays.mirrored(app, past, reach, percent, **proxy)


def test_cookies_of_an_httpproxy(
    app: podinfo.App, past: history.History, reach: access.Access, proxy: dict[str, Any]
) -> None:
    plays.sticky(app, past, reach, **proxy)


def test_weights_of_an_httproute(
    app: podinfo.App, past: history.History, reach: access.Access, route: dict[str, Any]
) -> None:
    plays.templates(app)
    plays.by_weight(app, past, reach, plays.METRICS, **route)


def test_a_b_of_an_httproute(
    app: podinfo.App, past: history.History, route: dict[str, Any]
) -> None:
    plays.by_header(app, past, **route)


def test_copies_by_an_httproute(
    app: podinfo.App, past: history.History, reach: access.Access, route: dict[str, Any]
) -> None:
    plays.mirrored(app, past, reach, **route)


def test_cookies_of_an_httproute(
    app: podinfo.App, past: history.History, reach: access.Access, route: dict[str, Any]
) -> None:
    plays.sticky(app, past, reach, **route)
