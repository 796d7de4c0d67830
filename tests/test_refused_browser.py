"""What was not accepted, and schedules, in a real browser: by mouse, with JavaScript off, and by keyboard alone.

Whatever was done is done once: each page is loaded again after it.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine, insert

from models.tables import Account, Refused
from models.words import Role
from tests.support.api import key_for
from tests.support.background import beside
from tests.support.browser import browser, heading, keys, listens, tab_to
from tests.support.console import RunningConsole, running_console
from tests.support.fixtures import Fail, Submit
from tests.support.ledger import Ledger, do, message
from tests.support.worker_processes import until
from worker.context import Context
from worker.operations import jobs

__all__ = ["browser"]
PATIENCE = 30_000
WHY = "why, for those who ask later"


@pytest.fixture
def console(context: Context) -> Iterator[RunningConsole]:
    def work(stop: object) -> None:  # noqa: ARG001 - a job's step ends soon
        jobs.work(context.engine, context.rules, 1)

    with beside(work, 0.1, "working"), running_console(context) as running:
        yield running


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without"])
def page(browser: Browser, request: pytest.FixtureRequest, console: RunningConsole) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=request.param, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    opened.goto(console.url)
    opened.get_by_label("key").fill(key_for(console.context, "the night shift", Role.OPERATOR))
    opened.get_by_role("button", name="Sign in").click()
    heading(opened, "Overview")
    yield opened
    context.close()


by_keyboard = pytest.mark.parametrize("page", [True], indirect=True)


@pytest.fixture
def refused(submit: Submit, engine: Engine) -> None:
    """Three whose account is not known, and three whose address is none."""
    do(engine, insert(Account).values(name="emea"))
    submit(*({**message(f"{name}@example.com"), "account": "acme"} for name in ("ada", "bob", "eve")))
    submit(message("nobody", "noone", "none"))


DONE = re.compile(r"/(job|submission)/")
"""Where a button leads that does something."""


def counts(engine: Engine) -> tuple[int, int, int]:
    """Count jobs, records, and what is open of what was not accepted."""
    ledger = Ledger(engine)
    return len(ledger.jobs()), len(ledger.records()), len(ledger.refused(Refused.is_open()))


def done_once(page: Page, engine: Engine, *expected: int) -> None:
    """Wait until it is done; loading the page again does nothing more."""
    until(lambda: counts(engine) == expected, PATIENCE / 1_000, lambda: str(counts(engine)))
    expect(page).to_have_url(DONE)  # else the browser is still on its way there
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert counts(engine) == expected


@pytest.mark.usefixtures("refused")
def test_what_is_not_accepted_is_fixed_submitted_again_and_dismissed_by_mouse(page: Page, engine: Engine) -> None:
    page.get_by_role("link", name="Not accepted", exact=True).click()
    group = page.get_by_role("article").filter(has_text="account acme")
    group.get_by_role("link", name="Submit again …").click()
    expect(page.locator("main")).to_contain_text("3 will be skipped: would not be accepted again")
    expect(page.get_by_role("button", name=re.compile("^Submit again"))).to_have_count(0)
    page.go_back()
    group.get_by_label("another account for all of them").select_option("emea")
    group.get_by_role("button", name="Submit to it …").click()
    expect(page.locator("main")).to_contain_text("They are submitted to account emea")
    page.get_by_role("button", name="Submit again 3").click()
    heading(page, "submit again")
    done_once(page, engine, 1, 3, 3)
    # One, fixed in its table.
    page.get_by_role("link", name="Not accepted", exact=True).click()
    page.locator("tbody tr a.open").first.click()
    page.get_by_label("e-mail address, 1").fill("none@example.com")
    page.get_by_role("button", name="Submit it again").click()
    expect(page.get_by_role("status")).to_contain_text("is submitted again: accepted 1")
    done_once(page, engine, 1, 4, 2)
    # One, marked.
    page.get_by_role("link", name="Not accepted", exact=True).click()
    page.get_by_role("button", name="Dismiss marked …").click()
    heading(page, "Nothing is marked")
    page.go_back()
    page.locator("tbody input[type=checkbox]").first.check()
    page.get_by_role("button", name="Dismiss marked …").click()
    page.get_by_label(WHY).fill("a test")
    page.get_by_role("button", name="Dismiss 1").click()
    heading(page, "dismiss (not accepted)")
    done_once(page, engine, 2, 4, 1)
    # All that match.
    page.get_by_role("link", name="Not accepted", exact=True).click()
    page.locator(".presses").get_by_role("link", name="dismiss …", exact=True).click()
    page.get_by_label(WHY).fill("tests too")
    page.get_by_role("button", name="Dismiss 1").click()
    done_once(page, engine, 3, 4, 0)
    page.get_by_role("link", name="Not accepted", exact=True).click()
    expect(page.locator("main")).to_contain_text("nothing is open that was not accepted")


@by_keyboard
@pytest.mark.usefixtures("refused")
def test_what_is_not_accepted_is_marked_submitted_again_and_dismissed_by_keyboard(page: Page, engine: Engine) -> None:
    keys(page, "gr", "Not accepted")
    tab_to(page, page.locator("tbody input[type=checkbox]").first)
    page.keyboard.press("x")
    page.keyboard.press("d")
    heading(page, "Dismiss: refused 6")
    listens(page)
    page.keyboard.press("y")
    expect(page.get_by_label(WHY)).to_be_focused()
    page.keyboard.insert_text("a test")
    page.keyboard.press("Enter")
    heading(page, "dismiss (not accepted)")
    done_once(page, engine, 1, 0, 5)
    do(engine, insert(Account).values(name="acme"))
    keys(page, "gr", "Not accepted")
    tab_to(page, page.locator(".presses").get_by_role("link", name="submit again …", exact=True))
    page.keyboard.press("Enter")
    heading(page, "Submit again: everything")
    expect(page.locator("main")).to_contain_text("2 will be skipped")
    keys(page, "y", "submit again")
    done_once(page, engine, 2, 3, 2)


def schedule(page: Page, name: str) -> None:
    """Fill the form of a new one."""
    page.get_by_label("name", exact=True).fill(name)
    page.get_by_label("when (crontab)").fill("0 3 * * *")
    page.get_by_label("time zone").fill("Europe/Berlin")
    page.get_by_label("quiet hours").fill("08:00-18:00")


def test_a_schedule_is_edited_shown_before_it_begins_and_removed_when_asked_by_mouse(
    page: Page, console: RunningConsole, engine: Engine, failed: Fail
) -> None:
    failed("ada@example.com")
    page.goto(f"{console.url}/schedules")
    schedule(page, "nightly")
    page.get_by_role("button", name="Add the schedule").click()
    expect(page.get_by_role("status")).to_contain_text("schedule nightly")
    page.get_by_role("link", name="Edit").click()
    heading(page, "Schedules")
    page.get_by_label("retries of a record at most").fill("5")
    page.get_by_role("button", name="Change the schedule").click()
    expect(page.get_by_role("status")).to_contain_text("schedule nightly is changed")
    row = page.locator("tbody tr").filter(has_text="nightly")
    for kept in ("Europe/Berlin", "08:00-18:00", "5"):
        expect(row).to_contain_text(kept)
    row.get_by_role("link", name="Begin now …").click()
    expect(page.locator("main")).to_contain_text("1 record")
    assert counts(engine)[0] == 0, "it is only shown"
    page.get_by_role("button", name=re.compile("^(Begin|Retry)")).click()
    until(lambda: counts(engine)[0] == 1, PATIENCE / 1_000, page.content)
    expect(page).to_have_url(DONE)
    page.reload()
    assert counts(engine)[0] == 1
    page.goto(f"{console.url}/schedules")
    row = page.locator("tbody tr").filter(has_text="nightly")
    remove = row.get_by_role("button", name="Remove nightly")
    expect(remove).not_to_be_visible()
    row.get_by_text("Remove …").click()
    remove.click()
    expect(page.get_by_role("status")).to_contain_text("schedule nightly is removed")
    page.reload()
    expect(page.locator("tbody tr").filter(has_text="nightly")).to_have_count(0)


@by_keyboard
def test_a_schedule_is_edited_and_removed_by_keyboard(page: Page, console: RunningConsole) -> None:
    page.goto(f"{console.url}/schedules")
    schedule(page, "nightly")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("schedule nightly")
    tab_to(page, page.get_by_role("link", name="Edit"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_label("retries of a record at most"))
    page.keyboard.press("Control+A")
    page.keyboard.insert_text("5")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("schedule nightly is changed")
    tab_to(page, page.get_by_text("Remove …"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("button", name="Remove nightly"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("schedule nightly is removed")
