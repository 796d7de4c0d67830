"""Alembic's environment: the caller gives the connection, in one transaction, one process at a time."""

from alembic import context

from models.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, compare_server_default=True
)
with context.begin_transaction():
    context.run_migrations()
