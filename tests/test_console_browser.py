"""The console in a real browser: Debian's Chromium, driven by keyboard and mouse, with JavaScript and without."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine, delete, update

from models.tables import Act, Attempt, Error, Session
from models.words import Role
from tests.support.api import key_for
from tests.support.browser import browser, listens
from tests.support.console import RunningConsole, running_console
from tests.support.fixtures import Submit
from tests.support.ledger import Ledger, do, given_up, message, outcomes, people, settled, taken
from web.console import live
from worker.context import Context

__all__ = ["browser"]
NEVER_GOOD = re.compile(r"Refused to|Content.Security.Policy|Uncaught", re.IGNORECASE)


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page; whatever the browser refused or could not run fails the test."""
    context = browser.new_context(java_script_enabled=request.param)
    context.set_default_timeout(10_000)
    opened = context.new_page()
    said: list[str] = []
    opened.on("console", lambda one: said.append(one.text))
    opened.on("pageerror", lambda error: said.append(f"Uncaught {error}"))
    yield opened
    context.close()
    assert not [one for one in said if NEVER_GOOD.search(one)]


only_with_javascript = pytest.mark.parametrize("page", [True], indirect=True)


def sign_in(page: Page, console: RunningConsole, role: Role = Role.OPERATOR) -> None:
    page.goto(f"{console.url}/")
    page.get_by_label("key").fill(key_for(console.context, f"the {role}", role))
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{console.url}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def test_a_batch_that_failed_is_found_and_sent_again_by_mouse(
    page: Page, console: RunningConsole, submit: Submit, engine: Engine
) -> None:
    submit(message(*people(3)))
    given_up(engine, taken(engine))
    sign_in(page, console)
    page.get_by_role("link", name="failed, unresolved").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    page.locator("tbody tr").first.locator("a.open").click()
    page.get_by_role("button", name="Retry its failed records").click()
    expect(page.get_by_role("status")).to_have_text("3 records are retried")
    assert outcomes(engine) == {"pending": 3}
    page.get_by_role("link", name="Batches").click()
    page.get_by_label("status").select_option("PENDING")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"/batches\?status=PENDING"))
    expect(page.locator("tbody tr")).to_have_count(1)


def test_an_account_is_paused_with_a_reason_and_resumed(page: Page, console: RunningConsole, engine: Engine) -> None:
    sign_in(page, console)
    page.get_by_role("link", name="Accounts").click()
    page.get_by_text("Pause it …").click()
    page.get_by_label("Why").fill("the portal moves")
    page.get_by_role("button", name="Pause default").click()
    expect(page.get_by_text("the portal moves")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("account default is paused")
    expect(page.get_by_role("status")).to_be_in_viewport()
    page.reload()
    assert [act.number for act in Ledger(engine).actions(Act.what == "pause")] == [1]
    assert Ledger(engine).account().paused_because == "the portal moves"
    page.get_by_role("button", name="Resume default").click()
    expect(page.get_by_role("status")).to_contain_text("account default sends one batch now")


def test_signing_out_ends_it(page: Page, console: RunningConsole) -> None:
    sign_in(page, console, Role.VIEWER)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{console.url}/sign-in")
    page.goto(f"{console.url}/batches")
    expect(page).to_have_url(re.compile("/sign-in"))


def test_nothing_that_others_wrote_runs(page: Page, console: RunningConsole, submit: Submit, engine: Engine) -> None:
    submit(message(*people(2)))
    settled(engine, claimed := taken(engine), rejected=[0])
    it = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    do(engine, "UPDATE records SET contact = :it || id", it=it)
    do(engine, update(Error).values(message=it))
    do(engine, update(Attempt).values(excerpt=it))
    sign_in(page, console)
    for path in ("/errors", f"/batch/{claimed.batch_id}"):
        page.goto(console.url + path)
        expect(page.get_by_text("<script>").first).to_be_visible()
        assert "owned" not in page.title()
        assert page.locator("main img, main script").count() == 0


@only_with_javascript
def test_no_page_is_wider_than_the_screen(
    page: Page, console: RunningConsole, submit: Submit, engine: Engine, ledger: Ledger
) -> None:
    submit(message(f"{'long.' * 12}name@{'long.' * 20}example.com", "nobody" * 50))
    given_up(engine, claimed := taken(engine))
    sign_in(page, console)
    person = f"/person/{ledger.records()[0].contact}"
    refused = f"/refused/{ledger.refused()[0].id}"
    pages = ("/", "/batches", "/groups", "/errors", "/refused", "/events", "/accounts", "/erase", person, refused)
    lately = ("/act/retry", "/act/dismiss", "/act/replay", "/correct?record=1", "/jobs", "/schedules", "/actions")
    page.goto(f"{console.url}/act/retry")
    page.get_by_role("button", name="Retry 1").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Job 1")
    for path in (*pages, *lately, "/job/1", f"/batch/{claimed.batch_id}"):
        page.goto(console.url + path)
        for width in (360, 800, 2560):
            page.set_viewport_size({"width": width, "height": 800})
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{path} at {width}"


@only_with_javascript
def test_the_keyboard_leads_everywhere(page: Page, console: RunningConsole, submit: Submit, ledger: Ledger) -> None:
    submit(message(*people(3)), batch_size=1)
    oldest, _, newest = [row.id for row in ledger.batches()]
    sign_in(page, console)
    listens(page)
    page.keyboard.type("gb")
    expect(page).to_have_url(f"{console.url}/batches")
    for key in "jjjk":
        page.keyboard.press(key)
    listens(page)
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{console.url}/batch/{newest}")
    page.keyboard.press("/")
    page.keyboard.type(f"{oldest}")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{console.url}/batch/{oldest}")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.get_by_label("single keys do this").uncheck()
    page.keyboard.press("Escape")
    listens(page)
    page.keyboard.type("ga")
    expect(page).to_have_url(f"{console.url}/batch/{oldest}")


@only_with_javascript
def test_by_tab_alone_a_batch_is_canceled(
    page: Page, console: RunningConsole, submit: Submit, engine: Engine, ledger: Ledger
) -> None:
    submit(message(*people(3)))
    sign_in(page, console)
    page.goto(f"{console.url}/batch/{ledger.batches()[0].id}")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('summary')"):
            break
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Cancel batch")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("3 records in 1 batch are taken out of the queue")
    assert outcomes(engine) == {"canceled": 3}


@only_with_javascript
def test_rows_are_marked_by_key_and_retried(
    page: Page, console: RunningConsole, submit: Submit, engine: Engine, ledger: Ledger
) -> None:
    submit(message(*people(4)))
    given_up(engine, taken(engine))
    sign_in(page, console)
    page.goto(f"{console.url}/errors")
    listens(page)
    page.keyboard.type("jxjx")
    expect(page.locator("tbody input:checked")).to_have_count(2)
    page.keyboard.type("X")
    expect(page.locator("tbody input:checked")).to_have_count(4)
    page.keyboard.type("X")
    expect(page.locator("tbody input:checked")).to_have_count(0)
    listens(page)
    page.keyboard.type("xr")
    expect(page.get_by_role("heading", level=1)).to_have_text("Retry: error 3")
    listens(page)
    page.keyboard.type("y")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Job 1")
    assert [row.filter["error_ids"] for row in ledger.actions()] == [[3]]


def hide(page: Page, *, hidden: bool) -> None:
    page.evaluate(f"Object.defineProperty(document, 'hidden', {{ value: {str(hidden).lower()}, configurable: true }})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


@only_with_javascript
def test_a_page_is_live_but_holds_no_stream_while_it_is_hidden(
    page: Page, console: RunningConsole, submit: Submit
) -> None:
    streams: list[str] = []
    page.on("request", lambda one: streams.append("begun") if one.resource_type == "eventsource" else None)
    page.on("requestfailed", lambda one: streams.append("closed") if one.resource_type == "eventsource" else None)
    sign_in(page, console)
    pending = page.locator("dl.tiles div", has_text="batches pending").locator("dd")
    expect(pending).to_have_text("0")
    submit(message("ada@example.com"))
    expect(pending).to_have_text("1", timeout=10_000)
    expect(page.locator("#live")).to_have_text("live")
    hide(page, hidden=True)
    submit(message("bob@example.com", state="cancel"))
    page.wait_for_timeout(4_000)
    assert streams == ["begun", "closed"]
    expect(pending).to_have_text("1")
    hide(page, hidden=False)
    expect(pending).to_have_text("2")
    listens(page)
    page.keyboard.press("l")
    expect(page.locator("#live")).to_have_text("standing still")
    submit(message("cy@example.com", state="attend"))
    page.wait_for_timeout(4_000)
    assert streams == ["begun", "closed"] * 2
    expect(pending).to_have_text("2")
    listens(page)
    page.keyboard.press("l")
    expect(pending).to_have_text("3")


@only_with_javascript
def test_a_batch_that_settles_is_shown_without_loading_the_page_and_is_live_no_longer(
    page: Page, console: RunningConsole, submit: Submit, engine: Engine
) -> None:
    submit(message(*people(3)))
    claimed = taken(engine)
    sign_in(page, console)
    page.goto(f"{console.url}/batch/{claimed.batch_id}")
    page.evaluate("window.stays = true")
    expect(page.get_by_role("heading", level=1)).to_contain_text("PROCESSING")
    settled(engine, claimed)
    expect(page.get_by_role("heading", level=1)).to_contain_text("COMPLETE", timeout=10_000)
    expect(page.locator("#live")).to_be_hidden()
    assert page.evaluate("window.stays")


@only_with_javascript
def test_what_comes_while_somebody_is_about_something_is_shown_when_he_is_done(
    page: Page, console: RunningConsole, submit: Submit
) -> None:
    sign_in(page, console)
    page.goto(f"{console.url}/batches")
    page.get_by_label("event", exact=True).fill("web")
    with page.expect_event("request", lambda one: one.resource_type == "eventsource"):
        submit(message("ada@example.com"))
    page.wait_for_timeout(1_500)
    expect(page.get_by_label("event", exact=True)).to_have_value("web")
    expect(page.locator("tbody tr")).to_have_count(0)
    page.get_by_label("event", exact=True).blur()
    expect(page.locator("tbody tr")).to_have_count(1)


@only_with_javascript
def test_a_page_out_of_reach_says_so_and_comes_back(
    page: Page, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_console(context) as console:
        sign_in(page, console)
        with monkeypatch.context() as full:
            full.setattr(live, "PLACES", 0)
            expect(page.locator("#live")).to_have_text("out of reach, trying again", timeout=10_000)
            expect(page.locator("#away")).to_contain_text("this page is as it was at", timeout=15_000)
            expect(page.locator("#away")).to_be_in_viewport()
        expect(page.locator("#live")).to_have_text("live", timeout=20_000)
        expect(page.locator("#away")).to_be_hidden()


@only_with_javascript
def test_a_live_page_whose_session_ended_leads_to_the_sign_in(
    page: Page, console: RunningConsole, engine: Engine
) -> None:
    sign_in(page, console)
    do(engine, delete(Session))
    expect(page).to_have_url(f"{console.url}/sign-in")


@only_with_javascript
def test_a_link_on_another_site_opens_the_page_although_the_cookie_is_strict(
    page: Page, console: RunningConsole
) -> None:
    sign_in(page, console)
    elsewhere = console.url.replace("127.0.0.1", "localhost")
    page.goto(f"{elsewhere}/sign-in")
    page.evaluate(f"location.assign('{console.url}/batches')")
    expect(page.get_by_role("heading", level=1)).to_have_text("Batches")
