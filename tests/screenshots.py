"""The pictures of `docs/console.md`: `make screenshots`.

The night that the tests tell (`night`), in a PostgreSQL, a Valkey and a sandbox of its own, shown by Debian's Chromium.
"""

import argparse
import math
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright
from sqlalchemy import Engine, text

from models.words import Role
from tests.support import night
from tests.support.api import key_for
from tests.support.browser import CHROMIUM
from tests.support.console import running_console
from tests.support.sandbox_server import running_sandbox
from tests.support.services import Postgres, Valkey
from worker.context import Context
from worker.database import make_engine
from worker.local import migrate

HERE = Path(__file__).parent.parent / "docs" / "screenshots"
WIDE: ViewportSize = {"width": 1200, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 800}
RIGHT = f"acme-events/{night.SUMMIT}"


@dataclass(frozen=True)
class Picture:
    """What is shown, and what is done before."""

    name: str
    path: str
    is_dark: bool = False
    is_phone: bool = False
    before: Callable[[Page], None] = lambda _: None


def group(page: Page, means: str, press: str) -> None:
    page.get_by_role("article").filter(has_text=means).get_by_role("link", name=press).click()


def retry(page: Page) -> None:
    group(page, "no clear answer", "Retry …")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Retry")


def retried(page: Page) -> None:
    retry(page)
    page.get_by_role("button", name="Retry 3,600").click()
    expect(page.get_by_text("3,600 of 3,600")).to_be_visible()
    expect(page.locator("dl.tiles div.delivered dd")).to_have_text("3,600")
    expect(page.locator("#live")).to_be_hidden()


def correct(page: Page) -> None:
    group(page, "does not know this event", "Correct …")
    page.get_by_label("event: its id").fill(RIGHT)
    page.get_by_role("button", name="Show what changes").first.click()
    expect(page.locator("table.changes")).to_contain_text(RIGHT)


def audited(page: Page) -> None:
    """Do what the log then tells."""
    group(page, "left before they joined", "Dismiss …")
    page.get_by_label("why, for those who ask later").fill("test entries of the rehearsal")
    page.get_by_role("button", name="Dismiss 10").click()
    expect(page.get_by_text("10 of 10")).to_be_visible()
    page.get_by_role("link", name="Accounts", exact=True).click()
    page.get_by_role("button", name="Resume partner").click()
    page.get_by_role("link", name="Audit log").click()


def opened(page: Page) -> None:
    page.locator("tbody tr").filter(has_text=night.MISNAMED).get_by_role("link").first.click()


PICTURES = (
    Picture("overview", "/"),
    Picture("errors", "/groups"),
    Picture("look", "/groups", before=retry),
    Picture("job", "/groups", before=retried),
    Picture("correct", "/groups", before=correct),
    Picture("batch", "/batches?errors=1", is_dark=True, before=opened),
    Picture("accounts", "/accounts", is_dark=True, is_phone=True),
    Picture("audit-log", "/groups", before=audited),
)


@contextmanager
def ground(home: Path) -> Iterator[Context]:
    """The night, with the day before it; what is pressed is done, and the sandbox stores it."""
    database, valkey = Postgres(home), Valkey(home)
    try:
        with running_sandbox(burst_limit=1_000) as sandbox:
            settings = night.settings_for(database.start(), valkey.url, home, sandbox.url)
            os.environ |= {
                "TURNOUT_DATABASE_URL": settings.database_url,
                "TURNOUT_BROKER_URL": valkey.url,
            }  # of wake-ups
            migrate.upgrade(make_engine(settings))
            context = Context(settings)
            day_before(context.engine)
            night.Night(context.engine, settings).go_on()
            with night.working(context):
                yield context
            context.engine.dispose()
    finally:
        valkey.stop()
        database.stop()


def day_before(engine: Engine) -> None:
    """A day of registrations, most of them in the afternoon."""
    spans = [
        {
            "ago": 10 * ago,
            "calls": calls,
            "failed": int(ago % 37 == 5),
            "delivered": 71 * calls,
            "not": ago % 11 * calls // 9,
        }
        for ago in range(1, 144)
        for calls in [int(4 + 22 * max(0.0, math.sin((ago - 20) / 36)) + ago % 5)]
    ]
    with engine.begin() as connection:
        for table, account, id_ in (("throughput", "", ""), ("throughput_by_account", "account_id, ", "a.id, ")):
            marks = (", attempts_to, errors_to", ", 0, 0") if table == "throughput" else ("", "")
            connection.execute(
                text(f"""
                INSERT INTO {table} ({account}since, calls, calls_failed, delivered, undelivered{marks[0]})
                SELECT {id_}date_bin('10 minutes', now(), 'epoch') - :ago * interval '1 minute', :calls, :failed,
                  :delivered, :not{marks[1]} FROM accounts a WHERE a.name = 'default'"""),
                spans,
            )


def make(home: Path, to: Path, only: Collection[str]) -> None:
    """Make the pictures of these names, or all."""
    to.mkdir(parents=True, exist_ok=True)
    with ground(home) as context, running_console(context) as console, sync_playwright() as playwright:
        if CHROMIUM is None:
            sys.exit("this needs Debian's Chromium: apt-get install chromium-headless-shell, or chromium")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        key = key_for(context, "night shift", Role.OPERATOR)
        for picture in PICTURES:
            if not only or picture.name in only:
                shoot(browser, console.url, key, picture, to)
        browser.close()


def shoot(browser: Browser, url: str, key: str, picture: Picture, to: Path) -> None:
    context = browser.new_context(
        viewport=PHONE if picture.is_phone else WIDE,
        color_scheme="dark" if picture.is_dark else "light",
        reduced_motion="reduce",
        bypass_csp=True,
    )
    page = context.new_page()
    page.goto(f"{url}/sign-in?next={picture.path.replace('?', '%3F')}")
    page.get_by_label("key").fill(key)
    page.keyboard.press("Enter")
    expect(page).to_have_url(url + picture.path)
    picture.before(page)
    page.screenshot(path=to / f"{picture.name}.png", style="html { scrollbar-gutter: auto }")
    context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *(picture.name for picture in PICTURES)], metavar="NAME")
    parser.add_argument("--to", type=Path, default=HERE, help="the directory (docs/screenshots)")
    given = parser.parse_args()
    expect.set_options(timeout=60_000)
    home = Path(tempfile.mkdtemp(prefix="turnout-"))
    home.chmod(0o755)  # PostgreSQL runs as another user
    try:
        make(home, given.to, given.names)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
