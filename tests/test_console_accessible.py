"""Every page of the console as axe-core judges it: nothing serious or critical, light and dark, wide and on a phone."""

from collections.abc import Iterator
from typing import Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, expect

from models.job_params import JobParams
from models.tables import Event, Record, Submission
from models.words import Action, Outcome, Role, Via
from tests.support import night
from tests.support.api import key_for
from tests.support.browser import browser
from tests.support.console import RunningConsole, running_console
from tests.support.databases import TEMPLATE
from tests.support.ledger import Ledger
from tests.support.services import Valkey
from worker.auth import keys, sessions
from worker.context import Context
from worker.operations import jobs
from worker.operations.audit_log import Actor
from worker.operations.schedules import RetrySchedule, pause, put
from worker.queries.error_filter import Filter

pytestmark = pytest.mark.long

__all__ = ["browser"]
ME = Actor("the night shift", Via.CONSOLE)
LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = ((1280, "light"), (360, "dark"))
SERIOUS = {"serious", "critical"}
OPERATORS = (
    "/act/retry",
    "/act/retry?event=none",
    "/act/dismiss",
    "/act/cancel?all=1",
    "/act/replay",
    "/correct?record={record}",
    "/correct?record={record}&event=99",
    "/correct?record={record}&when=yesterday",
    "/erase",
)
PAGES = (
    "/",
    "/batches",
    "/batches?status=PENDING",
    "/batch/{batch}",
    "/groups",
    "/errors",
    "/events",
    "/event/{event}",
    "/accounts",
    "/submission/{submission}",
    "/person/{contact}",
    "/person/nobody@example.com",
    "/refused",
    "/refused/{refusal}",
    "/jobs",
    "/job/{job}",
    "/job/{held}",
    "/schedules",
    "/actions",
    "/erasures",
    "/nothing",
)


@pytest.fixture(scope="module")
def console(postgres_url: str, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    """The night, with a job that is done, one running, one that awaits confirmation, and schedules."""
    home = tmp_path_factory.mktemp("accessible")
    made = night.made(postgres_url, TEMPLATE, valkey.url, home)
    with night.copied(postgres_url, made) as url:
        context = Context(night.settings_for(url, valkey.url, home))
        with context.engine.begin() as connection:
            jobs.ask(connection, ME, Action.DISMISS, Filter((Outcome.REJECTED,), event="webinar-42"),
                     params=JobParams(because="test entries"), expected=10)  # fmt: skip
        jobs.work(context.engine, context.rules, 30)
        with context.engine.begin() as connection:
            jobs.ask(connection, ME, Action.RETRY, Filter(), expected=3_600)
        for name in ("nightly", "mornings"):
            put(context.engine, ME, RetrySchedule(name, "0 3 * * *"))
        pause(context.engine, ME, "mornings")
        with running_console(context) as running:
            yield running
        context.engine.dispose()
        context.redis.close()


@pytest.fixture(scope="module")
def facts(console: RunningConsole) -> dict[str, object]:
    """What stands in the pages' paths."""
    visitor = console.of(Role.OPERATOR)
    ledger = Ledger(console.context.engine)
    record = ledger.records(Record.contact.like("%example.con"))[0]
    html = visitor.page(f"/correct?record={record.id}")
    content = f"record,email\n{record.id},mended@example.com\nx,\n".encode()
    answer = visitor.submit(html, "/correct/file", files={"file": ("mend.csv", content, "text/csv")})
    return {
        "record": record.id,
        "batch": record.batch_id,
        "contact": record.contact,
        "held": answer.url.rpartition("/")[2],
        "refusal": ledger.refused()[-1].id,
        "event": ledger.all(Event)[-1].id,
        "submission": ledger.all(Submission)[0].submission,
        "job": ledger.jobs()[0].id,
    }


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


def objections(page: Page) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate("axe.run({resultTypes: ['violations']}).then(found => found.violations)")
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in SERIOUS
    ]


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.VIEWER])
def test_axe_finds_nothing_serious(page: Page, console: RunningConsole, facts: dict[str, object], role: Role) -> None:
    said: set[str] = set()

    def look(where: str) -> None:
        for width, scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=scheme)
            said.update(f"{where}, {scheme}, {width} wide: {one}" for one in objections(page))

    page.goto(f"{console.url}/sign-in")
    look("/sign-in")
    page.get_by_label("key").fill(key_for(console.context, f"{role}", role))
    page.get_by_role("button", name="Sign in").click()
    for path in PAGES + (OPERATORS if role is Role.OPERATOR else ()):
        page.goto(console.url + path.format(**facts))
        look(path)
    page.goto(console.url)
    page.keyboard.press("?")
    look("the help")
    keys.create(console.context.engine, f"up-{role}", Role.OPERATOR)
    page.goto(f"{console.url}/sign-in/{sessions.make_link(console.context.engine, f'up-{role}')}")
    look("/sign-in/{link}")
    page.get_by_role("button", name=f"Sign in as up-{role}").click()
    expect(page.get_by_text(f"up-{role} operator")).to_be_visible()
    assert not said, "\n".join(sorted(said))
