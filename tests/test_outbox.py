"""The outbox of the examples, as it stands: killed, refused, kept waiting; nothing twice, nothing lost, in order."""

import json
import os
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

import web.limits
from models.tables import Submission
from tests.support.api import WHEN, Api, key_for
from tests.support.ledger import Ledger
from tests.support.worker_processes import until
from worker.auth import keys
from worker.queries.reconciliation import audit

SCRIPT = Path(__file__).parent.parent / "examples" / "producers" / "outbox.py"


class App:
    """An app with a database of its own, and the example in it."""

    def __init__(self, url: str, home: Path, api: Api) -> None:
        self.engine = create_engine(url)
        self.log = home / "drainer.log"
        self.written = 0
        self.env = {"PATH": os.environ["PATH"], "APP_DATABASE_URL": url, "PYTHONUNBUFFERED": "1"}
        self.env |= {"TURNOUT_URL": api.url, "TURNOUT_KEY": api.key}

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            command = [sys.executable, "-P", "-s", "-W", "error", str(SCRIPT), *words]
            return subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def run(self, *words: str) -> None:
        assert self.start(*words).wait(30) == 0, self.log.read_text()

    def do(self, statement: str, **facts: object) -> list[tuple[Any, ...]]:
        with self.engine.begin() as connection:
            result = connection.execute(text(statement), facts)
            return [tuple(row) for row in result] if result.returns_rows else []

    def write(self, *rows: tuple[str, str, str]) -> None:
        """Write rows as the app does: event, state and address, each a millisecond later than the one before."""
        inputs = [
            [event, state, {"email": email, "interactionDateTime": WHEN + self.written + number}]
            for number, (event, state, email) in enumerate(rows)
        ]
        self.written += len(rows)
        self.do(
            """
            INSERT INTO outbox (event, state, input) SELECT one ->> 0, one ->> 1, one -> 2
            FROM jsonb_array_elements(CAST(:rows AS jsonb)) WITH ORDINALITY x(one, place) ORDER BY place""",
            rows=json.dumps(inputs),
        )

    def waiting(self) -> int:
        return int(self.do("SELECT count(*) FROM outbox WHERE refused IS NULL")[0][0])

    def until_drained(self) -> None:
        until(lambda: not self.waiting(), 30, self.log.read_text)

    def blocked(self) -> bool:
        """Say whether a statement of the example waits for a lock of the test's."""
        here = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return bool(self.do(f"SELECT pid {here} AND query !~ 'pg_advisory_lock'"))

    @contextmanager
    def drainer(self) -> Iterator[subprocess.Popen[bytes]]:
        """Let a drainer run until the block ends, which kills it."""
        process = self.start("drain")
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def app(postgres_url: str, tmp_path: Path, api: Api) -> Iterator[App]:
    name = f"a{uuid.uuid4().hex}"
    admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    app = App(make_url(postgres_url).set(database=name).render_as_string(hide_password=False), tmp_path, api)
    app.run("tables")
    yield app
    app.engine.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def stored(engine: Engine) -> list[tuple[str, str, str]]:
    """List event, state and address of what Turnout holds, in the order of acceptance."""
    return [(event.partition("/")[2], batch.state, record.contact) for record, batch, event in Ledger(engine).stored()]


def requests_stored(engine: Engine) -> int:
    return len(Ledger(engine).all(Submission))


def books(engine: Engine) -> tuple[int, int, int]:
    found = audit(engine)
    assert found.balanced, found.wrong
    return found.accepted, found.duplicates, found.refused


def test_what_the_app_commits_is_drained_in_order(app: App, api: Api) -> None:
    ada, event = "ada@example.com", "spring-summit-2026"
    with app.drainer():
        for state in ("register", "cancel", "register"):
            app.run(state, ada)
        app.until_drained()
    assert app.do("SELECT email, state FROM registrations") == [(ada, "register")]
    assert stored(api.context.engine) == [(event, "register", ada), (event, "cancel", ada), (event, "register", ada)]
    assert app.do("SELECT * FROM outbox") == []


def test_the_apps_row_and_the_outboxs_are_both_there_or_neither(app: App) -> None:
    with app.engine.begin() as connection:
        connection.execute(text("LOCK TABLE outbox IN SHARE MODE"))
        process = app.start("register", "ada@example.com")
        until(app.blocked, 10, app.log.read_text)
        process.kill()
        process.wait()
    until(lambda: not app.do("SELECT FROM pg_locks WHERE relation = 'outbox'::regclass"), 10, "it holds its locks")
    assert app.do("SELECT * FROM registrations") == app.do("SELECT * FROM outbox") == []


def test_a_request_holds_what_follows_of_its_event_until_the_state_changes(app: App, api: Api) -> None:
    app.write(
        ("e 1/x", "register", "ada@example.com"),
        ("e2", "register", "bob@example.com"),
        ("e 1/x", "register", "cy@example.com"),
        ("e 1/x", "cancel", "ada@example.com"),
        ("e2", "register", "dan@example.com"),
        ("e 1/x", "register", "ada@example.com"),
    )
    with app.drainer():
        app.until_drained()
    assert requests_stored(api.context.engine) == 4
    assert stored(api.context.engine) == [
        ("e 1/x", "register", "ada@example.com"),
        ("e 1/x", "register", "cy@example.com"),
        ("e2", "register", "bob@example.com"),
        ("e2", "register", "dan@example.com"),
        ("e 1/x", "cancel", "ada@example.com"),
        ("e 1/x", "register", "ada@example.com"),
    ]


def test_a_request_holds_a_thousand_inputs_at_most(app: App, api: Api) -> None:
    app.write(*(("e", "register", f"p{number}@example.com") for number in range(2_001)))
    with app.drainer():
        app.until_drained()
    assert requests_stored(api.context.engine) == 3
    assert stored(api.context.engine) == [("e", "register", f"p{number}@example.com") for number in range(2_001)]


def test_killed_between_the_doors_answer_and_its_commit_it_sends_the_same_request_again(app: App, api: Api) -> None:
    app.write(("e", "register", "ada@example.com"), ("e", "register", "nobody"))
    app.do("""
        CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM FROM registrations WHERE email = 'gate' FOR UPDATE; RETURN OLD; END $$""")
    app.do("CREATE TRIGGER gate BEFORE DELETE ON outbox FOR EACH ROW EXECUTE FUNCTION wait()")
    app.do("INSERT INTO registrations VALUES ('e', 'gate', 'register', now())")
    with app.engine.begin() as gate:
        gate.execute(text("SELECT FROM registrations FOR UPDATE"))
        with app.drainer():
            until(app.blocked, 20, app.log.read_text)
    assert books(api.context.engine) == (1, 0, 1), "the API has answered"
    until(lambda: not app.do("SELECT FROM pg_locks WHERE locktype = 'advisory'"), 10, "its connection lives on")
    assert app.waiting() == 2, "nothing of the answer was committed"
    app.write(("e", "register", "bob@example.com"), ("e", "cancel", "ada@example.com"))
    with app.drainer():
        app.until_drained()
    assert books(api.context.engine) == (3, 0, 1), "the same request was known again"
    assert [(state, contact) for _, state, contact in stored(api.context.engine)] == [
        ("register", "ada@example.com"),
        ("register", "bob@example.com"),
        ("cancel", "ada@example.com"),
    ]
    assert app.do("SELECT input ->> 'email' FROM outbox WHERE request IS NULL") == [("nobody",)]


def test_killed_at_any_moment_with_others_waiting_to_take_over(app: App, api: Api) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    people, states = [f"p{number}@example.com" for number in range(5)], ("register", "cancel")
    rows = [(chance.choice("xy"), chance.choice(states), chance.choice(people)) for _ in range(400)]
    with ExitStack() as stack:
        drainers = [stack.enter_context(app.drainer()) for _ in range(2)]
        for start in range(0, 400, 40):
            app.write(*rows[start : start + 40])
            time.sleep(chance.random() * 0.5)
            drainers.pop(0).kill()
            drainers.append(stack.enter_context(app.drainer()))
        app.until_drained()
    assert books(api.context.engine) == (400, 0, 0), seed
    for event in "xy":
        for person in people:
            mine = [one for one in rows if (one[0], one[2]) == (event, person)]
            theirs = [one for one in stored(api.context.engine) if (one[0], one[2]) == (event, person)]
            assert theirs == mine, (seed, event, person)


def test_what_the_door_refuses_is_kept_with_the_reason_and_goes_once_mended(app: App, api: Api) -> None:
    app.write(
        ("e", "register", "ada@example.com"),
        ("e", "register", "bob at example"),
        ("e", "register", "cy@example.com"),
        ("e", "cancel", "ada@example.com"),
    )
    with app.drainer():
        app.until_drained()
        assert stored(api.context.engine) == [
            ("e", "register", "ada@example.com"),
            ("e", "register", "cy@example.com"),
            ("e", "cancel", "ada@example.com"),
        ]
        [(email, request, why)] = app.do("SELECT input ->> 'email', request, refused FROM outbox")
        assert (email, request) == ("bob at example", None)
        assert "inputs[1].email" in why
        app.do('UPDATE outbox SET input = input || \'{"email": "bob@example.com"}\', refused = NULL')
        app.until_drained()
    assert stored(api.context.engine)[3:] == [("e", "register", "bob@example.com")]
    assert app.do("SELECT * FROM outbox") == []


def test_a_door_that_is_overloaded_for_a_while_is_asked_again(
    app: App, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.limits, "MOST_AT_ONCE", 0)
    app.write(("e", "register", "ada@example.com"), ("e", "cancel", "ada@example.com"))
    with app.drainer():
        until(lambda: "503" in app.log.read_text(), 20, app.log.read_text)
        assert app.waiting() == 2
        monkeypatch.undo()
        app.until_drained()
    assert stored(api.context.engine) == [("e", "register", "ada@example.com"), ("e", "cancel", "ada@example.com")]


def test_a_door_that_is_not_there_is_asked_again(app: App, api: Api) -> None:
    there = app.env["TURNOUT_URL"]
    app.write(("e", "register", "ada@example.com"))
    app.env["TURNOUT_URL"] = "http://127.0.0.1:1"
    with app.drainer() as drainer:
        until(lambda: "again" in app.log.read_text(), 20, app.log.read_text)
        assert drainer.poll() is None
    app.env["TURNOUT_URL"] = there
    with app.drainer():
        app.until_drained()
    assert stored(api.context.engine) == [("e", "register", "ada@example.com")]


def test_a_fault_stops_it_loudly_and_once_mended_it_goes_on(app: App, api: Api) -> None:
    app.write(("e", "register", "ada@example.com"))
    assert keys.revoke(api.context.engine, "shop")
    with app.drainer() as drainer:
        assert drainer.wait(20) == 1
    assert "rows 1 to 1 cannot be sent: 401" in app.log.read_text()
    assert app.waiting() == 1
    app.env["TURNOUT_KEY"] = key_for(api.context, "shop")
    with app.drainer():
        app.until_drained()
    assert stored(api.context.engine) == [("e", "register", "ada@example.com")]
