"""The link that `turnout up` prints: good once, for five minutes, at the machine itself, and for the console alone."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests
from sqlalchemy import update

from models.tables import Session
from models.words import Role
from tests.support.api import key_for
from tests.support.console import RunningConsole, Visitor, running_console, words
from tests.support.ledger import Ledger, ask, do
from worker.auth import keys, sessions
from worker.context import Context

NAME = "up-ada"


@pytest.fixture
def console(context: Context) -> Iterator[RunningConsole]:
    with running_console(context) as running:
        yield running


@pytest.fixture
def link(console: RunningConsole) -> str:
    keys.create(console.context.engine, NAME, Role.OPERATOR)
    made = sessions.make_link(console.context.engine, NAME)
    assert made is not None
    return made


def followed(visitor: Visitor, link: str) -> requests.Response:
    path = f"/sign-in/{link}"
    return visitor.submit(visitor.page(path), path)


def is_spent(answer: requests.Response) -> bool:
    return answer.status_code == 410 and "A link is good once, and for five minutes." in words(answer.text)


def test_it_signs_in_as_its_keys_operator_once(console: RunningConsole, link: str) -> None:
    visitor = console.visitor()
    answer = followed(visitor, link)
    assert (answer.status_code, answer.url) == (200, f"{console.url}/")
    assert f"{NAME} operator" in words(answer.text)
    visitor.press("/accounts/default/pause", "/accounts", because="a trial")
    (act,) = Ledger(console.context.engine).actions()
    assert (act.who, act.via, act.what) == (NAME, "console", "pause")
    again = console.visitor()
    assert is_spent(again.get(f"/sign-in/{link}"))
    assert is_spent(again.press(f"/sign-in/{link}", "/sign-in"))
    assert again.get("/").url == f"{console.url}/sign-in"


def test_looking_at_it_does_not_use_it_up(console: RunningConsole, link: str) -> None:
    for _ in range(3):
        assert f"Sign in as {NAME}" in words(console.visitor().page(f"/sign-in/{link}"))
    assert followed(console.visitor(), link).status_code == 200


def test_of_many_that_follow_it_at_once_one_is_signed_in(console: RunningConsole, link: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda _: sessions.follow(console.context.engine, link), range(8)))
    assert len([one for one in begun if one is not None]) == 1


@pytest.mark.parametrize("end", ["time", "revoked", "rotated", "unknown", "empty"])
def test_it_ends(console: RunningConsole, link: str, end: str) -> None:
    engine = console.context.engine
    visitor = console.visitor()
    shown = visitor.page(f"/sign-in/{link}")
    match end:
        case "time":
            do(engine, update(Session).values(ends_at=Session.ends_at - timedelta(minutes=5)))
        case "revoked":
            keys.revoke(engine, NAME)
        case "rotated":
            keys.rotate(engine, NAME, overlap=0)
        case "unknown":
            link = "x" * 22
        case "empty":
            link = "%20"
    assert is_spent(visitor.get(f"/sign-in/{link}"))
    form = re.search(r'name="form" value="(\w+)"', shown)
    assert form
    assert is_spent(visitor.post(f"/sign-in/{link}", {"form": form[1]}))


def test_its_time_is_five_minutes_and_its_sessions_a_shift(console: RunningConsole, link: str) -> None:
    engine = console.context.engine
    left = "SELECT round(extract(epoch FROM ends_at - now()) / 60) AS minutes FROM sessions"
    assert [row.minutes for row in ask(engine, left)] == [5]
    followed(console.visitor(), link)
    assert [row.minutes for row in ask(engine, left)] == [480]


HEADERS = [
    {"X-Forwarded-For": "203.0.113.9"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-Proto": "https"},
    {"X-Forwarded-Host": "127.0.0.1"},
    {"Forwarded": "for=203.0.113.9"},
    {"X-Real-IP": "203.0.113.9"},
    {"Via": "1.1 proxy"},
    {"Host": "turnout.example.com"},
    {"Host": "127.0.0.1.example.com"},
    {"Host": "192.0.2.7:8800"},
]


@pytest.mark.parametrize("headers", HEADERS, ids=str)
def test_it_works_at_the_machine_itself_only(console: RunningConsole, link: str, headers: dict[str, str]) -> None:
    visitor = console.visitor()
    token = visitor.token(f"/sign-in/{link}")
    path = f"{console.url}/sign-in/{link}"
    origin = {"Origin": f"http://{headers['Host']}"} if "Host" in headers else {"Origin": console.url}
    looked = visitor.http.get(path, headers=headers, timeout=30)
    pressed = visitor.http.post(path, {"form": token}, headers=headers | origin, timeout=30)
    for answer in (looked, pressed):
        assert (answer.status_code, NAME in answer.text) == (421 if "Host" in headers else 403, False)
        assert ("is not known here" if "Host" in headers else "works only on its own machine") in words(answer.text)
    assert followed(console.visitor(), link).status_code == 200, "it was used up by whoever may not use it"


@pytest.mark.parametrize("address", ["203.0.113.9", "10.0.0.1", "::ffff:203.0.113.9", ""])
def test_nor_from_another_address(
    console: RunningConsole, link: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from starlette.datastructures import Address
    from starlette.requests import Request

    visitor = console.visitor()
    token = visitor.token(f"/sign-in/{link}")
    monkeypatch.setattr(Request, "client", Address(address, 1) if address else None)
    assert visitor.get(f"/sign-in/{link}").status_code == 403
    assert visitor.post(f"/sign-in/{link}", {"form": token}).status_code == 403


def test_another_site_cannot_follow_it(console: RunningConsole, link: str) -> None:
    visitor = console.visitor()
    path, token = f"/sign-in/{link}", visitor.token(f"/sign-in/{link}")
    assert visitor.post(path, {"form": token}, headers={"Origin": "https://evil.example"}).status_code == 403
    assert visitor.post(path).status_code == 403
    assert console.visitor().post(path, {"form": token}).status_code == 403
    assert followed(visitor, link).status_code == 200


def test_what_it_holds_is_no_cookie_and_no_key(console: RunningConsole, link: str) -> None:
    name = f"turnout-{console.url.rpartition(':')[2]}"
    for value in (link, f"sign-in link{link}"):
        answer = requests.get(f"{console.url}/batches", cookies={name: value}, allow_redirects=False, timeout=30)
        assert answer.status_code == 303
        answer = requests.get(
            f"{console.url}/submissions/7f8c1f0e-7a52-4f5e-9d8a-0f3f6a6f2b11",
            headers={"Authorization": f"Bearer {value}"},
            timeout=30,
        )
        assert answer.status_code == 401
    assert sessions.find(console.context.engine, link, "") is None


def test_the_database_keeps_a_hash_of_it(console: RunningConsole, link: str) -> None:
    engine = console.context.engine
    filled: set[str] = set()
    for table in ask(
        engine, "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    ):
        rows = ask(engine, f"SELECT {table.relname}::text AS row FROM {table.relname}")
        filled |= {table.relname} if rows else set()
        assert not [row.row for row in rows if link in row.row or link.encode().hex() in row.row], table.relname
    assert "sessions" in filled


@pytest.mark.parametrize("role", [Role.VIEWER, Role.PRODUCER])
def test_there_is_none_for_another_role(context: Context, role: Role) -> None:
    key_for(context, NAME, role)
    assert sessions.make_link(context.engine, NAME) is None
    assert sessions.make_link(context.engine, "nobody") is None


def test_following_it_ends_the_session_there_was(console: RunningConsole, link: str) -> None:
    visitor = console.of(Role.VIEWER, "vera")
    stolen = dict(visitor.http.cookies)
    followed(visitor, link)
    answer = requests.get(f"{console.url}/batches", cookies=stolen, allow_redirects=False, timeout=30)
    assert answer.status_code == 303
