"""Retention and erasure: running totals of what is purged, receipts of whom is erased.

Revision: 0005.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COUNTS = ("accepted", "duplicates", "refused", "delivered", "rejected", "unconfirmed", "failed", "canceled")
SETTLED = sa.text("settled_at IS NOT NULL")
RETRIES = sa.text("origin = 'retry'")
OF_SEVERAL = sa.text("batch_id IS NULL")
SPENT = sa.text("accepted = records_purged AND refused = refused_purged")


def upgrade() -> None:
    op.create_table(
        "purged",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        *(sa.Column(count, sa.BigInteger(), server_default="0", nullable=False) for count in COUNTS),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), server_default=sa.text("'-infinity'"), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_purged_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purged")),
    )
    op.execute("INSERT INTO purged (id) VALUES (1)")
    op.create_table(
        "erasures",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("rows", postgresql.JSONB(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    for column in ("records_purged", "refused_purged"):
        op.add_column("submissions", sa.Column(column, sa.Integer(), server_default="0", nullable=False))
    op.create_index("ix_submissions_spent", "submissions", ["id"], postgresql_where=SPENT)
    op.create_index("ix_batches_settled", "batches", ["settled_at", "id"], postgresql_where=SETTLED)
    op.create_index("ix_batches_retries", "batches", ["event_id", "id"], postgresql_where=RETRIES)
    op.create_index("ix_attempts_of_several", "attempts", ["id"], postgresql_where=OF_SEVERAL)


def downgrade() -> None:
    op.drop_index("ix_attempts_of_several", table_name="attempts", postgresql_where=OF_SEVERAL)
    op.drop_index("ix_batches_retries", table_name="batches", postgresql_where=RETRIES)
    op.drop_index("ix_batches_settled", table_name="batches", postgresql_where=SETTLED)
    op.drop_index("ix_submissions_spent", table_name="submissions", postgresql_where=SPENT)
    for column in ("refused_purged", "records_purged"):
        op.drop_column("submissions", column)
    op.drop_table("erasures")
    op.drop_table("purged")
