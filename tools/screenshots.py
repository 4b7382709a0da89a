"""`make screenshots`: the pictures of the gatekeeper's page in docs/images."""

import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any, Final

import requests
from playwright.sync_api import ViewportSize, sync_playwright
from tools.cluster import packages, ports

IMAGES: Final = pathlib.Path(__file__).parent.parent / "docs/images"
WAITS: Final = (("podinfo", "promotion", "WaitingPromotion"), ("cart", "start", "Waiting"))
SIZE: Final = ViewportSize(width=1000, height=640)


def furnished(url: str) -> None:
    """Gates as a team has them."""

    def send(path: str, name: str, **more: Any) -> None:
        payload = {"name": name, "namespace": "shop", **more}
        requests.post(f"{url}{path}", json=payload, timeout=10)

    requests.post(
        f"{url}/api/v1/gates/shop/podinfo/promotion/close",
        json={"reason": "error budget is spent"},
        timeout=10,
    )
    for name, gate, phase in WAITS:
        send(f"/gate/check/{gate}", name, phase=phase, checksum="7c9d467496")
    send("/gate/open/start", "podinfo")
    send("/rollback/close", "podinfo")


def main() -> int:
    """Start a gatekeeper, furnish it, take the pictures."""
    packages.ensure(packages.CHROMIUM)
    IMAGES.mkdir(exist_ok=True)
    port = ports.free("127.0.0.1")
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        flags = ("-store=sqlite", f"-store-dsn={folder}/gates.sqlite", "-allow-anonymous-mutations")
        argv = [sys.executable, "-m", "flagger_gatekeeper", f"-port={port}", *flags]
        server = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _await(url)
            furnished(url)
            _take(url)
        finally:
            server.terminate()
            server.wait()
    return 0


def _await(url: str) -> None:
    for _ in range(300):
        try:
            requests.get(f"{url}/healthz", timeout=1).raise_for_status()
        except requests.RequestException:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the gatekeeper does not answer")


def _take(url: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=packages.path("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport=SIZE)
        for name, path in (("gates", "/ui/"), ("gate", "/ui/gates/shop/podinfo/promotion")):
            page.goto(f"{url}{path}")
            page.screenshot(path=IMAGES / f"{name}.png", full_page=True)
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
