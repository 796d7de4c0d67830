"""The release before this one and this one work on one database: side by side, upgraded under load, and rolled back."""

import json
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine

from tests.support.background import beside
from tests.support.databases import Databases
from tests.support.ledger import ask, message, outcomes, settled, taken, wrong_now
from tests.support.previous_release import PreviousWorkers, check_out, run
from tests.support.sandbox_server import running_sandbox
from tests.support.worker_processes import Workers, until
from tests.test_kills import enqueue, everything_is_accounted_for, left
from worker import heartbeat
from worker.context import Context
from worker.database import make_engine
from worker.local.migrate import upgrade
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
    settings: Settings, engine: Engine, submit: Any, previous: Path
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


@pytest.mark.long
@pytest.mark.timeout(900)
def test_an_upgrade_under_load_side_by_side_and_rolled_back_loses_nothing(
    empty: Settings, previous: Path, tmp_path: Path
) -> None:
    chance, handed, serial = random.Random(16), 0, 0
    with running_sandbox(burst_limit=100_000, latency=0.05) as sandbox:
        told = {"hubspot_url": sandbox.url, "burst_limit": 2_000, "linger": 0.2}
        settings = empty.model_copy(update=told)
        settings.model_fields_set.update(told)
        engine, stream = make_engine(settings), Context(settings).stream
        run(settings, previous, "-m", "cli", "db", "upgrade")
        before = ask(engine, "SELECT version_num FROM alembic_version")

        def submit(_: object = None) -> None:
            nonlocal handed, serial
            serial += 1
            handed += enqueue(stream, chance, serial, 10)

        def go_on(*all_of: Workers) -> None:
            """Let both submit and deliver for a while: what is there now must come through."""
            with connect(settings.stream_url) as client:
                until(
                    lambda: heartbeat.workers(client) == 2 * len(all_of), 60, lambda: "".join(w.logs() for w in all_of)
                )
            ends = audit(engine).outcomes["delivered"] + 1_000  # type: ignore[index]
            until(lambda: audit(engine).outcomes["delivered"] > ends, 120, lambda: "".join(w.logs() for w in all_of))  # type: ignore[index]

        old = PreviousWorkers(settings, tmp_path / "old", previous)
        (tmp_path / "new").mkdir()
        new = Workers(settings, tmp_path / "new")
        try:
            with beside(submit, 0.2, "submitting"):
                old.start()
                go_on(old)
                assert upgrade(engine) == (before[0].version_num, needed())
                go_on(old)
                new.start()
                go_on(old, new)
                old.stop()
                go_on(new)
                old.start()
                go_on(old, new)
                new.stop()
                go_on(old)
            until(lambda: not stream.waiting() and not left(engine), 120, lambda: f"{left(engine)} wait: {old.logs()}")
            everything_is_accounted_for(engine, sandbox, handed)
            assert json.loads(run(settings, previous, "-m", "cli", "audit", "--json")) == audit(engine).as_json()
            with engine.connect() as connection:
                assert wrong_now(connection) == []
        finally:
            old.stop()
            new.stop()
            engine.dispose()
            shutil.rmtree(tmp_path / "old")
