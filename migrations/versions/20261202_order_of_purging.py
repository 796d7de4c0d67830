"""Purging looks for older records in whatever batches they were moved to: by a split too.

Revision: 0010.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

MOVED = sa.text("origin = 'retry' OR split_from IS NOT NULL")
RETRIES = sa.text("origin = 'retry'")


def upgrade() -> None:
    op.create_index("ix_batches_moved", "batches", ["event_id", "id"], postgresql_where=MOVED)
    op.drop_index("ix_batches_retries", table_name="batches", postgresql_where=RETRIES)


def downgrade() -> None:
    op.create_index("ix_batches_retries", "batches", ["event_id", "id"], postgresql_where=RETRIES)
    op.drop_index("ix_batches_moved", table_name="batches", postgresql_where=MOVED)
