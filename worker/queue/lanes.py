"""Lanes: telling the claim that an event has something due."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, text

from worker.trip import Query

_TELL: Final = text("""
INSERT INTO lanes (event_id, origin, account_id, due_at, ready)
SELECT event_id, origin, min(account_id), min(due_at), min(due_at) <= now() FROM batches
WHERE id = ANY(:batches) AND status = 'PENDING' AND after = '{}'
GROUP BY event_id, origin ORDER BY event_id, origin
ON CONFLICT (event_id, origin) DO UPDATE SET
  due_at = least(lanes.due_at, excluded.due_at), ready = lanes.ready OR excluded.ready""")
"""Lowers, or makes, the lanes of those of the batches that wait for no other."""


def told(batch_ids: Collection[int]) -> Query[None]:
    """Ask for the same as `tell`, as part of a trip."""
    return Query(_TELL, {"batches": list(batch_ids)})


def tell(connection: Connection, batch_ids: Collection[int]) -> None:
    """Lower the lanes' due times for those of the batches that may be claimed when due.

    The last statement before a commit: a claim skips a lane that is locked.
    """
    if batch_ids:
        told(batch_ids).alone(connection)
