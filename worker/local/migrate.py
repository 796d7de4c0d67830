"""The database brought to the present: `turnout db upgrade`; and a new migration written: `make migration`."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

import migrations
from worker.database import DEADLOCK, SETS, sqlstate
from worker.log import LoggableError
from worker.schema import needed, read_schema

_TURN: Final = text("SELECT pg_try_advisory_xact_lock(hashtext('turnout migrations'))")
"""Held by the one that migrates, in a transaction of its own that does nothing else; no table can hold it, for there
may be none yet.

One that finds it held asks again, each time in a new transaction: one that waited in it would be an old transaction,
for whose end an index that is built concurrently waits.
"""
_HOLDS: Final = text("SELECT set_config('idle_in_transaction_session_timeout', '0', true)")
LOCK_TIMEOUT: Final = "3s"
"""How long a statement waits for a table: everybody else's statements queue behind it meanwhile."""
PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between two tries for a lock; from then on the last."""
PATIENCE: Final = 900.0
"""Seconds after which it tries no more."""
ASKS: Final = 0.5
"""Seconds between two looks whether somebody else still migrates."""


class NotMigrated(LoggableError):  # noqa: N818 - it is a state of the world
    """The schema could not be changed as things are; the message says why, and what to do."""


def configuration(connection: Connection | None) -> Config:
    """Give Alembic's configuration for a connection, or for writing SQL."""
    config = Config(attributes={"connection": connection}, output_buffer=StringIO())
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("file_template", "%%(year)d%%(month).2d%%(day).2d_%%(slug)s")
    return config


def upgrade(engine: Engine, say: Callable[[str], None] = lambda _: None) -> tuple[str | None, str]:
    """Apply the migrations that are missing, each in a transaction; any number of callers at once do it once.

    Where it is interrupted, what was applied stays, and the next call goes on. Work goes on meanwhile: a migration that
    does not get a lock in `LOCK_TIMEOUT` lets everybody by, and tries again; `say` is told so.

    Gives the revision before (none: there were no tables) and after. A newer Turnout's schema is left as it is.

    Raises:
        NotMigrated: where a lock could not be got in `PATIENCE`.

    """
    with _turn(engine, say):
        with engine.connect() as connection:
            before = read_schema(connection)
        if before.is_newer:
            return before.revision, str(before.revision)
        _migrate(engine, say)
    return before.revision, needed()


@contextmanager
def _turn(engine: Engine, say: Callable[[str], None]) -> Iterator[None]:
    """Be the only one that migrates until the block ends."""
    told = False
    while True:
        with engine.begin() as connection:
            connection.execute(_HOLDS)
            if connection.execute(_TURN).scalar_one():
                yield
                return
        if not told:
            say("somebody else changes the schema: waiting")
            told = True
        time.sleep(ASKS)


def _migrate(engine: Engine, say: Callable[[str], None]) -> None:
    """Apply what is missing, again where a lock was not got."""
    ends, tries = time.monotonic() + PATIENCE, 0
    while True:
        try:
            # A statement may take as long as it needs, and waits for a lock no longer than others can bear.
            sets = f"SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"
            with engine.connect().execution_options(**{SETS: sets}) as connection:
                command.upgrade(configuration(connection), "head")
        except DBAPIError as error:
            if sqlstate(error) not in DEADLOCK:
                raise
            if time.monotonic() > ends:
                raise NotMigrated(
                    f"a lock was not got in {PATIENCE / 60:.0f} minutes, and the rest of the schema is "  # noqa: S608
                    "as it was: end the long transactions (`SELECT pid, state, xact_start, query FROM pg_stat_activity"
                    " ORDER BY xact_start`), then run `turnout db upgrade` again"
                ) from error
            pause = PAUSES[min(tries, len(PAUSES) - 1)]
            say(f"a table is in use, and a lock was not got in {LOCK_TIMEOUT}: again in {pause:.0f} s")
            tries += 1
            time.sleep(pause)
        else:
            return


def written_sql(after: str, to: str = "head") -> str:
    """Give the SQL of the migrations after one, for what reads SQL (`tests/test_migrations.py`).

    Raises:
        Exception: where a migration asks the database for something; it then cannot be written.

    """
    config = configuration(None)
    command.upgrade(config, f"{after}:{to}", sql=True)
    buffer = config.output_buffer
    assert isinstance(buffer, StringIO)
    return buffer.getvalue()


def write_migration(message: str) -> None:
    """Write the migration from the last one to the models, on an empty database of its own; read and correct it."""
    from worker.local.services import Postgres  # what is installed for `turnout up`, and not in production

    with TemporaryDirectory() as home:
        postgres = Postgres(Path(home))
        engine = create_engine(postgres.start())
        try:
            upgrade(engine)
            with engine.connect() as connection:
                command.revision(configuration(connection), message, autogenerate=True)
        finally:
            engine.dispose()
            postgres.stop()


if __name__ == "__main__":
    write_migration(" ".join(sys.argv[1:]))
