"""An error about its event is in that event's group, and no name is blanked; a job is done to what was shown.

Open errors are grouped anew.

Revision: 0011.
"""

from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

from models.error_signature import About, ErrorKind
from models.message import Address
from models.words import Outcome

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

STEP = 5_000
"""Open errors that are held at once."""
FIELDS = """
id bigint, group_id text, outcome text, category text, code text, gist text, event_id bigint, at timestamptz"""


def upgrade() -> None:
    op.add_column("error_groups", sa.Column("event_id", sa.BigInteger(), nullable=True))
    op.add_column("jobs", sa.Column("pinned", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.execute("UPDATE jobs SET pinned = true WHERE action = 'correct' AND NOT given ? 'change'")
    after = 0
    while found := _open_errors(after):
        after = found[-1].id
        grouped = [(error, _grouped(error)) for error in found]
        _regroup([row for error, row in grouped if row["group_id"] != error.group_id or row["event_id"] is not None])


def _open_errors(after: int) -> list[sa.Row[Any]]:
    rows = op.get_bind().execute(
        sa.text("""
        SELECT e.*, ev.id AS event_id, ev.object_id, ev.external_event_id, ev.external_account_id,
          coalesce(t.http_status = 404, false) AS is_unknown
        FROM (SELECT * FROM errors WHERE resolution IS NULL AND group_id IS NOT NULL AND id > :after
          ORDER BY id LIMIT :step) e
        JOIN batches b ON b.id = e.batch_id JOIN events ev ON ev.id = b.event_id
        LEFT JOIN attempts t ON t.id = e.attempt_id ORDER BY e.id"""),
        {"after": after, "step": STEP},
    )
    return list(rows.all())


def _grouped(error: sa.Row[Any]) -> dict[str, object]:
    address = Address(error.object_id, error.external_event_id, error.external_account_id)
    about = About(error.event_id, address, error.context, error.is_unknown)
    kind = ErrorKind.of(Outcome(error.outcome), error.category, error.code, error.message, about)
    return {**kind._asdict(), "id": error.id, "group_id": kind.group_id, "at": error.created_at.isoformat()}


def _regroup(rows: list[dict[str, object]]) -> None:
    facts = {"rows": orjson.dumps(rows).decode()}
    op.get_bind().execute(
        sa.text(f"""
        INSERT INTO error_groups (id, outcome, category, code, gist, event_id, first_seen, last_seen)
        SELECT group_id, outcome, category, code, gist, event_id, min(at), max(at)
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x({FIELDS}) GROUP BY 1, 2, 3, 4, 5, 6
        ON CONFLICT (id) DO UPDATE SET event_id = excluded.event_id,
          first_seen = least(error_groups.first_seen, excluded.first_seen),
          last_seen = greatest(error_groups.last_seen, excluded.last_seen)"""),
        facts,
    )
    op.get_bind().execute(
        sa.text(f"""
        UPDATE errors e SET group_id = x.group_id
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x({FIELDS}) WHERE e.id = x.id AND e.group_id <> x.group_id"""),
        facts,
    )


def downgrade() -> None:
    op.drop_column("jobs", "pinned")
    op.drop_column("error_groups", "event_id")
