"""What was not accepted is open until it is closed: how, by whom and why; with its source and its group.

The group of what is open is found anew, step by step, of the newest ones: what is read for it keeps `refused` locked.

Revision: 0015.
"""

from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from models.input_check import Reason
from models.message import DEFAULT_ACCOUNT, loads
from models.refusal_kind import RefusalKind

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

STEP = 1_000
"""Open refusals that are read at once."""
MOST = 10_000
"""Open refusals, the newest, that get their group; those before stay in the group of what has none."""
LARGEST = 65_536
"""Bytes of a message in which the account is looked for: one that is not known is the fault of the whole message."""


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
    _group_open()
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


def _group_open() -> None:
    before = None
    for _ in range(MOST // STEP):
        found = _open(before)
        if not found:
            break
        before = found[-1].id
        groups = [
            {"id": row.id, "group_id": RefusalKind.of([Reason(**one) for one in row.reasons], _account(row)).group_id}
            for row in found
            if row.reasons
        ]
        op.get_bind().execute(
            sa.text("""
            UPDATE refused r SET group_id = x.group_id
            FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(id bigint, group_id text) WHERE r.id = x.id"""),
            {"rows": orjson.dumps(groups).decode()},
        )


def _open(before: int | None) -> list[sa.Row[Any]]:
    rows = op.get_bind().execute(
        sa.text("""
        SELECT id, reasons, CASE WHEN reasons -> 0 ->> 'where' = 'account' AND octet_length(raw) <= :largest THEN raw END
          AS raw FROM refused
        WHERE replayed_at IS NULL AND (CAST(:before AS bigint) IS NULL OR id < :before) ORDER BY id DESC LIMIT :step"""),
        {"before": before, "step": STEP, "largest": LARGEST},
    )
    return list(rows.all())


def _account(row: sa.Row[Any]) -> str | None:
    """Name the account of a message that was refused for it."""
    try:
        message = loads(row.raw or b"")
    except (ValueError, RecursionError):
        return None
    return str(message.get("account") or DEFAULT_ACCOUNT) if isinstance(message, dict) else None


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
