"""Alembic's environment: the caller gives the connection, or asks for SQL; each migration is its own transaction."""

from alembic import context

from models.tables import Base

if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True, transaction_per_migration=True)
else:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Base.metadata,
        compare_server_default=True,
        transaction_per_migration=True,
    )
with context.begin_transaction():
    context.run_migrations()
