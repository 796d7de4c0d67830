"""The database brought to the present: `turnout db upgrade`."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

import migrations


def configuration(connection: Connection) -> Config:
    """Give Alembic's configuration for a connection."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config


def upgrade(engine: Engine) -> None:
    """Apply the migrations that are missing; any number of callers at once do it once."""
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(hashtext('turnout migrations'))"))
        connection.commit()
        try:
            command.upgrade(configuration(connection), "head")
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(hashtext('turnout migrations'))"))
            connection.commit()
