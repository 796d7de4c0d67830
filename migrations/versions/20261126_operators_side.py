"""What operators need: errors grouped, reasons of what is dismissed, corrections, refusals handed in again.

Revision: 0004.
"""

import sqlalchemy as sa
from alembic import op

from models.error_signature import ErrorKind
from models.words import Outcome

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "error_groups",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "outcome",
            sa.Enum(
                *("pending", "processing", "delivered", "rejected", "unconfirmed", "failed", "canceled"),
                name="outcome",
                native_enum=False,
                create_constraint=True,
                length=12,
            ),
            nullable=False,
        ),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("gist", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_error_groups")),
    )
    op.add_column("errors", sa.Column("group_id", sa.Text(), nullable=True))
    op.add_column("errors", sa.Column("resolved_because", sa.Text(), server_default="", nullable=False))
    op.create_index(
        "ix_errors_group", "errors", ["group_id", "id"], unique=False, postgresql_where=sa.text("resolution IS NULL")
    )
    op.add_column("records", sa.Column("corrects", sa.BigInteger(), nullable=True))
    op.add_column("refused", sa.Column("replayed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_refused_waiting", "refused", ["id"], unique=False, postgresql_where=sa.text("replayed_at IS NULL")
    )
    _group_what_is_open()


def _group_what_is_open() -> None:
    connection = op.get_bind()
    rows = connection.execute(
        sa.text("""
        SELECT outcome, category, code, message, min(created_at) AS first, max(created_at) AS last FROM errors
        WHERE resolution IS NULL GROUP BY 1, 2, 3, 4""")
    ).all()
    for row in rows:
        kind = ErrorKind.of(Outcome(row.outcome), row.category, row.code, row.message)
        facts = {**kind._asdict(), "id": kind.group_id, "message": row.message, "first": row.first, "last": row.last}
        connection.execute(
            sa.text("""
            INSERT INTO error_groups (id, outcome, category, code, gist, first_seen, last_seen)
            VALUES (:id, :outcome, :category, :code, :gist, :first, :last) ON CONFLICT (id) DO UPDATE SET
              first_seen = least(error_groups.first_seen, excluded.first_seen),
              last_seen = greatest(error_groups.last_seen, excluded.last_seen)"""),
            facts,
        )
        connection.execute(
            sa.text("""
            UPDATE errors SET group_id = :id WHERE resolution IS NULL AND outcome = :outcome AND category = :category
              AND code = :code AND message = :message"""),
            facts,
        )


def downgrade() -> None:
    op.drop_index("ix_refused_waiting", table_name="refused", postgresql_where=sa.text("replayed_at IS NULL"))
    op.drop_column("refused", "replayed_at")
    op.drop_column("records", "corrects")
    op.drop_index("ix_errors_group", table_name="errors", postgresql_where=sa.text("resolution IS NULL"))
    op.drop_column("errors", "resolved_because")
    op.drop_column("errors", "group_id")
    op.drop_table("error_groups")
