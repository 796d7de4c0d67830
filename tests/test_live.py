"""Live pages over HTTP: what a stream of events sends, to whom, for how long, and how many there may be."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from sqlalchemy import Engine, QueuePool

import web.server
from models.words import Role
from tests.support.console import RunningConsole, Visitor, running_console, words
from tests.support.fixtures import Submit
from tests.support.ledger import Ledger, do, message, people, settled, taken
from tests.support.worker_processes import until
from web.console import live
from worker.auth import sessions
from worker.context import Context
from worker.settings import Settings

STREAM = {"Accept": "text/event-stream"}
COMMENT = ": ping"


@dataclass
class Tab:
    """A stream, as a browser reads it."""

    answer: requests.Response
    _lines: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        self._lines = self.answer.iter_lines(chunk_size=1, decode_unicode=True)

    def said(self) -> Iterator[dict[str, str]]:
        """Give each event, or the comment where there is none, until the stream ends."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if line == COMMENT:
                yield {COMMENT: ""}
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = f"{fields[name]}\n{value}" if name in fields else value
            elif fields:
                if "retry" not in fields:
                    yield fields
                fields = {}

    def next(self) -> str:
        """Give what the next event shows."""
        return words(next(event["data"] for event in self.said() if "data" in event))


Open = Callable[..., Tab]


@pytest.fixture
def tab() -> Iterator[Open]:
    """Open a stream of a page, until the test ends."""
    with ExitStack() as opened:

        def open_(visitor: Visitor, path: str = "/", **headers: str) -> Tab:
            answer = opened.enter_context(visitor.get(path, headers=STREAM | headers, stream=True))
            assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
            return Tab(answer)

        yield open_


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a live page be looked at all the time."""
    between = live.seconds_between
    monkeypatch.setattr(live, "seconds_between", lambda attributes: between(attributes) and 0.05)


@pytest.mark.usefixtures("quick")
def test_a_page_is_sent_when_it_changed(tab: Open, operator: Visitor, submit: Submit) -> None:
    watched = tab(operator)
    assert "batches pending 0" in watched.next()
    submit(message("ada@example.com"))
    assert "batches pending 1" in watched.next()


@pytest.mark.usefixtures("quick")
def test_nothing_is_sent_where_only_time_passed(
    tab: Open, operator: Visitor, submit: Submit, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BEAT", 0)
    submit(message("ada@example.com"))
    path = f"/batch/{ledger.batches()[0].id}"
    before = words(operator.page(path))
    watched = tab(operator, path)
    said = watched.said()
    assert "data" in next(said)
    while re.findall(r"\d+ s ago", words(operator.page(path))) == re.findall(r"\d+ s ago", before):
        assert next(said) == {COMMENT: ""}
    assert [next(said) for _ in range(20)] == [{COMMENT: ""}] * 20


@pytest.mark.usefixtures("quick")
def test_a_page_that_is_live_no_longer_is_sent_once_more_and_then_never(
    tab: Open, operator: Visitor, submit: Submit, engine: Engine
) -> None:
    submit(message("ada@example.com"))
    claimed = taken(engine)
    watched = tab(operator, path := f"/batch/{claimed.batch_id}")
    said = watched.said()
    assert "data-live" in next(said)["data"]
    settled(engine, claimed)
    *_, last = said
    assert "data-live" not in last["data"]
    assert "COMPLETE" in last["data"]
    again = operator.get(path, headers=STREAM | {"Last-Event-ID": last["id"]})
    assert (again.status_code, again.content) == (204, b"")


def test_whoever_comes_back_gets_only_what_he_has_not(
    tab: Open, operator: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LONGEST", 0)
    (event,) = tab(operator, "/accounts").said()
    assert list(tab(operator, "/accounts", **{"Last-Event-ID": event["id"]}).said()) == []


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("end", ["DELETE FROM sessions", "UPDATE keys SET role = 'viewer'"])
def test_whose_session_ended_or_role_changed_is_told_to_load_the_page_anew(
    tab: Open, operator: Visitor, engine: Engine, end: str
) -> None:
    said = tab(operator).said()
    assert "data" in next(said)
    do(engine, end)
    assert list(said)[-1] == {"event": "reload", "data": ""}


@pytest.mark.usefixtures("quick")
def test_signing_out_in_another_tab_ends_it(tab: Open, operator: Visitor) -> None:
    said = tab(operator).said()
    next(said)
    operator.press("/sign-out", "/accounts")
    assert list(said)[-1]["event"] == "reload"


def test_nobody_gets_a_stream_without_signing_in(tab: Open, console: RunningConsole) -> None:
    assert [event.get("event") for event in tab(console.visitor()).said()] == ["reload"]


def test_a_viewers_stream_shows_no_address(
    tab: Open, console: RunningConsole, operator: Visitor, submit: Submit, engine: Engine
) -> None:
    submit(message("ada.lovelace@analytical.example.com"))
    settled(engine, taken(engine), rejected=[0])
    assert "lovelace@" in tab(operator, "/errors").next()
    seen = tab(console.of(Role.VIEWER), "/errors").next()
    assert "VALIDATION_ERROR" in seen
    assert "lovelace" not in seen


def test_a_stream_leaves_what_is_said_once_to_the_page(tab: Open, operator: Visitor) -> None:
    operator.post("/accounts/default/pause", {"form": operator.token("/accounts")}, allow_redirects=False)
    seen = tab(operator, "/accounts").next()
    assert "account default is paused" not in seen
    assert "account default is paused" in words(operator.page("/accounts"))


def test_a_stream_is_sent_safely_and_past_proxies(tab: Open, operator: Visitor) -> None:
    told = tab(operator).answer.headers
    page = operator.get("/").headers
    for name in ("Content-Security-Policy", "X-Frame-Options", "X-Content-Type-Options", "Referrer-Policy"):
        assert told[name] == page[name]
    assert (told["Cache-Control"], told["X-Accel-Buffering"]) == ("no-store", "no")


def test_an_idle_stream_holds_no_connection_to_the_database(tab: Open, operator: Visitor, context: Context) -> None:
    watched = [tab(operator) for _ in range(3)]
    for one in watched:
        one.next()
    pool = context.engine.pool
    assert isinstance(pool, QueuePool)
    assert pool.checkedout() == 0


def test_there_are_so_many_places_and_who_leaves_frees_his_at_once(
    tab: Open, operator: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PLACES", 2)
    first, _ = tab(operator), tab(operator)
    refused = operator.get("/", headers=STREAM)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "15")
    assert operator.page("/"), "pages need no place"
    first.answer.close()
    until(lambda: _status(operator) == 200, 10, "the place was not freed")


def test_who_does_not_read_loses_his_place(
    operator: Visitor, submit: Submit, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PLACES", 1)
    monkeypatch.setattr(web.server, "UNREAD", 0.5)
    submit(message(*people(50)))
    settled(engine, taken(engine), rejected=range(50))
    do(engine, "UPDATE errors SET message = repeat('x', 200000)")
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in operator.http.cookies)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.connect(("127.0.0.1", int(operator.url.rpartition(":")[2])))
        head = f"GET /errors HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\nCookie: {cookies}\r\n\r\n"
        client.sendall(head.replace("Host: 127.0.0.1", f"Host: {operator.url.removeprefix('http://')}").encode())
        client.settimeout(30)
        assert client.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200", "it never had a place"
        until(lambda: _status(operator) == 200, 20, "it keeps its place for ever")


def _status(visitor: Visitor) -> int:
    with visitor.get("/", headers=STREAM, stream=True) as answer:
        return answer.status_code


@pytest.mark.slow
def test_all_streams_end_in_order_when_the_process_stops(tab: Open, context: Context) -> None:
    with running_console(context) as console:
        viewer = console.of(Role.VIEWER)
        watched = [tab(viewer).said() for _ in range(3)]
        for said in watched:
            next(said)
    for said in watched:
        assert list(said) == [], "an answer that was cut off would raise"


@pytest.mark.usefixtures("quick")
def test_without_the_database_a_stream_ends_and_none_begins(
    tab: Open, operator: Visitor, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tab(operator).said()
    next(said)
    away: Any = Context(settings.model_copy(update={"database_url": "postgresql://127.0.0.1:1/nowhere"})).engine
    find = sessions.find
    monkeypatch.setattr(sessions, "find", lambda _, token, issuer: find(away, token, issuer))
    assert "reload" not in [event.get("event") for event in said]
    refused = operator.get("/", headers=STREAM)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "15")
