"""What the calls of each ten minutes came to, by account: whose call an attempt is stands with it.

Revision: 0008.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("account_id", sa.Integer(), nullable=True))
    op.create_table(
        "throughput_by_account",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("calls", "calls_failed", "delivered", "undelivered")
        ),
        sa.PrimaryKeyConstraint("account_id", "since", name=op.f("pk_throughput_by_account")),
    )


def downgrade() -> None:
    op.drop_table("throughput_by_account")
    op.drop_column("attempts", "account_id")
