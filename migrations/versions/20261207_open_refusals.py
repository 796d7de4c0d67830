"""What was not accepted is open until it is closed: how, by whom and why; with its source and its group.

What is open gets its group afterwards, from the workers: what would be read for it here keeps `refused` locked.

Revision: 0015.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("group_id", sa.Text(), server_default="ungrouped", nullable=False),
        sa.Column("source", JSONB(), nullable=True),
        sa.Column("draft", JSONB(), nullable=True),
        sa.Column("closing", sa.String(12), nullable=True),
        sa.Column("closed_by", sa.Text(), server_default="", nullable=False),
        sa.Column("closed_because", sa.Text(), server_default="", nullable=False),
    ):
        op.add_column("refused", column)
    op.create_check_constraint(
        op.f("ck_refused_closing"), "refused", "closing IN ('submitted', 'corrected', 'dismissed')"
    )
    op.create_index(
        "ix_refused_group",
        "refused",
        ["group_id", "id"],
        unique=False,
        postgresql_where=sa.text("replayed_at IS NULL"),
    )
    op.drop_constraint(op.f("ck_jobs_action"), "jobs", type_="check")
    op.create_check_constraint(
        op.f("ck_jobs_action"), "jobs", "action IN ('retry', 'correct', 'dismiss', 'cancel', 'replay', 'discard')"
    )
    op.execute("INSERT INTO schema_revisions VALUES ('0015')")


def downgrade() -> None:
    op.execute("DELETE FROM schema_revisions WHERE revision = '0015'")
    op.execute("DELETE FROM jobs WHERE action = 'discard'")
    op.drop_constraint(op.f("ck_jobs_action"), "jobs", type_="check")
    op.create_check_constraint(
        op.f("ck_jobs_action"), "jobs", "action IN ('retry', 'correct', 'dismiss', 'cancel', 'replay')"
    )
    op.drop_index("ix_refused_group", table_name="refused", postgresql_where=sa.text("replayed_at IS NULL"))
    op.drop_constraint(op.f("ck_refused_closing"), "refused", type_="check")
    for name in ("closed_because", "closed_by", "closing", "draft", "source", "group_id"):
        op.drop_column("refused", name)
