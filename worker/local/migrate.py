"""The database brought to the present: `turnout db upgrade`; and a new migration written: `make migration`."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, text

import migrations
from worker.local.services import Postgres
from worker.schema import needed, read_schema

_TURN: Final = text("SELECT pg_advisory_xact_lock(hashtext('turnout migrations'))")
"""Held by the one that migrates, until its transaction ends; no table can hold it, for there may be none yet."""
_UNHURRIED: Final = text("SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true)")
_PATIENCE: Final = text("SELECT set_config('lock_timeout', '20s', true)")
"""Others queue behind a migration that waits for a table."""


def configuration(connection: Connection) -> Config:
    """Give Alembic's configuration for a connection."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("file_template", "%%(year)d%%(month).2d%%(day).2d_%%(slug)s")
    return config


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Apply the migrations that are missing, all or none; any number of callers at once do it once.

    Gives the revision before (none: there were no tables) and after. A newer Turnout's schema is left as it is.
    """
    with engine.begin() as connection:
        connection.execute(_UNHURRIED)
        connection.execute(_TURN)
        connection.execute(_PATIENCE)
        before = read_schema(connection)
        if before.is_newer:
            return before.revision, str(before.revision)
        command.upgrade(configuration(connection), "head")
    return before.revision, needed()


def write_migration(message: str) -> None:
    """Write the migration from the last one to the models, on an empty database of its own; read and correct it."""
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
