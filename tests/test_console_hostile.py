"""What no browser sends, and what no operator means: each is answered by a page that says so, and by no 500."""

import re
import socket
from html import unescape
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from sqlalchemy import Engine

import worker.operations.steps
from models.tables import Schedule
from models.words import Role
from tests.support.api import key_for
from tests.support.console import RunningConsole, Visitor, words
from tests.support.fixtures import Facts, Fail, Submit
from tests.support.hostile_text import AWAY, WALKING
from tests.support.ledger import Ledger, do, given_up, message, outcomes, people, taken
from web.console import base
from worker.context import Context


def status_of(url: str, head: str, body: bytes = b"") -> int:
    """Send what no client of HTTP would, and give the answer's status."""
    to = urlsplit(url)
    with socket.create_connection((to.hostname, to.port), 10) as connection:
        length = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.replace("\n", "\r\n").encode("latin-1") + length.encode() + body)
        return int(connection.makefile("rb").readline().split()[1])


@pytest.fixture
def two_rejected(rejected: Fail) -> None:
    rejected(*people(2))


@pytest.mark.parametrize("origin", ["http://[", "http://a]b", "http://[::1", "\xff", "null", "http://"])
def test_an_origin_that_is_none_is_another_sites(console: RunningConsole, origin: str) -> None:
    assert status_of(console.url, f"POST /sign-in HTTP/1.1\nHost: 127.0.0.1\nOrigin: {origin}\n") == 403


@pytest.mark.parametrize("charset", ["unicode_escape", "raw_unicode_escape", "undefined", "punycode", "utf-7", "hex"])
def test_a_form_in_an_odd_charset_is_refused(console: RunningConsole, charset: str) -> None:
    port = urlsplit(console.url).port
    body = b'--X\r\nContent-Disposition: form-data; name="form"\r\n\r\n\\ud800+2AA-\r\n--X--\r\n'
    head = (
        f"POST /erase HTTP/1.1\nHost: 127.0.0.1:{port}\nOrigin: http://127.0.0.1:{port}\nCookie: turnout-{port}=abc\n"
        f"Content-Type: multipart/form-data; boundary=X; charset={charset}\n"
    )
    assert status_of(console.url, head, body) in {403, 413}


def hand_back(operator: Visitor, content: bytes) -> Any:
    html = operator.page("/correct?record=1")
    return operator.submit(html, "/correct/file", files={"file": ("mend.csv", content, "text/csv")})


@pytest.mark.parametrize(
    "content",
    [
        b"record,email\n1,a\0b@example.com\n",
        b"record,properties.seat\n1,a\0b\n",
        b"record,properties.se\0at\n1,12\n",
        b"record,event\n1,7\0\n",
        b"record,email\n1\0,a@example.com\n",
    ],
)
@pytest.mark.usefixtures("two_rejected")
def test_a_mended_file_with_a_nul_is_said_to_hold_one(operator: Visitor, engine: Engine, content: bytes) -> None:
    answer = hand_back(operator, content)
    assert answer.status_code == 200
    assert "line 2: holds a NUL" in words(answer.text)
    assert outcomes(engine) == {"rejected": 2}


@pytest.mark.usefixtures("two_rejected")
def test_a_mended_file_with_an_endless_cell_cannot_be_used(operator: Visitor, ledger: Ledger) -> None:
    for content in (b"record,email\n1," + b"a" * 200_000, b"record," + b"a" * 200_000 + b"\n1,a\n"):
        answer = hand_back(operator, content)
        assert (answer.status_code, "This file cannot be used" in words(answer.text)) == (400, True)
    assert "is no CSV" in words(answer.text)
    assert ledger.jobs() == []


@pytest.mark.usefixtures("two_rejected")
def test_a_file_asked_for_as_a_stream_is_none(operator: Visitor) -> None:
    answer = operator.get("/errors.csv", headers={"Accept": "text/event-stream"})
    assert (answer.status_code, "example.com" in answer.text) == (200, False)


def test_a_crontab_of_thousands_of_digits_names_no_time(operator: Visitor, ledger: Ledger) -> None:
    answer = operator.press("/schedules", "/schedules", name="nightly", crontab="9" * 5_000 + " * * * *", most="10")
    assert (answer.status_code, "names no time" in words(answer.text)) == (400, True)
    assert ledger.all(Schedule) == []


@pytest.mark.usefixtures("two_rejected")
@pytest.mark.parametrize("time", ["0001-01-01T00:00+14:00", "9999-12-31T23:59:59-14:00", "2026", "x", "\0x"])
@pytest.mark.parametrize("path", ["/batches?until=", "/batches?since=", "/errors?since=", "/act/retry?since="])
def test_a_time_that_cannot_be_is_said(operator: Visitor, path: str, time: str) -> None:
    answer = operator.get(path + quote(time))
    assert (answer.status_code, "is not a time" in words(answer.text)) == (400, True)


@pytest.mark.usefixtures("two_rejected")
@pytest.mark.parametrize("time", ["0001-01-01", "9999-12-31T23:59:59"])
def test_a_time_long_ago_or_far_off_is_one(operator: Visitor, time: str) -> None:
    for path in ("/batches?until=", "/batches?since=", "/errors?since=", "/act/retry?since="):
        operator.page(path + time)


def test_nothing_large_is_read_of_whoever_is_not_signed_in(console: RunningConsole) -> None:
    for path in ("/correct/file", "/refused/1"):
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n"
        to = urlsplit(console.url)
        with socket.create_connection((to.hostname, to.port), 5) as connection:
            connection.sendall(head.encode())
            assert connection.makefile("rb").readline().split()[1] == b"303"


def test_whoever_signs_in_anew_ends_the_session_there_was(console: RunningConsole, context: Context) -> None:
    key = key_for(context, "olga", Role.OPERATOR)
    first, again = console.visitor(), console.visitor()
    first.sign_in(key)
    again.http.cookies.update(first.http.cookies)
    token = first.token("/")
    again.post("/sign-in", {"form": token, "key": key})
    assert urlsplit(again.get("/").url).path == "/"
    assert urlsplit(first.get("/").url).path == "/sign-in"


# What was pressed


@pytest.mark.usefixtures("two_rejected")
def test_who_begins_a_mended_file_is_noted(console: RunningConsole, operator: Visitor, engine: Engine) -> None:
    answer = hand_back(operator, b"record,email\n1,mended@example.com\n")
    another = console.of(Role.OPERATOR, "another")
    job = urlsplit(answer.url).path
    another.submit(another.page(job), f"{job}/begin")
    another.press(f"{job}/begin", "/")
    job_id = int(job.removeprefix("/job/"))
    assert [(act.who, act.what, act.filter) for act in Ledger(engine).actions()] == [
        ("the operator", "correct", {"mended_rows": 1}),
        ("another", "begin", {"job": job_id}),
    ]


def test_a_button_whose_job_is_in_trouble_leaves_it_to_the_workers(
    operator: Visitor, submit: Submit, engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(message(*people(2)))
    given_up(engine, taken(engine))
    submit(message(*people(2, 2)))

    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(worker.operations.steps, "step", fails)
    for button, batch in zip(("retry", "cancel"), ledger.batches(), strict=True):
        answer = operator.press(f"/batch/{batch.id}/{button}", "/")
        assert urlsplit(answer.url).path.startswith("/job/"), answer.url
        assert "waits: a step failed (RuntimeError)" in words(answer.text)


# Batches and errors by time


def test_batches_are_listed_by_time(operator: Visitor, facts: Facts, submit: Submit, engine: Engine) -> None:
    for hour in range(4):
        submit(message(*people(1, hour), event=str(hour)))
        do(engine, f"UPDATE batches SET created_at = '2026-03-01 0{hour}:30Z' WHERE id = (SELECT max(id) FROM batches)")
    everything = [batch.id for batch in reversed(Ledger(engine).batches())]
    for typed, asked, these in (
        (("--since", "2026-03-01T01:00"), "since=2026-03-01T01:00", everything[:3]),
        (("--until", "2026-03-01T02:00Z"), "until=2026-03-01T02:00Z", everything[2:]),
        (("--since", "2026-03-01T01:00:00", "--until", "2026-03-01 03:30:00"),
         "since=2026-03-01T02:00%2B01:00&until=2026-03-01T03:30", everything[1:3]),
        (("--since", "2026-03-02"), "since=2026-03-02", []),
        (("--until", "2025-03-02"), "until=2025-03-02", []),
    ):  # fmt: skip
        assert [row["id"] for row in facts("batches", *typed)] == these
        html = operator.page(f"/batches?{asked}")
        assert [id_ for id_ in everything if f'href="/batch/{id_}"' in html] == these
    assert 'value="2026-03-01T01:00:00"' in operator.page("/batches?since=2026-03-01T02:00%2B01:00")


def test_what_waits_since_then_is_not_offered_to_be_canceled_with_all_the_rest(
    operator: Visitor, submit: Submit
) -> None:
    submit(message(*people(1)))
    assert "Cancel everything" in operator.page("/batches?status=PENDING")
    for narrower in ("since=2020-01-01", "until=2100-01-01"):
        assert "Cancel everything" not in operator.page(f"/batches?status=PENDING&{narrower}")


@pytest.mark.usefixtures("two_rejected")
def test_errors_are_listed_and_retried_by_time(operator: Visitor, engine: Engine) -> None:
    do(engine, "UPDATE errors SET created_at = '2026-03-01 10:00Z' WHERE record_id = 1")
    do(engine, "UPDATE errors SET created_at = '2026-03-01 12:00Z' WHERE record_id = 2")
    html = operator.page("/errors?since=2026-03-01T11:00&outcome=rejected")
    assert html.count('name="error"') == 1
    links = re.findall(r'href="(/act/retry[^"]*|/errors.csv[^"]*)"', html)
    assert len(links) == 2
    assert all("since=2026-03-01T11%3A00%3A00" in link for link in links)
    assert "1 record will be sent again" in words(operator.page(unescape(links[0])))


def test_a_canceled_groups_errors_are_listed(operator: Visitor, submit: Submit, ledger: Ledger) -> None:
    submit(message(*people(2)))
    (batch,) = ledger.batches()
    operator.press(f"/batch/{batch.id}/cancel", "/")
    (link,) = re.findall(r'href="(/errors\?group=[^"]*)"', operator.page("/groups?outcome=canceled"))
    assert operator.page(link).count('name="error"') == 2


def test_signing_in_leads_to_no_other_site_however_it_is_spelt() -> None:
    assert {away: base.safe_path({"next": away}) for away in AWAY} == dict.fromkeys(AWAY, "")
    for path in ("/", "/batches?status=PENDING", "/person/ada%40example.com", "/event/1#records"):
        assert base.safe_path({"next": path}) == path


def test_a_static_file_is_one_of_ours_and_never_another(console: RunningConsole) -> None:
    for name in (*WALKING, "console.css/../../app.py", "%2e%2e/app.py", "..%2fapp.py", "..%5capp.py", "app.py\0.css"):
        written = quote(name, safe="%")
        head = f"GET /static/{written} HTTP/1.1\nHost: localhost\n"
        assert status_of(console.url, head) == 404, name
