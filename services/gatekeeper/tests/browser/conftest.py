"""A real browser, and a real server with things to decide."""

import pathlib
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright
from tools.cluster import packages, settings

from ..servers import Gatekeeper

PHONE = ViewportSize(width=390, height=844)
DESK = ViewportSize(width=1280, height=800)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium: no browser is downloaded.

    While it runs, Playwright's event loop does too, so tests that need one of their own have to
    come after it.
    """
    try:
        packages.ensure(packages.CHROMIUM)
        program = packages.path("chromium")
    except settings.ClusterError as error:
        pytest.skip(f"no Chromium: {error}")
    with sync_playwright() as playwright:
        # Chromium's own sandbox is not for root, and all it shows here is our page.
        launched = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def gatekeeper(gatekeepers: Callable[..., Gatekeeper], tmp_path: pathlib.Path) -> Gatekeeper:
    """One with a rollout that waits."""
    running = gatekeepers("-store=sqlite", f"-store-dsn={tmp_path}/gates.sqlite")
    for gate in ("start", "promotion"):
        running.post(f"/gate/close/{gate}", name="podinfo", namespace="test")
    waits = {"namespace": "test", "phase": "WaitingPromotion", "checksum": "7c9d467496"}
    assert running.post("/gate/check/promotion", name="podinfo", **waits).status_code == 403
    return running


@pytest.fixture
def page(browser: Browser, gatekeeper: Gatekeeper) -> Iterator[Page]:
    """The page on a desk."""
    context = browser.new_context(viewport=DESK, base_url=gatekeeper.url(""))
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert complaints == [], "the browser complains"
