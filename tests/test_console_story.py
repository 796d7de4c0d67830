"""Two in the morning, at the console: the operator sees what failed and why, mends it, and sees that it worked.

Once by mouse, once by mouse with JavaScript off, once by keyboard alone; what is delivered, a sandbox stores.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Download, Locator, Page, expect
from sqlalchemy import Engine

from models.tables import Error
from models.words import Role
from tests.support import night
from tests.support.api import key_for
from tests.support.browser import browser, down_to, heading, keys, listens, tab_to
from tests.support.console import RunningConsole, running_console
from tests.support.databases import TEMPLATE
from tests.support.ledger import Ledger, ask, do, outcomes
from tests.support.sandbox_server import RunningSandbox
from tests.support.services import Valkey
from tests.support.worker_processes import until
from worker.context import Context
from worker.settings import Settings

__all__ = ["browser"]
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)
RIGHT = f"acme-events/{night.SUMMIT}"
WRONG, RIGHTLY = "grace.hopper(at)example.com", "grace.hopper@example.com"
REASON = "test entries of the rehearsal"


@pytest.fixture(scope="module")
def the_night(postgres_url: str, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> str:
    return night.made(postgres_url, TEMPLATE, valkey.url, tmp_path_factory.mktemp("night"))


@pytest.fixture
def database_url(postgres_url: str, the_night: str) -> Iterator[str]:
    with night.copied(postgres_url, the_night) as url:
        yield url


@pytest.fixture
def settings(settings: Settings, sandbox: RunningSandbox) -> Settings:
    return settings.model_copy(update={"hubspot_url": sandbox.url, "burst_limit": 1_000, "timeout": 10, "lease": 20})


@pytest.fixture
def console(context: Context) -> Iterator[RunningConsole]:
    with night.working(context), running_console(context) as running:
        yield running


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=request.param, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def sign_in_key(console: RunningConsole) -> str:
    return key_for(console.context, "the night shift", Role.OPERATOR)


def tile(page: Page, name: str) -> Locator:
    return page.locator("dl.tiles div", has=page.get_by_text(name, exact=True)).locator("dd")


def mended(download: Download, home: Path) -> Path:
    """What the operator does in a spreadsheet: `.con` is `.com`."""
    path = home / "mend.csv"
    download.save_as(path)
    written = path.read_text(encoding="utf-8-sig")
    assert written.count("@example.con,") == night.MISSPELT
    path.write_text(written.replace("@example.con,", "@example.com,"), encoding="utf-8")
    return path


def see(page: Page, shown: Callable[[], bool], *, live: bool) -> None:
    """Wait for what a page comes to; without JavaScript, by loading it again."""

    def there() -> bool:
        if not live:
            page.reload()
        return shown()

    until(there, PATIENCE / 1_000, lambda: page.locator("main").inner_text())


def is_over(page: Page, *said: str, live: bool) -> None:
    """Wait on a job's page until its records have their outcome."""
    heading(page, "Job")
    see(
        page,
        lambda: all(one in " ".join(page.locator("main").inner_text().split()) for one in ("finished", *said)),
        live=live,
    )


def all_is_well(page: Page, engine: Engine, sandbox: RunningSandbox, acts: int = 8) -> None:
    """What was done is seen on the pages, is in the database, and reached the sandbox."""
    expect(page.locator("tbody tr")).to_have_count(acts)
    said = " ".join(page.locator("tbody").inner_text().split())
    wrong_event = group(engine, "rejected", "OBJECT_NOT_FOUND")
    for what in (
        f"the night shift console retry group {group(engine, 'failed')} (failed: HTTP 503; … attempts) 3,600 –",
        f"correct group {wrong_event} (rejected: No marketing event found for {night.MISNAMED}) 240 –",
        "correct corrected rows 150 150 –",
        "(rejected: … is not a valid email address) 150 –",
        "begin job 4 –",
        "submit again refused 1 1 –",
        "10 test entries of the rehearsal",
        "resume account partner 1 –",
    ):
        assert what in said, (what, said)
    assert said.count("the night shift console") == acts
    assert Ledger(engine).errors(Error.resolution.is_(None)) == []
    until(lambda: "pending" not in outcomes(engine), PATIENCE / 1_000, lambda: str(outcomes(engine)))
    corrected = night.WRONG_EVENT + night.MISSPELT
    assert outcomes(engine) == {
        "delivered": 200 + night.OUTAGE + corrected + 2 + 40,
        "rejected": night.TESTS,
        "canceled": corrected,
    }
    stored = sandbox.participations()
    assert len(stored) == night.OUTAGE + corrected + 2 + 40
    assert {one["event"] for one in stored} == {RIGHT, "acme-events/webinar-42", "acme-events/partner-day"}


def group(engine: Engine, outcome: str, category: str = "%") -> str:
    (row,) = ask(
        engine,
        "SELECT id FROM error_groups WHERE outcome = :outcome AND category LIKE :category"
        " AND id IN (SELECT group_id FROM errors) AND gist NOT LIKE '%joinedAt%'",
        outcome=outcome,
        category=category,
    )
    return str(row.id)


def test_by_mouse(  # noqa: PLR0915 - it is one story
    page: Page, console: RunningConsole, engine: Engine, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    page.goto(console.url)
    page.get_by_label("key").fill(sign_in_key(console))
    page.get_by_role("button", name="Sign in").click()
    heading(page, "Overview")
    live = page.locator("#help-button").is_visible()
    # What failed, why, whose fault it is, what to press.
    expect(tile(page, "failed, unresolved")).to_have_text("3,600")
    expect(tile(page, "rejected, unresolved")).to_have_text("400")
    expect(tile(page, "not accepted")).to_have_text("1")
    why = page.get_by_role("region", name="Why").get_by_role("row")
    expect(why.filter(has_text="3,600")).to_contain_text("HubSpot gave no clear answer")
    expect(why.filter(has_text="240")).to_contain_text("HubSpot does not know this event")
    expect(why.filter(has_text="240")).to_contain_text("the account's admin")
    expect(why.filter(has_text="150")).to_contain_text("the producer's app")
    stopped = page.locator("p.alarm", has_text="account partner is PAUSED")
    expect(stopped).to_contain_text("HubSpot does not accept the token: it expired")
    # The outage: a look, then the job.
    why.filter(has_text="3,600").get_by_role("link", name="Retry …").click()
    expect(page.locator("p.facts")).to_contain_text("3,600 records will be sent again")
    expect(page.locator("p.facts")).to_contain_text("That costs 36 calls and is over in about")
    page.get_by_role("button", name="Retry 3,600").click()
    is_over(page, "3,600 of 3,600", "delivered 3,600", live=live)
    # The wrong event, of all of them at once.
    page.get_by_role("link", name="Errors", exact=True).click()
    expect(page.get_by_role("article")).to_have_count(3)
    page.get_by_role("article").filter(has_text="does not know this event").get_by_role(
        "link", name="Correct …"
    ).click()
    page.get_by_label("event: its id").fill(RIGHT)
    page.get_by_role("button", name="Show what changes").first.click()
    expect(page.locator("table.changes")).to_contain_text(
        f"acme-events/{night.MISNAMED} {RIGHT} 240", use_inner_text=True
    )
    page.get_by_label("type the number of records").fill("24")
    page.get_by_role("button", name="Correct and send 240").click()
    expect(page.get_by_role("alert")).to_contain_text("'24' was typed, which is not the number")
    page.get_by_label("type the number of records").fill("240")
    page.get_by_role("button", name="Correct and send 240").click()
    is_over(page, "240 of 240", "delivered 240", live=live)
    # The misspelt ones, as a file.
    page.get_by_role("link", name="Errors", exact=True).click()
    page.get_by_role("article").filter(has_text="150").get_by_role("link", name="Correct …").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="take them out as CSV").click()
    page.get_by_label("corrected file").set_input_files(mended(download.value, tmp_path))
    page.get_by_role("button", name="Show what changes").last.click()
    heading(page, "awaiting confirmation")
    expect(page.locator("table.changes")).to_contain_text("…@example.con …@example.com 150", use_inner_text=True)
    page.get_by_role("button", name="Correct and send 150").click()
    is_over(page, "150 of 150", "delivered 150", live=live)
    # What was not accepted.
    page.get_by_role("link", name="Not accepted", exact=True).click()
    expect(page.get_by_role("article")).to_contain_text("the e-mail address cannot be one that receives mail")
    page.get_by_role("link", name="Look at it").click()
    address = page.get_by_label("e-mail address, 1")
    expect(address).to_have_value(WRONG)
    page.get_by_role("button", name="Submit it again").click()
    expect(page.get_by_role("alert")).to_contain_text("It is still not accepted")
    page.reload()
    address.fill(RIGHTLY)
    page.get_by_role("button", name="Submit it again").click()
    expect(page.get_by_role("status")).to_contain_text("is submitted again: accepted 1, duplicates 0, not accepted 0")
    # The test entries.
    page.get_by_role("link", name="Errors", exact=True).click()
    page.get_by_role("article").filter(has_text="10 rejected").get_by_role("link", name="Dismiss …").click()
    page.get_by_label("why, for those who ask later").fill(REASON)
    page.get_by_role("button", name="Dismiss 10").click()
    is_over(page, "10 of 10", REASON, live=live)
    # The account.
    page.get_by_role("link", name="Accounts", exact=True).click()
    page.get_by_role("button", name="Resume partner").click()
    expect(page.get_by_role("status")).to_contain_text("account partner sends one batch now")
    # It worked.
    page.get_by_role("link", name="Errors", exact=True).click()
    expect(page.get_by_text("no unresolved errors")).to_be_visible()
    page.get_by_role("link", name="Overview", exact=True).click()
    see(page, lambda: tile(page, "batches pending").inner_text() == "0", live=live)
    for name in ("failed, unresolved", "rejected, unresolved", "unconfirmed, unresolved", "not accepted"):
        expect(tile(page, name)).to_have_text("0")
    expect(page.get_by_text("Nothing is open")).to_be_visible()
    page.get_by_role("link", name="Audit log").click()
    all_is_well(page, engine, sandbox, acts=9)  # what was still not accepted is noted too


@pytest.mark.parametrize("page", [True], indirect=True)
def test_by_keyboard_alone(  # noqa: PLR0915 - it is one story
    page: Page, console: RunningConsole, engine: Engine, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    page.on("filechooser", lambda _: None)  # or the first one might be opened before it is waited for
    page.goto(console.url)
    tab_to(page, page.get_by_label("key"))
    page.keyboard.insert_text(sign_in_key(console))
    page.keyboard.press("Enter")
    heading(page, "Overview")
    # The outage, from the overview's own row.
    down_to(page, "3,600")
    keys(page, "r", "Retry: group")
    keys(page, "y", "Job")
    is_over(page, "3,600 of 3,600", "delivered 3,600", live=True)
    # The wrong event.
    keys(page, "ge", "Errors")
    down_to(page, "does not know this event")
    keys(page, "c", "Correct: group")
    tab_to(page, page.get_by_label("event: its id"))
    page.keyboard.insert_text(RIGHT)
    page.keyboard.press("Enter")
    expect(page.locator("table.changes")).to_contain_text(RIGHT)
    listens(page)
    page.keyboard.press("y")
    expect(page.get_by_label("type the number of records")).to_be_focused()
    page.keyboard.insert_text("240")
    page.keyboard.press("Enter")
    is_over(page, "240 of 240", "delivered 240", live=True)
    # The misspelt ones; Enter presses what the group's advice says.
    keys(page, "ge", "Errors")
    down_to(page, "150")
    page.keyboard.press("Enter")
    heading(page, "Correct: group")
    tab_to(page, page.get_by_role("link", name="take them out as CSV"))
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    tab_to(page, page.get_by_label("corrected file"))
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(mended(download.value, tmp_path))
    tab_to(page, page.get_by_role("button", name="Show what changes").last)
    page.keyboard.press("Enter")
    heading(page, "awaiting confirmation")
    keys(page, "y", "Job")
    is_over(page, "150 of 150", "delivered 150", live=True)
    # What was not accepted.
    keys(page, "gr", "Not accepted")
    listens(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    heading(page, "Not accepted")
    address = page.get_by_label("e-mail address, 1")
    tab_to(page, address)
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(RIGHTLY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("accepted 1, duplicates 0, not accepted 0")
    # The test entries: y asks for the reason first.
    keys(page, "ge", "Errors")
    down_to(page, "10 rejected")
    keys(page, "d", "Dismiss: group")
    listens(page)
    page.keyboard.press("y")
    expect(page.get_by_label("why, for those who ask later")).to_be_focused()
    page.keyboard.insert_text(REASON)
    page.keyboard.press("Enter")
    is_over(page, "10 of 10", REASON, live=True)
    # The account.
    keys(page, "ga", "Accounts")
    tab_to(page, page.get_by_role("button", name="Resume partner"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("account partner sends one batch now")
    keys(page, "ge", "Errors")
    expect(page.get_by_text("no unresolved errors")).to_be_visible()
    keys(page, "gl", "Audit log")
    all_is_well(page, engine, sandbox)


def test_where_what_was_shown_has_changed_nothing_is_done_and_it_is_shown_anew(
    page: Page, console: RunningConsole, engine: Engine, ledger: Ledger
) -> None:
    page.goto(console.url)
    page.get_by_label("key").fill(sign_in_key(console))
    page.get_by_role("button", name="Sign in").click()
    heading(page, "Overview")
    wrong_event = group(engine, "rejected", "OBJECT_NOT_FOUND")
    page.goto(f"{console.url}/correct?group={wrong_event}&event={RIGHT}")
    page.get_by_label("type the number of records").fill("240")
    one = "(SELECT min(id) FROM errors WHERE group_id = :group)"
    do(engine, f"UPDATE errors SET resolution = 'dismissed', resolved_at = now() WHERE id = {one}", group=wrong_event)
    page.get_by_role("button", name="Correct and send 240").click()
    expect(page.get_by_role("alert")).to_contain_text("has changed since it was shown, so nothing was done")
    expect(page.get_by_role("button", name="Correct and send 239")).to_be_visible()
    assert ledger.jobs() == []
    page.get_by_label("type the number of records").fill("239")
    page.get_by_role("button", name="Correct and send 239").click()
    is_over(page, "239 of 239", "delivered 239", live=page.locator("#help-button").is_visible())
