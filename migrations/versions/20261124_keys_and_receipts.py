"""Keys, and what a receipt by HTTP needs: whose it is, what was asked, which records it repeats.

Revision: 0002.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "producer", "operator", "viewer", name="role", native_enum=False, create_constraint=True, length=12
            ),
            nullable=False,
        ),
        sa.Column("account_ids", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("old_hash", sa.LargeBinary(), nullable=True),
        sa.Column("old_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
    )
    op.create_index("uq_keys_name", "keys", ["name"], unique=True, postgresql_where=sa.text("revoked_at IS NULL"))
    op.add_column("submissions", sa.Column("account_id", sa.Integer(), nullable=True))
    op.add_column("submissions", sa.Column("key_id", sa.Integer(), nullable=True))
    op.add_column("submissions", sa.Column("digest", sa.LargeBinary(), nullable=True))
    op.add_column(
        "submissions",
        sa.Column("repeated", postgresql.ARRAY(sa.BigInteger()), server_default="{}", nullable=False),
    )


def downgrade() -> None:
    for column in ("repeated", "digest", "key_id", "account_id"):
        op.drop_column("submissions", column)
    op.drop_index("uq_keys_name", table_name="keys", postgresql_where=sa.text("revoked_at IS NULL"))
    op.drop_table("keys")
