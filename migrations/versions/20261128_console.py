"""The console: who is signed in, and what the calls of each ten minutes came to.

Revision: 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_sessions")),
    )
    op.create_table(
        "throughput",
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("calls", "calls_failed", "delivered", "undelivered", "attempts_to", "errors_to")
        ),
        sa.PrimaryKeyConstraint("since", name=op.f("pk_throughput")),
    )


def downgrade() -> None:
    op.drop_table("throughput")
    op.drop_table("sessions")
