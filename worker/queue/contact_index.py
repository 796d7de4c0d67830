"""What a contact has in an event's batches: two sorted lists, of which a statement leaps to the next that they share.

Walking the contact's batches, or the event's, would make a flood elsewhere everybody's wait: with a hundred people who
had 10,000 waiting records each in one event, accepting them in another took 5 s, and the claim of an older retry 20 s.

Each statement here is the same leap, down from the newest or up from the oldest batch, with another condition on the
batch `u` and the contact's record `r` in it: `HOLDERS` (accept, claims of retries), `OVERTAKING` (claims of retries,
corrections), `OLDEST_SENDABLE` and `AFTER_SENDABLE` (purge). In all of them the rows are compared as a whole (the
contact's, the event's condition follows) because no other index has that order: where few people make many records
the planner would rather walk another one, and everything in it. Each is bounded at its other end too: what others are
about to commit is in an index already, and a look for who is not there would walk all of it. To accept five messages
of 5,000 neighbours at once took 20 s.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection, exists, select, text, true

from models.tables import NOBODY, Batch, Event, ids
from worker.database import json
from worker.trip import Query

LOOKED_AT: Final = 256
"""The newest unsettled batches of an event that are looked at for what they wait for."""


class Place(NamedTuple):
    """A contact's place in an event: what is accepted later there has a larger record id."""

    event_id: int
    contact: str
    record_id: int


class Holder(NamedTuple):
    """The newest batch that holds a contact of an event."""

    event_id: int
    contact: str
    batch_id: int


HOLDERS: Final = text("""
SELECT x.event_id, x.contact, newest.batch_id
FROM jsonb_to_recordset(CAST(:pairs AS jsonb)) x(event_id bigint, contact text)
JOIN LATERAL (
  SELECT r.contact, r.batch_id FROM records r WHERE (r.contact, r.batch_id) < (x.contact, 9223372036854775807)
    AND (r.contact, r.batch_id) > (x.contact, 0)
  ORDER BY r.contact DESC, r.batch_id DESC LIMIT 1) latest ON latest.contact = x.contact
CROSS JOIN LATERAL (
  WITH RECURSIVE leap(batch_id, found, below) AS (
    SELECT CAST(NULL AS bigint), false, latest.batch_id + 1
    UNION ALL
    SELECT u.id,
      u.id = r.batch_id AND (u.origin <> 'retry' OR NOT EXISTS (
        SELECT FROM errors s WHERE s.record_id = r.id AND s.batch_id = r.batch_id)),
      CASE WHEN u.id = r.batch_id THEN u.id ELSE u.id + 1 END
    FROM leap CROSS JOIN LATERAL (
      SELECT r.id, r.batch_id, r.contact FROM records r WHERE (r.contact, r.batch_id) < (x.contact, leap.below)
        AND (r.contact, r.batch_id) > (x.contact, 0)
      ORDER BY r.contact DESC, r.batch_id DESC LIMIT 1) r
    CROSS JOIN LATERAL (
      SELECT u.* FROM batches u WHERE (u.event_id, u.id) <= (x.event_id, r.batch_id)
        AND (u.event_id, u.id) > (x.event_id, 0)
        AND (u.status = 'PROCESSING' OR (u.status = 'PENDING' AND u.origin <> 'retry'))
      ORDER BY u.event_id DESC, u.id DESC LIMIT 1) u
    WHERE NOT leap.found AND r.contact = x.contact AND u.event_id = x.event_id)
  SELECT batch_id FROM leap WHERE found) newest""")
"""The newest batch of an event that holds a contact: unsettled, no retry that waits, the contact's record unanswered.

Only a retry has answered members while it is unsettled: what was superseded holds no contact any more. Most contacts
are new, and are asked for once: to begin a leap costs more than that.
"""

OVERTAKING: Final = text("""
SELECT x.record_id AS overtaken, newest.record_id AS by
FROM jsonb_to_recordset(CAST(:places AS jsonb)) x(event_id bigint, contact text, record_id bigint)
CROSS JOIN LATERAL (
  WITH RECURSIVE leap(record_id, found, below) AS (
    SELECT CAST(NULL AS bigint), false, CAST(9223372036854775807 AS bigint)
    UNION ALL
    SELECT r.id,
      u.id = r.batch_id AND r.id > x.record_id AND (
        SELECT its.outcome IN ('pending', 'processing', 'delivered', 'unconfirmed')
          OR its.is_looked_for
          OR its.outcome IN ('failed', 'canceled') AND EXISTS (
            SELECT FROM errors p WHERE p.record_id = r.id AND p.outcome = 'unconfirmed')
        FROM (
          SELECT CASE WHEN e.resolution = 'confirmed' THEN 'delivered'
                      WHEN e.id IS NOT NULL THEN e.outcome
                      WHEN b.status = 'COMPLETE' THEN 'delivered'
                      ELSE lower(b.status) END AS outcome,
            e.verify_at IS NOT NULL AS is_looked_for
          FROM (SELECT u.status) b LEFT JOIN LATERAL (
            SELECT e.* FROM errors e WHERE e.record_id = r.id AND e.batch_id = r.batch_id ORDER BY e.id DESC LIMIT 1
          ) e ON true) its)
        AND (NOT CAST(:corrections AS boolean) OR (
          SELECT coalesce(o.corrects, o.id) FROM records o WHERE o.id = r.id) > x.record_id),
      CASE WHEN u.id = r.batch_id THEN u.id ELSE u.id + 1 END
    FROM leap CROSS JOIN LATERAL (
      SELECT r.id, r.batch_id, r.contact FROM records r WHERE (r.contact, r.batch_id) < (x.contact, leap.below)
        AND (r.contact, r.batch_id) > (x.contact, 0)
      ORDER BY r.contact DESC, r.batch_id DESC LIMIT 1) r
    CROSS JOIN LATERAL (
      SELECT u.* FROM batches u WHERE (u.event_id, u.id) <= (x.event_id, r.batch_id)
        AND (u.event_id, u.id) > (x.event_id, 0)
      ORDER BY u.event_id DESC, u.id DESC LIMIT 1) u
    WHERE NOT leap.found AND r.contact = x.contact AND u.event_id = x.event_id)
  SELECT record_id FROM leap WHERE found) newest""")
"""The record in the contact's newest batch that was accepted later than `x`, and came, may have come or may yet come to
something; for corrections, what took an older record's place counts as that one.

Whether it did is said of its outcome (`models.outcome`), by whether it is looked for at HubSpot whatever its outcome,
and of one that failed or was canceled by whether HubSpot took it without a word once, whatever became of it when it was
retried.
"""

OLDEST_SENDABLE: Final = text("""
SELECT x.event_id, x.contact, oldest.record_id
FROM jsonb_to_recordset(CAST(:places AS jsonb)) x(event_id bigint, contact text, upto bigint)
CROSS JOIN LATERAL (
  WITH RECURSIVE leap(record_id, found, above) AS (
    SELECT CAST(NULL AS bigint), false, CAST(0 AS bigint)
    UNION ALL
    SELECT r.id,
      u.id = r.batch_id AND (u.status IN ('PENDING', 'PROCESSING') OR EXISTS (
        SELECT FROM errors o WHERE o.record_id = r.id AND o.batch_id = u.id AND o.resolution IS NULL)),
      CASE WHEN u.id = r.batch_id THEN u.id ELSE u.id - 1 END
    FROM leap CROSS JOIN LATERAL (
      SELECT r.id, r.batch_id, r.contact FROM records r WHERE (r.contact, r.batch_id) > (x.contact, leap.above)
        AND (r.contact, r.batch_id) < (x.contact, 9223372036854775807)
      ORDER BY r.contact, r.batch_id LIMIT 1) r
    CROSS JOIN LATERAL (
      SELECT u.* FROM batches u WHERE (u.event_id, u.id) >= (x.event_id, r.batch_id)
        AND (u.event_id, u.id) < (x.event_id, 9223372036854775807)
      ORDER BY u.event_id, u.id LIMIT 1) u
    WHERE NOT leap.found AND r.contact = x.contact AND u.event_id = x.event_id AND r.batch_id <= x.upto)
  SELECT record_id FROM leap WHERE found) oldest""")
"""The contact's record in the oldest batch, up to one, that waits or whose error is open: an operator may retry or
correct it, a read-back send it once more."""

AFTER_SENDABLE: Final = text("""
SELECT x.record_id
FROM jsonb_to_recordset(CAST(:places AS jsonb)) x(event_id bigint, contact text, record_id bigint)
CROSS JOIN LATERAL (
  WITH RECURSIVE leap(found, below) AS (
    SELECT false, CAST(9223372036854775807 AS bigint)
    UNION ALL
    SELECT
      u.id = r.batch_id AND r.id < x.record_id AND (u.status IN ('PENDING', 'PROCESSING') OR EXISTS (
        SELECT FROM errors o WHERE o.record_id = r.id AND o.batch_id = u.id AND o.resolution IS NULL)),
      CASE WHEN u.id = r.batch_id THEN u.id ELSE u.id + 1 END
    FROM leap CROSS JOIN LATERAL (
      SELECT r.id, r.batch_id, r.contact FROM records r WHERE (r.contact, r.batch_id) < (x.contact, leap.below)
        AND (r.contact, r.batch_id) > (x.contact, 0)
      ORDER BY r.contact DESC, r.batch_id DESC LIMIT 1) r
    CROSS JOIN LATERAL (
      SELECT u.* FROM batches u WHERE (u.event_id, u.id) <= (x.event_id, r.batch_id)
        AND (u.event_id, u.id) > (x.event_id, 0)
        AND (u.origin = 'retry' OR u.split_from IS NOT NULL)
      ORDER BY u.event_id DESC, u.id DESC LIMIT 1) u
    WHERE NOT leap.found AND r.contact = x.contact AND u.event_id = x.event_id)
  SELECT FROM leap WHERE found) older""")
"""Those of the records that are newer than one of their contact which can be sent (as in `OLDEST_SENDABLE`) and lies in
a batch that records were moved to: such a batch may have a larger id than that of what was accepted after them."""

_WITH_MOVED: Final = select(Event.id).where(
    Event.id == ids("events"), exists().where(Batch.event_id == Event.id, Batch.was_moved_to())
)
"""Events with such a batch: most have none."""


def holders(pairs: Iterable[tuple[int, str]]) -> Query[Holder]:
    """Find the newest batches that hold contacts, as part of a trip."""
    facts = {"pairs": json([{"event_id": event, "contact": contact} for event, contact in pairs])}
    return Query(HOLDERS, facts, Holder)


_HOLDING: Final = (
    select(Batch.id, Batch.after)
    .where(Batch.event_id == Event.id, Batch.holds_contacts())
    .order_by(Batch.id.desc())
    .limit(LOOKED_AT)
    .lateral("holding")
)
_NEWEST_WAITING: Final = (
    select(_HOLDING.c.id, _HOLDING.c.after)
    .select_from(Event)
    .join(_HOLDING, true())
    .where(Event.id == ids("events"), _HOLDING.c.after != NOBODY)
)


def newest_waiting(events: Collection[int]) -> Query[tuple[int, list[int]]]:
    """Find what the newest of these events' batches that wait for others wait for."""
    return Query(_NEWEST_WAITING, {"events": list(events)})


def held(connection: Connection, pairs: Collection[tuple[int, str]]) -> dict[tuple[int, str], int]:
    """Find, for pairs of an event and a contact, the newest batch of the event that holds the contact."""
    rows = holders(pairs).alone(connection)
    return {(row.event_id, row.contact): row.batch_id for row in rows}


def overtaken(connection: Connection, places: Iterable[Place], *, corrections: bool = False) -> dict[int, int]:
    """Find which of these records a newer one of their contact and event has overtaken, and by which.

    With `corrections`, what took an older record's place is no newer than that was: one job may correct both, the
    older one before.
    """
    facts = {"places": _written(places), "corrections": corrections}
    return {row.overtaken: row.by for row in connection.execute(OVERTAKING, facts)}


def oldest_sendable(connection: Connection, upto: Mapping[tuple[int, str], int]) -> dict[tuple[int, str], int]:
    """Find, by event and contact, the record in the oldest batch, none later than `upto`, that can still be sent."""
    places = [{"event_id": event, "contact": contact, "upto": last} for (event, contact), last in upto.items()]
    rows = connection.execute(OLDEST_SENDABLE, {"places": json(places)})
    return {(row.event_id, row.contact): row.record_id for row in rows}


def after_sendable(connection: Connection, places: Collection[Place]) -> set[int]:
    """Find which of these records have an older one that was moved and can still be sent."""
    events = {"events": list({place.event_id for place in places})}
    moved = set(connection.execute(_WITH_MOVED, events).scalars())
    few = [place for place in places if place.event_id in moved]
    return set(connection.execute(AFTER_SENDABLE, {"places": _written(few)}).scalars()) if few else set()


def _written(places: Iterable[Place]) -> str:
    return json([{"event_id": event, "contact": contact, "record_id": id_} for event, contact, id_ in places])
