"""Alembic's environment: one connection, given by the caller, or made from the settings."""

from alembic import context
from sqlalchemy import Connection

from models.tables import Base


def run(connection: Connection) -> None:
    """Run the migrations on this connection, in one transaction, one process at a time."""
    context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    from worker.database import make_engine
    from worker.settings import load_settings

    with make_engine(load_settings()).connect() as made:
        run(made)
