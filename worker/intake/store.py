"""Storing new records with their batch.

The caller holds the lock of their events, and every statement here is later than that lock.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from models.batching import Group, Newcomer, Planned, plan, without_implied
from models.input_check import Candidate
from models.tables import BATCH_IDS, RECORD_IDS
from models.words import Identity, Origin, State
from worker.database import draw, drawn, json
from worker.intake.receipts import Part
from worker.queue.contact_index import holders, newest_waiting
from worker.trip import Query, trip


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A new record on its way in."""

    part: Part
    group: Group
    candidate: Candidate
    fingerprint: bytes
    corrects: int | None = None


def store(
    connection: Connection, fresh: Sequence[NewRecord], sizes: Mapping[int, int], linger: float, origin: Origin
) -> list[int]:
    """Store new records, given in the order of acceptance, in batches, and name these.

    `sizes` are the records in a batch, at most, by event; `linger` is in seconds. The caller tells the lanes, last of
    all.
    """
    filled: list[int] = []
    for size in set(sizes.values()):  # as a rule one
        mine = [one for one in fresh if sizes[one.group.event_id] == size]
        filled += _store(connection, mine, size, linger, origin)
    return filled


def _store(
    connection: Connection, fresh: Sequence[NewRecord], batch_size: int, linger: float, origin: Origin
) -> list[int]:
    if not fresh:
        return []
    newcomers = [Newcomer(one.group, one.candidate.contact) for one in fresh]
    groups = Counter(newcomer.group for newcomer in newcomers)
    held, found, batch_numbers, numbers = trip(
        connection,
        holders({(group.event_id, contact) for group, contact in newcomers}),
        _open(groups if origin is Origin.LIVE else ()),
        drawn(BATCH_IDS, sum(-(-number // batch_size) for number in groups.values())),  # more, where contacts recur
        drawn(RECORD_IDS, len(fresh)),
    )
    held_by = {(event_id, contact): batch_id for event_id, contact, batch_id in held.rows}
    begins = {batch.id: batch.positions for batch in found.rows}
    planned = plan(newcomers, held_by, [batch.planned(batch_size) for batch in found.rows], batch_size)
    if waits_for_several := {batch.group.event_id for batch in planned if len(batch.after) > 1}:
        (waiting,) = trip(connection, newest_waiting(waits_for_several))
        without_implied(planned, dict(waiting.rows))
    new = [batch.ref for batch in planned if batch.is_new]
    batch_ids = sorted(batch_numbers.rows[0].ids)
    batch_ids += draw(connection, BATCH_IDS, max(0, len(new) - len(batch_ids)))
    ids = dict(zip(new, batch_ids, strict=False))
    places = sorted(numbers.rows[0].ids)
    rows = []
    for batch in planned:
        for position, index in enumerate(batch.added, begins.get(batch.ref, 0)):
            one = fresh[index]
            rows.append(
                {
                    "id": places[index],
                    "fingerprint": one.fingerprint.hex(),
                    "batch_id": ids.get(batch.ref, batch.ref),
                    "position": position,
                    "submission_id": one.part.id,
                    "contact": one.candidate.contact,
                    "input": one.candidate.input,
                    "corrects": one.corrects,
                }
            )
    stored_records = Query(_STORE_RECORDS, {"rows": json(rows)})
    batches, records = trip(connection, _batches(planned, ids, linger, origin), stored_records)
    if records.count != len(rows):
        # Known fingerprints were looked up under the events' locks: only a bug makes one appear since.
        raise RuntimeError(f"of {len(rows)} new records {records.count} were stored: nothing was accepted")
    stored = {batch_id: (first, is_due) for batch_id, first, is_due in batches.rows}
    for batch in planned:
        first, is_due = stored[ids.get(batch.ref, batch.ref)]
        if first != begins.get(batch.ref, 0):
            raise RuntimeError("a batch grew while it was locked: nothing was accepted")
        if is_due:
            for index in batch.added:
                fresh[index].part.is_due = True
    return list(stored)


_STORE_RECORDS: Final = text("""
INSERT INTO records (id, fingerprint, batch_id, position, submission_id, contact, input, corrects)
SELECT id, decode(fingerprint, 'hex'), batch_id, position, submission_id, contact, input, corrects
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(id bigint, fingerprint text, batch_id bigint, position int,
  submission_id bigint, contact text, input jsonb, corrects bigint)
ORDER BY fingerprint ON CONFLICT DO NOTHING""")
"""Stores records, by fingerprint: two transactions that insert unsorted deadlock on the unique index."""


_OPEN: Final = text("""
SELECT b.id, b.event_id, b.state, b.identity, b.size, b.after, b.positions
FROM unnest(CAST(:events AS bigint[]), CAST(:states AS text[]), CAST(:identities AS text[]))
  k(event_id, state, identity)
CROSS JOIN LATERAL (
  SELECT * FROM batches b
  WHERE b.open AND (b.event_id, b.state, b.identity) = (k.event_id, k.state, k.identity)
  ORDER BY b.id LIMIT 4 FOR UPDATE SKIP LOCKED) b""")
"""Locks the open batches of each group, a few at most; the next record's position in each comes last."""


def _open(groups: Collection[Group]) -> Query["_OpenBatch"]:
    """Lock the open batches that records of these groups could join."""
    facts = {
        "events": [group.event_id for group in groups],
        "states": [group.state for group in groups],
        "identities": [group.identity for group in groups],
    }
    return Query(_OPEN, facts, _OpenBatch)


class _OpenBatch(NamedTuple):
    """An open batch, locked."""

    id: int
    event_id: int
    state: str
    identity: str
    size: int
    after: list[int]
    positions: int

    def planned(self, batch_size: int) -> Planned:
        """Give it as a plan begins with it."""
        group = Group(self.event_id, State(self.state), Identity(self.identity))
        return Planned(self.id, group, max(0, batch_size - self.size), set(self.after))


_STORE_BATCHES: Final = text("""
WITH x AS MATERIALIZED (
  SELECT x.*, ARRAY(SELECT jsonb_array_elements_text(x.after)::bigint) AS waits, e.account_id
  FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(id bigint, event_id bigint, state text, identity text,
    added int, "full" boolean, after jsonb, is_new boolean)
  JOIN events e ON e.id = x.event_id),
grown AS (
  UPDATE batches b SET size = b.size + x.added, positions = b.positions + x.added, open = NOT x.full,
    due_at = CASE WHEN x.full THEN least(b.due_at, now()) ELSE b.due_at END, after = x.waits
  FROM x WHERE b.id = x.id AND NOT x.is_new
  RETURNING b.id, b.positions - x.added AS first, b.due_at <= now() AS is_due),
begun AS (
  INSERT INTO batches (id, account_id, event_id, state, identity, origin, status, open, size, positions,
    after, due_at)
  SELECT x.id, x.account_id, x.event_id, x.state, x.identity, :origin, 'PENDING', NOT x.full, x.added, x.added,
    x.waits, CASE WHEN x.full THEN now() ELSE now() + :linger * interval '1 second' END
  FROM x WHERE x.is_new
  RETURNING id, 0 AS first, due_at <= now() AS is_due)
SELECT id, first, is_due FROM grown UNION ALL SELECT id, first, is_due FROM begun""")
"""Grows the open batches and inserts the new ones; gives the first new position in each, and whether it is due."""


class _StoredBatch(NamedTuple):
    """A batch that grew or was begun, and the first position that was new in it."""

    id: int
    first: int
    is_due: bool


def _batches(planned: Sequence[Planned], ids: Mapping[int, int], linger: float, origin: Origin) -> Query[_StoredBatch]:
    """Grow the open batches and insert the new ones.

    A batch that is full, or not live, is due now, one with room after the linger since it began.
    """
    rows = [
        {
            "id": ids.get(batch.ref, batch.ref),
            "event_id": batch.group.event_id,
            "state": batch.group.state,
            "identity": batch.group.identity,
            "added": len(batch.added),
            "full": not batch.room or origin is not Origin.LIVE,
            "after": sorted(ids.get(ref, ref) for ref in batch.after),
            "is_new": batch.is_new,
        }
        for batch in planned
    ]
    return Query(_STORE_BATCHES, {"rows": json(rows), "linger": linger, "origin": origin}, _StoredBatch)
