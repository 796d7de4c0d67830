"""A real browser for tests: Debian's Chromium.

Where the headless shell is installed it is that: it takes a third of the processor time.
"""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        missing = "the console was not shown in a browser: apt-get install chromium-headless-shell, or chromium"
        if "CI" in os.environ:
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


def listens(page: Page) -> None:
    """Wait until the page's script has begun: what is typed before it goes nowhere."""
    expect(page.locator("#help-button")).to_be_visible()


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_contain_text(text)


def tab_to(page: Page, there: Locator) -> None:
    for _ in range(60):
        if there.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {there}")


def down_to(page: Page, text: str) -> None:
    """Go down the rows or the groups until the one with this text."""
    listens(page)
    for _ in range(20):
        page.keyboard.press("j")
        at = page.evaluate("(document.activeElement.closest('article, tr') || {}).innerText")
        if at and text in " ".join(at.split()):
            return
    raise AssertionError(f"j does not lead to {text}: {page.locator('main').inner_text()}")


def keys(page: Page, pressed: str, leads_to: str) -> None:
    listens(page)
    page.keyboard.type(pressed)
    heading(page, leads_to)
