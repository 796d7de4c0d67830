"""The schema is changed while work goes on: no table is locked for long, at once and twice, whatever interrupts it."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from tests.support.ledger import ask, do
from tests.support.next_release import add_migrations
from worker import schema
from worker.local import migrate
from worker.local.migrate import NotMigrated, upgrade, written_sql

COLUMN = '    op.add_column("refused", sa.Column("later", sa.Text(), nullable=True))'
INDEX = '    online.create_index("uq_refused_later", "refused", ["later"], unique=True)'
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('uq_refused_later')"
REVISION = "SELECT version_num FROM alembic_version"


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be a release after this one, which adds a column and builds an index of it."""
    assert add_migrations([COLUMN, INDEX], tmp_path, monkeypatch) == ["9998", "9999"]
    monkeypatch.setattr(migrate, "PAUSES", (0.1,))
    monkeypatch.setattr(migrate, "ASKS", 0.05)
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "200ms")


@pytest.fixture
def in_use(engine: Engine) -> Iterator[Callable[[], None]]:
    """Have a table read by a transaction that goes on until it is let go."""
    connection = engine.connect()
    connection.execute(text("SELECT count(*) FROM refused"))
    yield connection.close
    connection.close()


def test_the_revisions_that_a_release_knows_are_alembics() -> None:
    """Each process reads them as text, without Alembic."""
    walked = ScriptDirectory.from_config(migrate.configuration(None)).walk_revisions()
    assert schema._revisions() == [script.revision for script in walked]  # noqa: SLF001 - what this release knows
    assert len(schema._revisions()) > 17  # noqa: SLF001


@pytest.mark.usefixtures("next_release")
def test_a_table_in_use_is_tried_again_and_everybody_else_goes_by(engine: Engine, in_use: Callable[[], None]) -> None:
    said: list[str] = []
    with ThreadPoolExecutor() as pool:
        upgraded = pool.submit(upgrade, engine, said.append)
        while len(said) < 2:
            ask(engine, "SELECT count(*) FROM refused")  # it would wait for 20 s behind a lock that waits, and fail
            assert not upgraded.done()
        in_use()
        upgraded.result(60)
    assert set(said) == {"a table is in use, and a lock was not got in 200ms: again in 0 s"}
    assert ask(engine, REVISION) == [("9999",)]
    assert ask(engine, VALID) == [(True,)]


@pytest.mark.usefixtures("next_release", "in_use")
def test_a_lock_that_is_never_got_ends_in_a_sentence(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "PATIENCE", 0.5)
    before = ask(engine, REVISION)
    with pytest.raises(NotMigrated, match="end the long transactions"):
        upgrade(engine)
    assert ask(engine, REVISION) == before


@pytest.mark.usefixtures("next_release")
def test_many_at_once_build_an_index_once_and_wait_for_no_other(engine: Engine) -> None:
    """One that waited for its turn in a transaction would be waited for by the index: neither would ever end."""
    said: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: upgrade(engine, said.append), range(4)))
    assert set(said) <= {"somebody else changes the schema: waiting"}
    assert ask(engine, REVISION) == [("9999",)]
    assert ask(engine, VALID) == [(True,)]
    assert ask(engine, "SELECT count(*) FROM schema_revisions WHERE revision = '9999'") == [(1,)]


@pytest.mark.usefixtures("next_release")
def test_an_index_that_an_interrupted_build_left_is_built_anew(engine: Engine) -> None:
    refused = "INSERT INTO refused (submission_id, raw, inputs, reasons) VALUES (1, '', 1, '[]')"
    do(engine, refused)
    do(engine, refused)
    twice = threading.Event()

    def same() -> None:
        """Make two rows equal as soon as the column is there: then the index cannot be built."""
        while not twice.is_set():
            try:
                do(engine, "UPDATE refused SET later = 'same'")
                twice.set()
            except DBAPIError:
                time.sleep(0.001)

    original = command.upgrade

    def first_the_column(config: Config, revision: str) -> None:
        original(config, "9998")
        same()
        original(config, revision)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(command, "upgrade", first_the_column)
        with pytest.raises(DBAPIError, match="could not create unique index"):
            upgrade(engine)
    assert ask(engine, VALID) == [(False,)]
    assert ask(engine, REVISION) == [("9998",)]
    do(engine, "UPDATE refused SET later = id::text")
    upgrade(engine)
    assert ask(engine, VALID) == [(True,)]
    assert ask(engine, REVISION) == [("9999",)]


def test_new_migrations_lock_no_table_for_long() -> None:
    """Squawk reads the SQL of each: what locks a table while it is read or written whole fails here."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "squawk"), "--pg-version", "14", *EXCLUDED],
        input=written_sql(LAST_UNREAD),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


LAST_UNREAD = "0015"
"""Migrations up to here were released before they were read like that."""
EXCLUDED = [
    f"--exclude={rule}"
    for rule in (
        "require-lock-timeout",  # `worker.local.migrate` sets it in each transaction, as a test above shows
        "require-statement-timeout",  # none: a migration is not ended in the middle
        "prefer-text-field",  # our words are VARCHAR(12) with a check, and 12 stays
    )
]


def test_squawk_finds_what_locks_a_table(tmp_path: Path) -> None:
    locking = tmp_path / "locking.sql"
    locking.write_text("CREATE INDEX ix ON records (id);\nALTER TABLE records ADD CONSTRAINT c CHECK (id > 0);\n")
    squawk = [str(Path(sys.executable).parent / "squawk"), "--pg-version", "14", *EXCLUDED, str(locking)]
    done = subprocess.run(squawk, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "require-concurrent-index-creation" in done.stdout
    assert "constraint-missing-not-valid" in done.stdout
