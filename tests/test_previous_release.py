"""The release before this one and this one work on one database: side by side, upgraded under load, and rolled back."""

import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from sqlalchemy import Engine, create_engine

from models.words import Outcome
from tests.support.accounted import enqueue, everything_is_accounted_for, left
from tests.support.background import beside
from tests.support.databases import Databases
from tests.support.fixtures import Submit
from tests.support.ledger import WHEN, ask, message, outcomes, settled, taken, wrong_now
from tests.support.next_release import add_migrations
from tests.support.previous_release import PreviousWorkers, check_out, run
from tests.support.sandbox_server import running_sandbox
from tests.support.worker_processes import Workers, environment, until
from worker import heartbeat
from worker.context import Context
from worker.database import make_engine
from worker.local.migrate import upgrade
from worker.local.services import free_port
from worker.queries.reconciliation import audit
from worker.schema import needed
from worker.settings import Settings
from worker.stream import connect


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return check_out(tmp_path_factory.mktemp("previous"))


WORK = """
import json
from tests.support.ledger import deliver_all, message
from models.accept_rules import Rules
from models.words import Door
from worker.database import make_engine
from worker.encryption import fingerprint_key
from worker.intake.accept import Inbound, accept
from worker.queries.reconciliation import audit
from worker.settings import load_settings
settings = load_settings()
engine = make_engine(settings)
rules = Rules(fingerprint_key(engine, settings), settings.batch_size, settings.linger)
accepted = Inbound(Door.STREAM, "7-1", json.dumps(message("old@example.com", "both@example.com")).encode())
with engine.connect() as connection:
    accept(connection, [accepted], rules)
deliver_all(engine)
print(json.dumps(audit(engine).as_json()))
"""


@pytest.mark.usefixtures("books")
def test_the_previous_release_works_on_this_schema_and_this_release_on_what_it_wrote(
    settings: Settings, engine: Engine, submit: Submit, previous: Path
) -> None:
    submit(message("new@example.com", "both@example.com"))
    assert run(settings, previous, "-m", "cli", "db", "check") == "this Turnout can work on the database\n"
    assert "nothing was changed" in run(settings, previous, "-m", "cli", "db", "upgrade")
    books = json.loads(run(settings, previous, "-c", WORK))
    assert (books["accepted"], books["duplicates"], books["delivered"], books["balanced"]) == (3, 1, 3, True)
    submit(message("old@example.com", "later@example.com"))
    settled(engine, taken(engine))
    assert outcomes(engine) == {"delivered": 4}
    assert audit(engine).duplicates == 2


def test_a_clone_without_the_previous_release_fails_and_says_what_to_do(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "previous-release").write_text("0123456789abcdef0123456789abcdef01234567\n")
    with pytest.raises(pytest.fail.Exception, match="`git fetch --unshallow`, or `git fetch origin 0123456789abcdef"):
        check_out(tmp_path / "previous", tmp_path)


@pytest.fixture
def empty(databases: Databases, settings: Settings) -> Iterator[Settings]:
    """Settings with a database that has no tables."""
    name = "upgraded"
    admin = create_engine(databases.server_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    changed = settings.model_copy(update={"database_url": databases.url_of(name)})
    changed.model_fields_set.add("database_url")
    yield changed
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@pytest.mark.parametrize("old", [False, True], ids=["empty", "of the previous release"])
def test_three_processes_that_upgrade_at_the_same_moment_do_it_once(
    empty: Settings, previous: Path, tmp_path: Path, *, old: bool
) -> None:
    before = ""
    if old:
        run(empty, previous, "-m", "cli", "db", "upgrade")
        run(empty, previous, "-c", WORK)
        before = run(empty, previous, "-m", "cli", "db", "current")
    words = [sys.executable, "-m", "cli", "db", "upgrade"]
    started = [
        subprocess.Popen(
            words, cwd=tmp_path, env=environment(empty), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(3)
    ]
    said = [one.communicate(timeout=120)[0] for one in started]
    assert [one.returncode for one in started] == [0, 0, 0], said
    last = sorted(one.splitlines()[-1] for one in said)
    assert sum(one.startswith("the schema was ") for one in last) == 1, said
    assert sum(one == f"the schema is {needed()}: up to date, nothing was changed" for one in last) == 2, said
    assert ("not there" in last[-1]) is not old
    engine = make_engine(empty)
    try:
        assert ask(engine, "SELECT version_num FROM alembic_version") == [(needed(),)]
        assert ask(engine, "SELECT revision, count(*) FROM schema_revisions GROUP BY 1 HAVING count(*) > 1") == []
        assert ask(engine, "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid") == []
        if old:
            assert needed() not in before
            books = audit(engine)
            assert (books.outcomes[Outcome.DELIVERED], books.balanced) == (2, True)
    finally:
        engine.dispose()


SUBMIT = "/marketing/v3/marketing-events/79/attendance/register/email-create"


class WithWeb(Workers):
    """Delivery, housekeeping, beat and `turnout serve` of this release."""

    def __init__(self, settings: Settings, home: Path) -> None:
        super().__init__(settings, home)
        self.port = free_port()
        serve = [sys.executable, "-m", "cli", "serve", "--port", str(self.port)]
        self.commands = {**self.commands, "serve": serve}


class PreviousWithWeb(PreviousWorkers, WithWeb):
    """The same of the release before."""


class HttpProducer:
    """Submits one record a call by HTTP to whichever web process answers, until it is accepted; keeps the receipts."""

    def __init__(self, key: str, *ports: int) -> None:
        self._headers = {"Authorization": f"Bearer {key}"}
        self._ports = ports
        self.taken: list[tuple[int, str]] = []
        """Of each that was accepted: by which port, and the path of its receipt."""

    def submit(self, _: object = None) -> None:
        number = len(self.taken)
        inputs = [{"email": f"http{number}@example.com", "interactionDateTime": WHEN}]
        while True:
            for port in self._ports[number % 2 :] + self._ports[: number % 2]:
                try:
                    answer = requests.post(
                        f"http://127.0.0.1:{port}{SUBMIT}", json={"inputs": inputs}, headers=self._headers, timeout=60
                    )
                except requests.ConnectionError:
                    continue  # it does not run now, or ended meanwhile: the same again is stored once
                assert answer.status_code == 200, answer.text
                self.taken.append((port, urlsplit(answer.json()["links"]["submission"]).path))
                return
            time.sleep(0.1)

    def read(self, port: int, path: str) -> dict[str, Any]:
        answer = requests.get(f"http://127.0.0.1:{port}{path}", headers=self._headers, timeout=60)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


EXPAND = """
    op.add_column("records", sa.Column("origin", sa.Text(), nullable=True))
    op.alter_column("records", "origin", server_default="later")
    op.create_check_constraint("has_origin", "records", "origin IS NOT NULL", postgresql_not_valid=True)
"""
FILL = """
    filled = "WITH step AS (SELECT id FROM records WHERE origin IS NULL ORDER BY id LIMIT 500)" \\
        " UPDATE records SET origin = 'before' FROM step WHERE records.id = step.id"
    with op.get_context().autocommit_block():
        while op.get_bind().execute(sa.text(filled)).rowcount:
            pass
"""
CONTRACT = """
    op.execute("ALTER TABLE records VALIDATE CONSTRAINT ck_records_has_origin")
"""
INDEX = """
    online.create_index("ix_records_origin", "records", ["origin", "id"])
"""
"""A substantial change as CONTRIBUTING.md asks for it: a column, its rows filled by steps, a check, an index."""


LATER = "SELECT count(*) AS number FROM records WHERE origin = 'later'"
"""How many records came after the substantial change; of those delivered since then, some came before it."""


def change_much(engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Apply the substantial change, under load: every row of before is filled, also of those that came meanwhile."""
    there = ask(engine, "SELECT count(*) FROM records")[0][0]
    named = add_migrations([EXPAND, FILL, CONTRACT, INDEX], folder, monkeypatch)
    upgrade(engine)
    assert ask(engine, "SELECT version_num FROM alembic_version") == [(named[-1],)]
    assert ask(engine, "SELECT count(*) FROM records WHERE origin = 'before'")[0][0] >= there
    assert ask(engine, "SELECT convalidated FROM pg_constraint WHERE conname = 'ck_records_has_origin'") == [(True,)]
    assert ask(engine, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_records_origin'::regclass") == [(True,)]


def until_all_work(settings: Settings, engine: Engine, producer: HttpProducer, all_of: Sequence[WithWeb]) -> None:
    """Let all submit and deliver for a while: what is there now must come through, and each web process takes some."""

    def logs() -> str:
        return "".join(each.logs() for each in all_of)

    def taken_by(port: int) -> int:
        return sum(by == port for by, _ in producer.taken)

    with connect(settings.stream_url) as client:
        until(lambda: heartbeat.workers(client) == 2 * len(all_of), 60, logs)
    ends, before = (
        audit(engine).outcomes[Outcome.DELIVERED] + 1_000,
        {each.port: taken_by(each.port) for each in all_of},
    )
    until(lambda: audit(engine).outcomes[Outcome.DELIVERED] > ends, 120, logs)
    until(lambda: all(taken_by(port) > number for port, number in before.items()), 120, logs)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_an_upgrade_under_load_side_by_side_and_rolled_back_loses_nothing(
    empty: Settings, previous: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, handed, serial = random.Random(16), 0, 0
    with running_sandbox(burst_limit=100_000, latency=0.05) as sandbox:
        told = {"hubspot_url": sandbox.url, "burst_limit": 2_000, "linger": 0.2}
        settings = empty.model_copy(update=told)
        settings.model_fields_set.update(told)
        engine, stream = make_engine(settings), Context(settings).stream
        run(settings, previous, "-m", "cli", "db", "upgrade")
        before = ask(engine, "SELECT version_num FROM alembic_version")
        made = run(settings, previous, "-m", "cli", "keys", "create", "shop", "--role", "producer", "--json")
        old = PreviousWithWeb(settings, tmp_path / "old", previous)
        (tmp_path / "new").mkdir()
        new = WithWeb(settings, tmp_path / "new")
        producer = HttpProducer(json.loads(made)["key"], old.port, new.port)

        def submit(_: object = None) -> None:
            nonlocal handed, serial
            serial += 1
            handed += enqueue(stream, chance, serial, 10)

        def go_on(*all_of: WithWeb) -> None:
            until_all_work(settings, engine, producer, all_of)

        try:
            with beside(submit, 0.2, "submitting"), beside(producer.submit, 0.05, "a producer by HTTP"):
                old.start()
                go_on(old)
                assert upgrade(engine) == (before[0].version_num, needed())
                go_on(old)
                new.start()
                go_on(old, new)
                for port, path in producer.taken[:: max(1, len(producer.taken) // 20)]:
                    (other,) = {old.port, new.port} - {port}
                    assert producer.read(other, path)["accepted"] == producer.read(port, path)["accepted"] == 1
                change_much(engine, tmp_path, monkeypatch)
                go_on(old, new)
                until(lambda: ask(engine, LATER)[0].number > 1_000, 120, old.logs)
                old.stop()
                go_on(new)
                old.start()
                go_on(old, new)
                new.stop()
                go_on(old)
            until(lambda: not stream.waiting() and not left(engine), 120, lambda: f"{left(engine)} wait: {old.logs()}")
            everything_is_accounted_for(engine, sandbox, handed + len(producer.taken))
            assert all(producer.read(old.port, path)["accepted"] == 1 for _, path in producer.taken)
            assert json.loads(run(settings, previous, "-m", "cli", "audit", "--json")) == audit(engine).as_json()
            with engine.connect() as connection:
                assert wrong_now(connection) == []
        finally:
            old.stop()
            new.stop()
            engine.dispose()
            shutil.rmtree(tmp_path / "old")
