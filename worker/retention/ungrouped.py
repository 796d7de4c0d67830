"""What an earlier release did not accept gets its group, a bounded number at a time.

It is no part of the upgrade, which would keep the table locked meanwhile; and workers of the release before may still
store some beside.
"""

from typing import Final

from sqlalchemy import Connection, LargeBinary, bindparam, case, cast, func, literal_column, null, select, text

from models.refusal_kind import UNGROUPED
from models.tables import Refused
from worker.database import json
from worker.queries.refusal_groups import kind_of

STEP: Final = 1_000
LARGEST: Final = 65_536
"""Bytes of a message in which the account is looked for: one that is not known is the fault of the whole message."""
_IS_ACCOUNTS: Final = (Refused.reasons[0]["where"].as_string() == "account") & (
    func.octet_length(Refused.raw) <= LARGEST
)
_NEXT: Final = (
    select(Refused.id, Refused.reasons, case((_IS_ACCOUNTS, Refused.raw), else_=cast(null(), LargeBinary)).label("raw"))
    .where(Refused.group_id == literal_column(f"'{UNGROUPED}'"), Refused.closed_at.is_(None))
    .order_by(Refused.id.desc())
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
"""The newest first: they are looked at first."""
_GROUP: Final = text("""
UPDATE refused r SET group_id = x.group_id
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(id bigint, group_id text) WHERE r.id = x.id""")


def group_some(connection: Connection) -> int:
    """Give the next open refusals that have no group theirs; say how many they were."""
    rows = connection.execute(_NEXT, {"most": STEP}).all()
    groups = [{"id": row.id, "group_id": kind_of(row.reasons, row.raw).group_id} for row in rows]
    if groups:
        connection.execute(_GROUP, {"rows": json(groups)})
    return len(groups)
