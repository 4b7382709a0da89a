"""What people do with the page, in Chromium."""

from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from ..servers import Gatekeeper
from .conftest import DESK, PHONE

pytestmark = pytest.mark.timeout(600)  # the first one may have to install Chromium

PAGE = "/ui/gates/test/podinfo/promotion"


def passes(gatekeeper: Gatekeeper) -> bool:
    sent = {"name": "podinfo", "namespace": "test", "phase": "WaitingPromotion"}
    answer = gatekeeper.post("/gate/check/promotion", checksum="7c9d467496", **sent)
    return answer.status_code == 200


def test_somebody_approves_what_waits(page: Page, gatekeeper: Gatekeeper) -> None:
    page.goto("/")
    waiting = page.get_by_role("region", name="Waiting for you")
    expect(waiting.get_by_role("heading", level=3)).to_have_text("podinfo promotion")
    waiting.get_by_role("link", name="Approve or reject").click()
    page.get_by_label("Reason").fill("looks good")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("test · open")).to_be_visible()
    history = page.get_by_role("region", name="History").get_by_role("row")
    expect(history.nth(1)).to_contain_text("looks good")
    assert passes(gatekeeper)


def test_somebody_rejects_it(page: Page, gatekeeper: Gatekeeper) -> None:
    page.goto(PAGE)
    page.get_by_label("Reason").fill("not today")
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("region", name="History")).to_contain_text("not today")
    assert not passes(gatekeeper)


def test_one_approval_by_keyboard_alone(page: Page, gatekeeper: Gatekeeper) -> None:
    page.goto(PAGE)
    page.get_by_label("Reason").focus()
    page.keyboard.type("release 7")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # how long it stays open
    page.get_by_label("for one approval").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Approve").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("for one approval").first).to_be_visible()
    assert passes(gatekeeper)
    sent = {"name": "podinfo", "namespace": "test", "phase": "Waiting", "checksum": "other"}
    assert gatekeeper.post("/gate/check/promotion", **sent).status_code == 403


def test_changes_of_others_appear_by_themselves(page: Page, gatekeeper: Gatekeeper) -> None:
    page.goto("/ui/")
    row = page.get_by_role("row").filter(has_text="start")
    expect(row).to_contain_text("closed")
    gatekeeper.post("/gate/open/start", name="podinfo", namespace="test")
    expect(row).to_contain_text("open", timeout=30_000)


def test_a_form_that_is_being_filled_in_stays(page: Page, gatekeeper: Gatekeeper) -> None:
    """And what is decided is decided about the gate as it is shown."""
    page.goto(PAGE)
    page.get_by_label("Reason").fill("looks good")
    gatekeeper.post("/gate/open/promotion", name="podinfo", namespace="test")
    expect(page.get_by_text("test · open")).to_be_visible(timeout=30_000)
    expect(page.get_by_label("Reason")).to_have_value("looks good")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("region", name="History")).to_contain_text("looks good")


def test_without_javascript(browser: Browser, gatekeeper: Gatekeeper) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=gatekeeper.url(""))
    page = context.new_page()
    page.goto("/")
    page.get_by_role("link", name="Approve or reject").click()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("test · open")).to_be_visible()
    assert passes(gatekeeper)
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_is_cut_off_and_all_is_readable(
    browser: Browser,
    gatekeeper: Gatekeeper,
    size: ViewportSize,
    scheme: Literal["light", "dark"],
) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme, base_url=gatekeeper.url(""))
    page = context.new_page()
    for path in ("/ui/", PAGE):
        page.goto(path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size["width"]
        for button in page.get_by_role("button").all():
            box = button.bounding_box()
            assert box is not None
            assert box["height"] >= 44, "too small for a thumb"
        assert page.evaluate(CONTRAST) >= 4.5
    context.close()


CONTRAST = """() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map((each) => {
      const part = Number(each) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!colour.endsWith(", 0)")) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const ratios = [...document.querySelectorAll("main *")]
    .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .map((one) => {
      const pair = [light(getComputedStyle(one).color), light(paper(one))].sort((a, b) => b - a);
      return (pair[0] + 0.05) / (pair[1] + 0.05);
    });
  return Math.min(...ratios);
}"""
"""The smallest contrast of any text to what is behind it (WCAG 2: at least 4.5)."""
