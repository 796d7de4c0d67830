"""Bulk actions as jobs, the audit log, named schedules.

Revision: 0007.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

AS_TEXT = {"native_enum": False, "create_constraint": True, "length": 12}
NOW = sa.text("now()")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "actions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("via", sa.Enum("terminal", "console", "schedule", name="via", **AS_TEXT), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("chosen", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("trouble", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_actions")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "action",
            sa.Enum("retry", "correct", "dismiss", "cancel", "replay", name="action", **AS_TEXT),
            nullable=False,
        ),
        sa.Column("given", postgresql.JSONB(), nullable=False),
        sa.Column("expected", sa.BigInteger(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("after", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("passed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("due_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("trouble", sa.Text(), server_default="", nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("stopped", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_under_way", "jobs", ["due_at", "id"], postgresql_where=sa.text("ended_at IS NULL"))
    op.create_table(
        "job_items",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("item", sa.BigInteger(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=True),
        sa.Column("change", postgresql.JSONB(), nullable=True),
        sa.Column("done", sa.Boolean(), nullable=True),
        sa.Column("by", sa.BigInteger(), nullable=True),
        sa.Column("told", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_items")),
    )
    op.create_index(op.f("ix_job_items_job_id_id"), "job_items", ["job_id", "id"])
    op.create_index("ix_job_items_passed", "job_items", ["job_id", "id"], postgresql_where=sa.text("NOT done"))
    op.execute("DELETE FROM schedules")  # the setting's own comes back by itself
    op.add_column("schedules", sa.Column("time_zone", sa.Text(), server_default="UTC", nullable=False))
    op.add_column("schedules", sa.Column("chosen", postgresql.JSONB(), server_default="{}", nullable=False))
    op.add_column("schedules", sa.Column("most_retries", sa.SmallInteger(), server_default="10", nullable=False))
    op.add_column("schedules", sa.Column("quiet_from", sa.Time(), nullable=True))
    op.add_column("schedules", sa.Column("quiet_to", sa.Time(), nullable=True))
    op.add_column("schedules", sa.Column("paused", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("schedules", sa.Column("job_id", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    for column in ("job_id", "paused", "quiet_to", "quiet_from", "most_retries", "chosen", "time_zone"):
        op.drop_column("schedules", column)
    op.drop_table("job_items")
    op.drop_table("jobs")
    op.drop_table("actions")
