"""Columns of jobs, their items, actions and schedules get the names that are usual for them.

Revision: 0012.
"""

from typing import Final

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

COLUMNS: Final = (
    ("actions", "chosen", "filter"),
    ("actions", "trouble", "last_error"),
    ("schedules", "chosen", "filter"),
    ("jobs", "given", "params"),
    ("jobs", "passed", "skipped"),
    ("jobs", "held", "on_hold"),
    ("jobs", "trouble", "last_error"),
    ("job_items", "told", "result"),
)
"""Table, the name before, the name now."""


def upgrade() -> None:
    for table, before, now in COLUMNS:
        op.alter_column(table, before, new_column_name=now)
    op.execute("ALTER INDEX ix_job_items_passed RENAME TO ix_job_items_skipped")


def downgrade() -> None:
    op.execute("ALTER INDEX ix_job_items_skipped RENAME TO ix_job_items_passed")
    for table, before, now in COLUMNS:
        op.alter_column(table, now, new_column_name=before)
