"""Changes of large tables that let everybody go on: indexes built and dropped without a lock that holds writers up.

An index of a large table is built concurrently, which PostgreSQL does outside of a transaction. So a migration that
builds one does nothing else before it: what a migration did up to there is committed, and is done again where it is
interrupted. What an interrupted build leaves is an index that every write pays for and no query uses; it is dropped,
and built anew. The migration's own revision is written after it, as ever.
"""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from alembic import op

_IS_INVALID: Final = sa.text("SELECT FROM pg_index WHERE indexrelid = to_regclass(:name) AND NOT indisvalid")


def create_index(name: str, table: str, columns: Sequence[str | sa.TextClause], **options: Any) -> None:  # noqa: ANN401 - Alembic's own
    """Build an index concurrently where it is not there; one that an interrupted build left is built anew."""
    context = op.get_context()
    with context.autocommit_block():
        if not context.as_sql and op.get_bind().execute(_IS_INVALID, {"name": name}).first() is not None:
            op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True)
        op.create_index(name, table, list(columns), postgresql_concurrently=True, if_not_exists=True, **options)


def drop_index(name: str, table: str) -> None:
    """Drop an index concurrently where it is there."""
    with op.get_context().autocommit_block():
        op.drop_index(name, table_name=table, postgresql_concurrently=True, if_exists=True)
