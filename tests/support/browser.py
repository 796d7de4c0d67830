"""A real browser for tests: Debian's Chromium."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        missing = "the console was not shown in a browser: that needs Debian's chromium (.ci/run installs it)"
        if "CI" in os.environ:
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


def listens(page: Page) -> None:
    """Wait until the page's script has begun: what is typed before it goes nowhere."""
    expect(page.locator("#help-button")).to_be_visible()
