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

LOCK: Final = text("SELECT pg_advisory_lock(hashtext('turnout migrations'))")
UNLOCK: Final = text("SELECT pg_advisory_unlock(hashtext('turnout migrations'))")
"""Held by the one that migrates; no table can hold it, for there may be none yet."""


def configuration(connection: Connection) -> Config:
    """Give Alembic's configuration for a connection."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("file_template", "%%(year)d%%(month).2d%%(day).2d_%%(slug)s")
    return config


def upgrade(engine: Engine) -> None:
    """Apply the migrations that are missing; any number of callers at once do it once."""
    with engine.connect() as connection:
        connection.execute(LOCK)
        connection.commit()
        try:
            command.upgrade(configuration(connection), "head")
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(UNLOCK)
            connection.commit()


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
