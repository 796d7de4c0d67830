"""The producer's span of a receipt, where traces are on: a small table beside the receipts, empty where they are off.

The key to the receipts locks `submissions` against writes for as long as it takes to note it: nothing is scanned.

Revision: 0018.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "traces",
        sa.Column("submission_id", sa.BigInteger(), nullable=False),
        sa.Column("traceparent", sa.String(length=55), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submissions.id"],
            name=op.f("fk_traces_submission_id_submissions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_traces")),
    )
    op.execute("INSERT INTO schema_revisions VALUES ('0018')")


def downgrade() -> None:
    op.execute("DELETE FROM schema_revisions WHERE revision = '0018'")
    op.drop_table("traces")
