"""The newest batch of an event that has a contact in it: two sorted lists, leapt down to the newest they share.

Walking the contact's batches, or the event's, would make a flood elsewhere everybody's wait: with a hundred people who
had 10,000 waiting records each in one event, accepting them in another took 5 s, and the claim of an older retry 20 s.
"""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, text

from models.outcome import LAST_ERROR, OUTCOME
from worker.database import json

MAY_HAVE_ARRIVED: Final = """EXISTS (SELECT FROM errors p WHERE p.record_id = r.id AND p.outcome = 'unconfirmed')"""
"""A record `r` that HubSpot took without a word, once: whatever became of it when it was retried."""

OVERTAKES: Final = f"""
r.id > x.id AND (SELECT {OUTCOME} IN ('pending', 'processing', 'delivered', 'unconfirmed')
    OR {OUTCOME} IN ('failed', 'canceled') AND {MAY_HAVE_ARRIVED}
  FROM (SELECT u.status) b {LAST_ERROR})"""
"""A record `r` of a batch `u` that is newer than `x`, and came, may have come or may yet come to something."""


HOLDING: Final = "(u.status = 'PROCESSING' OR (u.status = 'PENDING' AND u.origin <> 'retry'))"
"""A batch `u` that keeps its contacts from newer batches: unsettled, and no retry that waits."""

UNANSWERED: Final = "NOT EXISTS (SELECT FROM errors s WHERE s.record_id = r.id AND s.batch_id = r.batch_id)"
"""A member `r` of an unsettled batch that is still to be sent: one without an error in this batch."""


def newest(batch: str, record: str) -> str:
    """Give the SQL that finds it for an `x` of `event_id` and `contact`, as one row of `batch_id` and `record_id`.

    `batch` is the condition on a batch `u` of the event, `record` that on the contact's record `r` in it. The rows are
    compared as a whole (the contact's, the event's condition follows) because no other index has that order: where few
    people make many records the planner would rather walk another one, and everything in it.
    """
    return f"""(
    WITH RECURSIVE leap(batch_id, record_id, found, below) AS (
      SELECT CAST(NULL AS bigint), CAST(NULL AS bigint), false, CAST(9223372036854775807 AS bigint)
      UNION ALL
      SELECT u.id, r.id, u.id = r.batch_id AND {record}, CASE WHEN u.id = r.batch_id THEN u.id ELSE u.id + 1 END
      FROM leap CROSS JOIN LATERAL (
        SELECT r.id, r.batch_id, r.contact FROM records r WHERE (r.contact, r.batch_id) < (x.contact, leap.below)
        ORDER BY r.contact DESC, r.batch_id DESC LIMIT 1) r
      CROSS JOIN LATERAL (
        SELECT u.* FROM batches u WHERE (u.event_id, u.id) <= (x.event_id, r.batch_id) AND {batch}
        ORDER BY u.event_id DESC, u.id DESC LIMIT 1) u
      WHERE NOT leap.found AND r.contact = x.contact AND u.event_id = x.event_id)
    SELECT batch_id, record_id FROM leap WHERE found)"""


def oldest(record: str) -> str:
    """Give the SQL that leaps up in the same way, for an `x` that says up to which batch: `upto`."""
    return f"""(
    WITH RECURSIVE leap(batch_id, record_id, found, above) AS (
      SELECT CAST(NULL AS bigint), CAST(NULL AS bigint), false, CAST(0 AS bigint)
      UNION ALL
      SELECT u.id, r.id, u.id = r.batch_id AND {record}, CASE WHEN u.id = r.batch_id THEN u.id ELSE u.id - 1 END
      FROM leap CROSS JOIN LATERAL (
        SELECT r.id, r.batch_id, r.contact FROM records r WHERE (r.contact, r.batch_id) > (x.contact, leap.above)
        ORDER BY r.contact, r.batch_id LIMIT 1) r
      CROSS JOIN LATERAL (
        SELECT u.* FROM batches u WHERE (u.event_id, u.id) >= (x.event_id, r.batch_id)
        ORDER BY u.event_id, u.id LIMIT 1) u
      WHERE NOT leap.found AND r.contact = x.contact AND u.event_id = x.event_id AND r.batch_id <= x.upto)
    SELECT batch_id, record_id FROM leap WHERE found)"""


def held(connection: Connection, pairs: Collection[tuple[int, str]]) -> dict[tuple[int, str], int]:
    """Find, for pairs of an event and a contact, the newest batch of the event that holds the contact.

    What was superseded in a retry that is being sent holds nobody any more (only a retry has answered members while
    it is unsettled).
    """
    rows = connection.execute(
        text(f"""
        SELECT x.event_id, x.contact, h.batch_id
        FROM jsonb_to_recordset(CAST(:pairs AS jsonb)) x(event_id bigint, contact text)
        CROSS JOIN LATERAL {newest(HOLDING, f"(u.origin <> 'retry' OR {UNANSWERED})")} h"""),
        {"pairs": json([{"event_id": event, "contact": contact} for event, contact in pairs])},
    )
    return {(row.event_id, row.contact): row.batch_id for row in rows}
