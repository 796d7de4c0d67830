"""The console over HTTP: who gets in, who may what, what is shown of whom, and what pressing does."""

import re
from typing import Any
from uuid import UUID

import pytest
import requests
from pydantic import SecretStr
from sqlalchemy import Engine, func, select, update

import worker.queries.person
from models.tables import Account, Attempt, Batch, Error, Event, Session, Submission
from models.words import Outcome, Resolution, Role
from tests.support.api import key_for
from tests.support.console import RunningConsole, Visitor, running_console, words
from tests.support.contexts import open_context
from tests.support.fixtures import Facts, Submit
from tests.support.jobs import retry
from tests.support.ledger import Ledger, ask, do, given_up, message, outcomes, people, postponed, settled, taken
from web.console import pages, sign_in
from web.masking import masked
from worker.accounts.registry import add
from worker.auth import keys, signin_limit
from worker.context import Context
from worker.queries.errors import list_errors, page_of_errors
from worker.queries.events import find_event, outcomes_by_event
from worker.queries.person import find_submission
from worker.settings import Settings

BROWSER = "application/xhtml+xml,text/html;q=0.9,*/*;q=0.8"
SCRIPT = "<script>alert('x')</script>"


def fill(submit: Submit, engine: Engine) -> list[str]:
    """A batch of each kind: complete with errors, given up, postponed, pending; give the paths of all pages."""
    submit({**message(*people(4), "bob@example.com"), "submission_id": "0b1cb8c3-e2ec-4f44-9fe2-d7813d1a6cfc"})
    settled(engine, taken(engine), rejected=[1], unconfirmed=[2])
    submit(message(*people(3, 10), state="attend"))
    given_up(engine, taken(engine))
    submit(message(*people(2, 20), event="webinar"))
    postponed(engine, taken(engine), 60)
    submit(message("ada@example.com", "no address", event="webinar"))
    batches = [f"/batch/{row.id}" for row in Ledger(engine).batches()]
    events = [f"/event/{row.id}" for row in Ledger(engine).all(Event)]
    submissions = {f"/submission/{row.submission}" for row in Ledger(engine).all(Submission)}
    return ["/", "/batches", "/errors", "/events", "/accounts", *batches, *events, *submissions]


# Signing in


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.VIEWER])
def test_a_good_key_opens_the_console_and_its_session_is_a_safe_cookie(console: RunningConsole, role: Role) -> None:
    visitor = console.visitor()
    key = key_for(console.context, "olga", role)
    answer = visitor.post("/sign-in", {"form": visitor.token(), "key": f" {key} "}, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/" in cookie
    assert "Max-Age=28800" in cookie
    assert f"olga {role}" in words(visitor.page())
    kept = {cookie.value for cookie in visitor.http.cookies}
    for table in ("sessions", "keys"):
        assert not [
            row for row in ask(console.context.engine, f"SELECT {table}::text AS all FROM {table}") if kept & {row.all}
        ]
    assert key not in visitor.page()


def test_away_from_the_machine_the_cookie_goes_by_https_only(console: RunningConsole, settings: Settings) -> None:
    with open_context(settings, hosts="turnout.example.com") as context, running_console(context) as named:
        answer = requests.get(f"{named.url}/sign-in", headers={"Host": "turnout.example.com"}, timeout=30)
    assert answer.headers["Set-Cookie"].startswith("__Host-turnout=")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert "Secure" not in console.visitor().get("/sign-in").headers["Set-Cookie"]


def test_a_wrong_key_is_told_so_and_opens_nothing(console: RunningConsole) -> None:
    visitor = console.visitor()
    answer = visitor.sign_in("turnout_1_" + "x" * 43)
    assert (answer.status_code, "This key is not good" in words(answer.text)) == (403, True)
    assert visitor.get("/batches").url.startswith(f"{console.url}/sign-in")


def test_a_producers_key_is_told_which_is_needed(console: RunningConsole) -> None:
    answer = console.visitor().sign_in(key_for(console.context, "shop"))
    assert (answer.status_code, "shop is a producer's key" in words(answer.text)) == (403, True)


@pytest.mark.parametrize("page", [*pages.PAGES, "/batches?status=PENDING"])
def test_nobody_sees_a_page_without_signing_in_and_is_led_there_after(console: RunningConsole, page: str) -> None:
    path = re.sub(r"\{\w+\}", "1", page)
    visitor = console.visitor()
    asked = visitor.get(path)
    assert asked.url.startswith(f"{console.url}/sign-in")
    wanted = re.search(r'name="next" value="([^"]*)"', asked.text)
    assert wanted
    answer = visitor.sign_in(key_for(console.context, "olga", Role.OPERATOR), next=wanted[1])
    assert answer.history[0].headers["Location"] == path


@pytest.mark.parametrize("away", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/\r\nX: y"])
def test_signing_in_leads_to_no_other_site(console: RunningConsole, away: str) -> None:
    answer = console.visitor().sign_in(key_for(console.context, "olga", Role.VIEWER), next=away)
    assert answer.url == f"{console.url}/"


@pytest.mark.parametrize("end", ["revoke", "rotate", "sign out", "time"])
def test_a_session_ends(console: RunningConsole, end: str) -> None:
    engine = console.context.engine
    visitor = console.of(Role.OPERATOR, "olga")
    stolen = dict(visitor.http.cookies)
    match end:
        case "revoke":
            keys.revoke(engine, "olga")
        case "rotate":
            keys.rotate(engine, "olga", overlap=0)
        case "sign out":
            visitor.press("/sign-out", "/")
        case "time":
            do(engine, update(Session).values(ends_at=func.now()))
    answer = requests.get(f"{console.url}/batches", cookies=stolen, allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?next=%2Fbatches")


def test_a_session_lasts_as_long_as_a_rotated_key_does(console: RunningConsole) -> None:
    visitor = console.of(Role.OPERATOR, "olga")
    keys.rotate(console.context.engine, "olga", overlap=60)
    assert visitor.page("/batches")


def test_a_link_from_another_site_asks_once_more_because_it_brings_no_cookie(console: RunningConsole) -> None:
    answer = console.visitor().get("/batch/7", headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, 'http-equiv="refresh" content="0"' in answer.text) == (200, True)


# Many wrong keys


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each wrong key was made to wait, of which the tests do not wait."""
    pauses: list[float] = []

    async def waited(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(sign_in, "sleep", waited)
    return pauses


def test_after_many_wrong_keys_further_wrong_ones_wait_and_a_right_one_signs_in_at_once(
    console: RunningConsole, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    monkeypatch.setattr(signin_limit, "MOST", 3)
    visitor, key = console.visitor(), key_for(console.context, "olga", Role.OPERATOR)
    answers = [visitor.sign_in("wrong") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [403] * 3 + [429] * 3
    assert pauses.count(sign_in.SLOWED) == 3
    assert re.search(r"answered slowly until \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", words(answers[-1].text))
    assert visitor.sign_in(key).status_code == 200
    assert pauses.count(sign_in.SLOWED) == 3


def test_a_good_key_clears_its_addresss_count(console: RunningConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signin_limit, "MOST", 2)
    key = key_for(console.context, "olga", Role.OPERATOR)
    for _ in range(3):
        assert console.visitor().sign_in("wrong").status_code == 403
        assert console.visitor().sign_in(key).status_code == 200


def test_wrong_keys_of_many_addresses_slow_down_no_other(context: Context) -> None:
    for number in range(200):
        assert signin_limit.slowed_until(context.redis, f"198.51.100.{number}") is None
    assert signin_limit.slowed_until(context.redis, "203.0.113.9") is None


@pytest.mark.parametrize(
    "spelt",
    [
        [f"2001:db8::{number}" for number in range(3)],
        ["203.0.113.9", "::ffff:203.0.113.9", "::ffff:cb00:7109"],
        ["fe80::1", "fe80::1%eth0", "fe80::1%eth1"],
        ["", "", "/run/turnout.sock"],
    ],
)
def test_one_network_of_ipv6_and_one_address_in_each_spelling_counts_as_one(
    context: Context, monkeypatch: pytest.MonkeyPatch, spelt: list[str]
) -> None:
    monkeypatch.setattr(signin_limit, "MOST", 2)
    slowed = [signin_limit.slowed_until(context.redis, one) is not None for one in spelt]
    assert slowed == [False, False, True]


def test_a_header_that_no_proxy_wrote_does_not_evade_the_count(
    console: RunningConsole, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    monkeypatch.setattr(signin_limit, "MOST", 3)
    visitor = console.visitor()
    headers = ({"X-Forwarded-For": f"198.51.100.{number}"} for number in range(6))
    form = {"key": "wrong", "form": visitor.token()}
    assert [visitor.post("/sign-in", form, headers=one).status_code for one in headers] == [403] * 3 + [429] * 3
    assert pauses


def test_behind_a_trusted_proxy_each_client_is_counted_by_its_own_address(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    monkeypatch.setattr(signin_limit, "MOST", 1)
    with open_context(settings, trusted_proxies="127.0.0.1") as context, running_console(context) as console:
        visitor = console.visitor()
        form = {"key": "wrong", "form": visitor.token()}

        def status(*forwarded: str) -> int:
            return visitor.post("/sign-in", form, headers={"X-Forwarded-For": ", ".join(forwarded)}).status_code

        assert [status("203.0.113.9"), status("203.0.113.9")] == [403, 429]
        assert status("198.51.100.7") == 403, "another client of the same proxy"
        assert status("192.0.2.1", "203.0.113.9:4711") == 429, "what the client wrote itself stands further left"
    assert pauses


def test_without_redis_operators_still_get_in_and_see_what_is_wrong(settings: Settings) -> None:
    context = Context(settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"}))
    with running_console(context) as console:
        assert "Redis is out of reach" in words(console.of(Role.OPERATOR).page())
    context.engine.dispose()


def test_without_the_database_the_page_says_so(settings: Settings) -> None:
    context = Context(settings.model_copy(update={"database_url": "postgresql://127.0.0.1:1/nowhere"}))
    with running_console(context) as console:
        visitor = console.visitor()
        visitor.token()
        answer = visitor.get("/batches")
    assert (answer.status_code, "The database is out of reach" in words(answer.text)) == (503, True)


# Forms and headers


@pytest.mark.parametrize(
    ("fields", "headers", "said"),
    [
        ({"form": ""}, {}, "out of date"),
        ({"form": "0" * 64}, {}, "out of date"),
        ({}, {"Origin": "https://evil.example"}, "came from another site"),
        ({}, {"Origin": "null"}, "came from another site"),
        ({}, {"Origin": ""}, "came from another site"),
    ],
)
@pytest.mark.parametrize("path", ["/accounts/default/pause", "/sign-out", "/sign-in"])
def test_a_form_from_elsewhere_does_nothing(
    operator: Visitor, context: Context, path: str, fields: dict[str, str], headers: dict[str, str], said: str
) -> None:
    answer = operator.post(path, {"form": operator.token("/accounts"), **fields}, headers=headers)
    assert (answer.status_code, said in words(answer.text)) == (403, True)
    assert Ledger(context.engine).all(Account, Account.paused_at.is_not(None)) == []
    assert operator.get("/batches").url.endswith("/batches"), "still signed in"


def test_a_form_of_another_session_does_nothing(console: RunningConsole, operator: Visitor) -> None:
    another = console.of(Role.OPERATOR, "another")
    answer = operator.post("/accounts/default/pause", {"form": another.token("/accounts")})
    assert answer.status_code == 403


def test_a_form_that_is_too_large_is_refused(operator: Visitor) -> None:
    assert operator.press("/sign-out", "/", more="x" * 20_000).status_code == 413


def test_every_page_is_sent_safely(console: RunningConsole, operator: Visitor) -> None:
    somebody = console.visitor()
    answers = [
        operator.get("/"),
        operator.get("/batch/7"),
        somebody.get("/sign-in"),
        operator.get("/static/console.js"),
    ]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self';")
        assert "unsafe" not in policy
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert {answer.headers["Cache-Control"] for answer in answers[:3]} == {"no-store"}
    for answer in answers[:3]:
        assert " style=" not in answer.text
        assert not re.search(r"<script(?! src=)|<style| on\w+=", answer.text)


# Pages


def test_every_page_is_there_with_data_and_without_and_says_first_where_it_delivers(
    operator: Visitor, viewer: Visitor, submit: Submit, engine: Engine
) -> None:
    empty = ["/", "/batches", "/errors", "/events", "/accounts"]
    for visitor in (operator, viewer):
        for path in empty:
            visitor.page(path)
    for path in fill(submit, engine):
        for visitor in (operator, viewer):
            html = visitor.page(path)
            said = words(html.partition("<body>")[2])
            assert said.startswith(" Skip to the page turnout delivers to the sandbox on http://127.0.0.1:9"), path
            assert html.count("<h1") == html.count("<main") == 1, path
            assert "test-token" not in html


@pytest.mark.parametrize("path", ["/batch/4711", "/batch/x", "/event/4711", "/submission/x", "/nothing"])
def test_what_is_not_there_is_said_in_plain_words(operator: Visitor, path: str) -> None:
    answer = operator.get(path, headers={"Accept": BROWSER})
    assert (answer.status_code, "There is no" in answer.text) == (404, True)


def test_a_browser_that_opens_what_a_button_sends_to_gets_a_page(operator: Visitor) -> None:
    answer = operator.get("/sign-out", headers={"Accept": BROWSER})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert "/sign-out is not a page: a button sends there." in words(answer.text)


@pytest.mark.parametrize("path", ["/", "/batches", "/nothing", "/static/console.css", "/sign-in", "/reference"])
@pytest.mark.parametrize("accept", [BROWSER, "*/*"])
def test_head_is_answered_as_get_without_a_body(operator: Visitor, path: str, accept: str) -> None:
    whole = operator.get(path, headers={"Accept": accept})
    head = operator.http.head(operator.url + path, headers={"Accept": accept}, timeout=30, allow_redirects=True)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    changing = {"date", "content-length"}  # the ages on a page, and an error's id
    assert [one for one in head.headers.items() if one[0] not in changing] == [
        one for one in whole.headers.items() if one[0] not in changing
    ]
    assert "content-length" in head.headers


def test_head_of_a_stream_ends_at_once(operator: Visitor) -> None:
    head = operator.http.head(operator.url + "/", headers={"Accept": "text/event-stream"}, timeout=5)
    assert (head.status_code, head.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    again = operator.http.head(operator.url + "/", timeout=5)
    assert again.status_code == 200, "on the same connection"


def test_a_filter_that_is_none_is_refused_and_names_those_there_are(operator: Visitor) -> None:
    answer = operator.get("/batches?status=LOST")
    assert answer.status_code == 400
    assert "PENDING, PROCESSING, COMPLETE, CANCELED" in words(answer.text)


def test_batches_are_filtered(operator: Visitor, submit: Submit, engine: Engine) -> None:
    fill(submit, engine)

    def found(query: str) -> list[int]:
        return [int(number) for number in re.findall(r'href="/batch/(\d+)"', operator.page(f"/batches?{query}"))]

    everything = found("")
    assert everything == sorted(everything, reverse=True)
    complete, given, postponed_, pending = sorted(everything)
    assert found("status=COMPLETE") == [complete]
    assert found("state=attend") == [given]
    assert found("event=webinar") == [pending, postponed_]
    assert found("event=webinar&status=PENDING&account=default") == [pending, postponed_]
    assert found("errors=1") == [given, complete]
    assert found("account=nobody") == found("event=nothing") == []
    assert "HTTP 503" in words(operator.page("/batches?event=webinar"))


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("", 5),
        ("outcome=failed", 3),
        ("outcome=rejected&category=VALIDATION_ERROR&event=77&state=register&account=default", 1),
        ("category=GIVEN_UP", 3),
        ("state=cancel", 0),
        ("event=webinar", 0),
    ],
)
def test_errors_are_filtered(operator: Visitor, submit: Submit, engine: Engine, query: str, number: int) -> None:
    fill(submit, engine)
    assert operator.page(f"/errors?{query}").count('class="open"') == number


def test_pages_go_on_where_the_last_ended(
    operator: Visitor, submit: Submit, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGE", 3)
    submit(message(*people(8)), batch_size=1)
    for _ in range(8):
        given_up(engine, taken(engine))
    for path, each in (("/batches", r'row" class="n"><a href="/batch/(\d+)"'), ("/errors", r'href="/batch/(\d+)"')):
        met: list[str] = []
        following: str | None = path
        while following:
            html = operator.page(following)
            met += re.findall(each, html)
            more = re.search(r'href="([^"]+)"[^>]*rel="next"', html)
            following = path + more[1].replace("&amp;", "&") if more else None
        assert len(met) == len(set(met)) == 8, path


def test_a_rare_batch_is_found_walk_by_walk(operator: Visitor, submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "WALK", 3)
    submit(message("rare@example.com", state="cancel"))
    submit(message(*people(6)), batch_size=1)
    html = operator.page("/batches?state=cancel")
    assert "no batch matches among those looked at" in words(html)
    for _ in range(2):
        more = re.search(r'href="([^"]+)"[^>]*rel="next"', html)
        assert more
        html = operator.page("/batches" + more[1].replace("&amp;", "&"))
    assert len(re.findall(r'href="/batch/(\d+)"', html)) == 1


def test_no_error_is_left_out_where_the_walks_of_outcomes_are_mixed(
    operator: Visitor, submit: Submit, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGE", 2)
    monkeypatch.setattr(pages, "ERRORS", 3)
    submit(message(*people(9)), batch_size=3)
    for _ in range(3):
        settled(engine, taken(engine), rejected=[0], unconfirmed=[1, 2])
    do(engine, update(Error).where(Error.id % 2 == 0).values(category="RARE"))
    expected = [str(error.id) for error in reversed(Ledger(engine).errors(Error.category == "RARE"))]
    met: list[str] = []
    path: str | None = "/errors?category=RARE"
    while path:
        html = operator.page(path)
        met += re.findall(r'row" class="n">(\d+)<', html)
        more = re.search(r'href="([^"]+)"[^>]*rel="next"', html)
        path = "/errors" + more[1].replace("&amp;", "&") if more else None
    assert met == expected


def test_an_event_counts_as_the_audit_does(operator: Visitor, submit: Submit, engine: Engine, ledger: Ledger) -> None:
    from worker.queries.error_filter import Filter

    fill(submit, engine)
    retry(engine, 100, Filter())
    do(engine, update(Error).where(Error.outcome == Outcome.UNCONFIRMED).values(resolution=Resolution.CONFIRMED))
    given_up(engine, taken(engine))
    for row in ledger.all(Event):
        found = find_event(engine, row.id)
        assert found is not None
        counted = {
            (row.object_id, state): {name: n for name, n in counts.items() if n and name not in {"records", "missing"}}
            for state, counts in found.states.items()
            if counts["records"]
        }
        expected = {key: dict(value) for key, value in outcomes_by_event(engine).items() if key[0] == row.object_id}
        assert counted == expected
        assert found.all
        assert all(
            counts["missing"] == counts["rejected"] + counts["unconfirmed"] + counts["failed"]
            for counts in found.states.values()
        )
    assert "registered" in words(operator.page(f"/event/{row.id}"))


def test_of_an_event_beyond_the_bounds_the_newest_batches_are_counted_whole(
    submit: Submit, engine: Engine, ledger: Ledger
) -> None:

    submit(message(*people(12)), batch_size=3)
    for _ in range(4):
        settled(engine, taken(engine), rejected=[0, 1])

    def counted(**bounds: int) -> tuple[int, int, int, bool]:
        found = find_event(engine, ledger.all(Event)[0].id, **bounds)
        assert found is not None
        registered = found.states["register"]
        return registered["records"], registered["delivered"], registered["missing"], found.all

    assert counted() == counted(walk=5, errors=9) == (12, 4, 8, True)
    assert counted(walk=3) == (9, 3, 6, False)
    assert counted(errors=3) == (6, 2, 4, False)


@pytest.mark.parametrize("query", ["event=77", "state=register&account=default", "category=VALIDATION_ERROR"])
def test_a_walk_finds_the_same_errors_as_a_look_at_all(
    operator: Visitor, submit: Submit, engine: Engine, facts: Facts, query: str
) -> None:
    fill(submit, engine)
    options = [word for pair in query.split("&") for word in f"--{pair}".split("=")]
    expected = [str(row["id"]) for row in facts("errors", *options)]
    assert expected
    assert re.findall(r'row" class="n">(\d+)<', operator.page(f"/errors?{query}")) == expected


def test_a_group_is_listed_by_its_own_index_whatever_the_outcomes(submit: Submit, engine: Engine) -> None:
    from worker.queries.error_filter import ANY_OPEN, Filter

    fill(submit, engine)
    errors = Ledger(engine).errors(Error.outcome == Outcome.FAILED)
    (group_id,) = {error.group_id for error in errors}
    for wanted, ids in ((ANY_OPEN, [error.id for error in reversed(errors)]), ((Outcome.REJECTED,), [])):
        chosen = Filter(wanted, group_id=group_id)
        assert [error.id for error in list_errors(engine, chosen)] == ids
        found, more = page_of_errors(engine, chosen, 50, None, 9)
        assert ([error.id for error in found], more) == (ids, None)
    rare = Filter(ANY_OPEN, group_id=group_id, category="NONE")
    assert page_of_errors(engine, rare, 50, None, 2) == ([], errors[-2].id)


def test_of_a_large_submission_the_first_records_are_counted_and_what_waits_is_not_called_complete(
    operator: Visitor, submit: Submit, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:

    submission = "0b1cb8c3-e2ec-4f44-9fe2-d7813d1a6cfc"
    for first in (0, 20):
        submit({**message(*people(20, first)), "submission_id": submission}, batch_size=20)
    settled(engine, taken(engine), rejected=[0, 15])
    monkeypatch.setattr(worker.queries.person, "LOOKED_AT", 10)
    found = find_submission(engine, UUID(submission))
    assert found is not None
    assert (found.outcomes, found.all, found.status) == ({"delivered": 9, "rejected": 1}, False, "PENDING")
    assert [row.contact for row in found.not_delivered] == ["p0@example.com"]
    assert "the results of its first records alone" in words(operator.page(f"/submission/{submission}"))
    settled(engine, taken(engine))
    monkeypatch.setattr(worker.queries.person, "LOOKED_AT", 41)
    found = find_submission(engine, UUID(submission))
    assert found is not None
    assert (found.outcomes, found.all, found.status) == ({"delivered": 38, "rejected": 2}, True, "COMPLETE")


def test_find_leads_to_what_is_named(operator: Visitor, submit: Submit, engine: Engine, ledger: Ledger) -> None:
    fill(submit, engine)
    batch_id = ledger.batches()[0].id
    submission = ledger.all(Submission)[0].submission
    assert operator.get(f"/find?what={batch_id}").url.endswith(f"/batch/{batch_id}")
    assert operator.get(f"/find?what={submission}").url.endswith(f"/submission/{submission}")
    assert "/event/" in operator.get("/find?what=webinar").url
    assert operator.get("/find?what=x%2Fy").url.endswith("/events?event=x%2Fy")


def test_the_overview_says_what_waits_and_what_was_sent(operator: Visitor, submit: Submit, engine: Engine) -> None:
    fill(submit, engine)
    said = words(operator.page())
    assert "rejected, unresolved 1 unconfirmed, unresolved 1 failed, unresolved 3 " in said
    assert "3 delivered in the last minute, by 3 calls, 5 not delivered" in said
    assert "default HTTP 503 1 2" in said
    assert "no worker is alive" in said


def test_what_was_sent_and_came_back_stands_on_the_batchs_page(
    operator: Visitor, submit: Submit, engine: Engine, ledger: Ledger
) -> None:
    fill(submit, engine)
    do(engine, update(Attempt).values(excerpt="it says no", correlation_id="c-1"))
    said = words(operator.page(f"/batch/{ledger.batches()[0].id}"))
    assert "POST /marketing/v3/marketing-events/77/attendance/register/email-create" in said
    assert '"email": "bob@example.com"' in said
    assert "it says no" in said
    assert "correlation id c-1" in said


@pytest.mark.parametrize("path", ["/", "/accounts"])
def test_the_use_of_an_accounts_limits_over_the_last_day_is_shown(
    operator: Visitor, submit: Submit, engine: Engine, path: str
) -> None:
    assert "no call" in words(operator.page(path))
    fill(submit, engine)
    first = select(func.min(Attempt.id)).scalar_subquery()
    do(engine, update(Attempt).where(Attempt.id == first).values(http_status=503))
    html = operator.page(path)
    assert re.search(r'<svg class="spark" [^>]*in each ten minutes of the last day: at most [123]"><path d="M', html)
    assert re.search(r"3 calls, 0\.\d\d % of what the limits allow, 0\.\d\d % at the peak", words(html))
    assert "errors: 62.50 % of the records" in words(html)


# What others wrote


SAID_BY_OTHERS = (
    "UPDATE records SET contact = :it || id, input = jsonb_build_object('email', CAST(:it AS text))",
    "UPDATE errors SET message = 'Invalid input for `' || :it || '`', category = :it, code = :it",
    "UPDATE attempts SET excerpt = '{emails=[' || :it || ']}', correlation_id = :it, answer = :it",
    "UPDATE events SET object_id = :it || id",
    "UPDATE batches SET postponed_because = :it",
    "UPDATE submissions SET producer = :it",
    "UPDATE refused SET reasons = jsonb_build_array(jsonb_object(ARRAY['where', :it, 'what', :it, 'right', :it]))",
    "UPDATE accounts SET paused_at = now(), paused_because = :it",
)


def test_what_others_wrote_is_escaped_everywhere(
    operator: Visitor, viewer: Visitor, submit: Submit, engine: Engine
) -> None:
    paths = fill(submit, engine)
    for change in SAID_BY_OTHERS:
        do(engine, change, it=SCRIPT)
    asked = [
        f"/batches?event={SCRIPT}",
        f"/errors?category={SCRIPT}",
        f"/events?event={SCRIPT}",
        f"/find?what={SCRIPT}",
    ]
    told = 0
    for path in [*paths, *asked]:
        for visitor in (operator, viewer):
            html = visitor.page(path)
            assert SCRIPT not in html, path
            told += html.count("&lt;script&gt;")
    assert told > 50
    assert SCRIPT not in operator.get(f"/batches?status={SCRIPT}").text
    assert SCRIPT not in operator.get(f"/submission/{SCRIPT}").text


@pytest.mark.parametrize("address", ["ada.lovelace@analytical.example.com", "ada.lovelace%40analytical.example.com"])
def test_viewers_see_no_address_anywhere(
    operator: Visitor, viewer: Visitor, submit: Submit, engine: Engine, address: str
) -> None:
    paths = fill(submit, engine)
    for change in SAID_BY_OTHERS:
        do(engine, change, it=address)
    for path in paths:
        seen = viewer.page(path)
        assert "lovelace" not in seen, path
        assert "analytical" not in seen, path
    assert masked(address) in viewer.page("/errors")
    assert address in operator.page("/errors")


# Pressing


def test_a_batchs_failed_records_are_retried(operator: Visitor, submit: Submit, engine: Engine) -> None:
    submit(message(*people(3)))
    given_up(engine, claimed := taken(engine))
    answer = operator.press(f"/batch/{claimed.batch_id}/retry", f"/batch/{claimed.batch_id}")
    assert (answer.url, [one.status_code for one in answer.history]) == (
        f"{operator.url}/batch/{claimed.batch_id}",
        [303],
    )
    assert "3 records are retried" in words(answer.text)
    assert outcomes(engine) == {"pending": 3}
    assert "3 records are retried" not in words(operator.page(answer.url.removeprefix(operator.url))), "said once"
    again = operator.press(f"/batch/{claimed.batch_id}/retry", "/accounts")
    assert "no record matches: nothing is retried" in words(again.text)


def test_a_batch_is_canceled(operator: Visitor, submit: Submit, engine: Engine, ledger: Ledger) -> None:
    submit(message(*people(3)))
    number = ledger.batches()[0].id
    answer = operator.press(f"/batch/{number}/cancel", f"/batch/{number}")
    assert "3 records in 1 batch are taken out of the queue" in words(answer.text)
    assert outcomes(engine) == {"canceled": 3}
    assert "the batch waits no longer: nothing is canceled" in words(
        operator.press(f"/batch/{number}/cancel", "/accounts").text
    )


def test_an_account_is_paused_and_resumed(operator: Visitor, context: Context, settings: Settings) -> None:
    add(context.engine, settings, "acme", {}, SecretStr("token-of-acme"))
    answer = operator.press("/accounts/acme/pause", "/accounts", because=" the portal moves ")
    assert (answer.url, "account acme is paused" in words(answer.text)) == (f"{operator.url}/accounts#acme", True)
    (paused,) = Ledger(context.engine).all(Account, Account.paused_at.is_not(None))
    assert (paused.name, paused.paused_because) == ("acme", "the portal moves")
    assert "token-of-acme" not in answer.text
    assert "account acme sends one batch now" in words(operator.press("/accounts/acme/resume", "/accounts").text)
    assert Ledger(context.engine).all(Account, Account.paused_at.is_not(None)) == []
    assert operator.press("/accounts/nobody/pause", "/accounts").status_code == 404


def test_a_viewer_can_press_nothing(viewer: Visitor, submit: Submit, engine: Engine) -> None:
    paths = fill(submit, engine)
    for path in paths:
        assert re.findall(r'method="post" action="([^"]+)"', viewer.page(path)) == ["/sign-out"], path
    before = ask(engine, select(Batch.id, Batch.status).order_by(Batch.id)), ask(engine, select(Account.__table__))
    number = before[0][-1].id
    for path in (
        f"/batch/{number}/retry",
        f"/batch/{number}/cancel",
        "/accounts/default/pause",
        "/accounts/default/resume",
    ):
        answer = viewer.press(path, "/")
        assert (answer.status_code, "Only operators" in words(answer.text)) == (403, True)
    assert (
        ask(engine, select(Batch.id, Batch.status).order_by(Batch.id)),
        ask(engine, select(Account.__table__)),
    ) == before


def test_nobody_presses_anything_without_signing_in(console: RunningConsole, ledger: Ledger) -> None:
    answer = console.visitor().press("/accounts/default/pause", "/sign-in")
    assert "/sign-in" in answer.url
    assert ledger.all(Account, Account.paused_at.is_not(None)) == []


def test_the_page_of_a_large_batch_goes_on(
    operator: Visitor, submit: Submit, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "RECORDS", 2)
    submit(message(*people(5)))
    path: str | None = f"/batch/{ledger.batches()[0].id}"
    met: list[Any] = []
    here = path
    while path:
        html = operator.page(path)
        met += re.findall(r"/person/[^\"]+\">(p\d@example.com)", html)
        more = re.search(r'href="([^"]+)"[^>]*rel="next"', html)
        path = f"{here}{more[1]}" if more else None
    assert met == people(5)
