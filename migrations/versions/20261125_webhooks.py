"""Webhooks: where a key's submissions are told of, and which are still to be told.

Revision: 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("keys", sa.Column("webhook_url", sa.Text(), nullable=True))
    op.add_column("keys", sa.Column("webhook_secret", sa.LargeBinary(), nullable=True))
    op.add_column("keys", sa.Column("webhook_failures", sa.Integer(), server_default="0", nullable=False))
    op.add_column("keys", sa.Column("webhook_due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("keys", sa.Column("webhook_error", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "notifications",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("submission", sa.Uuid(), nullable=False),
        sa.Column(
            "stage",
            sa.Enum(
                "watched",
                "failing",
                "warned",
                "finished",
                "told",
                "given_up",
                name="stage",
                native_enum=False,
                create_constraint=True,
                length=12,
            ),
            server_default="watched",
            nullable=False,
        ),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("ix_notifications_submission_key_id", "notifications", ["submission", "key_id"], unique=True)
    op.create_index(
        "ix_notifications_looked",
        "notifications",
        ["key_id", "due_at"],
        postgresql_where=sa.text("stage IN ('watched', 'warned')"),
    )
    op.create_index(
        "ix_notifications_posted",
        "notifications",
        ["key_id", "due_at"],
        postgresql_where=sa.text("stage IN ('failing', 'finished')"),
    )


def downgrade() -> None:
    op.drop_table("notifications")
    for column in ("webhook_error", "webhook_due_at", "webhook_failures", "webhook_secret", "webhook_url"):
        op.drop_column("keys", column)
