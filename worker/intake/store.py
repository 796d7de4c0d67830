"""Storing new records with their batch.

The caller holds the lock of their events, and every statement here is later than that lock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from models.batching import Group, Newcomer, Planned, plan
from models.input_check import Candidate
from models.tables import BATCH_IDS, RECORD_IDS
from models.words import Identity, Origin, State
from worker.database import draw, json
from worker.intake.receipts import Part
from worker.queue.contact_index import held


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
    held_by = held(connection, {(newcomer.group.event_id, newcomer.contact) for newcomer in newcomers})
    with_room = _open(connection, newcomers, batch_size) if origin is Origin.LIVE else []
    planned = plan(newcomers, held_by, with_room, batch_size)
    new = [batch.ref for batch in planned if batch.is_new]
    ids = dict(zip(new, draw(connection, BATCH_IDS, len(new)), strict=True))
    first_positions = _store_batches(connection, planned, ids, linger, origin)
    places = draw(connection, RECORD_IDS, len(fresh))
    rows = []
    for batch in planned:
        batch_id = ids.get(batch.ref, batch.ref)
        for position, index in enumerate(batch.added, first_positions[batch_id]):
            one = fresh[index]
            rows.append(
                {
                    "id": places[index],
                    "fingerprint": one.fingerprint.hex(),
                    "batch_id": batch_id,
                    "position": position,
                    "submission_id": one.part.id,
                    "contact": one.candidate.contact,
                    "input": one.candidate.input,
                    "corrects": one.corrects,
                }
            )
    _store_records(connection, rows)
    return list(first_positions)


_STORE_RECORDS: Final = text("""
INSERT INTO records (id, fingerprint, batch_id, position, submission_id, contact, input, corrects)
SELECT id, decode(fingerprint, 'hex'), batch_id, position, submission_id, contact, input, corrects
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(id bigint, fingerprint text, batch_id bigint, position int,
  submission_id bigint, contact text, input jsonb, corrects bigint)
ORDER BY fingerprint ON CONFLICT DO NOTHING""")
"""Stores records, by fingerprint: two transactions that insert unsorted deadlock on the unique index."""


def _store_records(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    stored = connection.execute(_STORE_RECORDS, {"rows": json(rows)}).rowcount
    if stored != len(rows):
        # Known fingerprints were looked up under the events' locks: only a bug makes one appear since.
        raise RuntimeError(f"of {len(rows)} new records {stored} were stored: nothing was accepted")


_OPEN: Final = text("""
SELECT b.id, b.event_id, b.state, b.identity, b.size, b.after
FROM unnest(CAST(:events AS bigint[]), CAST(:states AS text[]), CAST(:identities AS text[]))
  k(event_id, state, identity)
CROSS JOIN LATERAL (
  SELECT * FROM batches b
  WHERE b.open AND (b.event_id, b.state, b.identity) = (k.event_id, k.state, k.identity)
  ORDER BY b.id LIMIT 4 FOR UPDATE SKIP LOCKED) b""")
"""Locks the open batches of each group, a few at most."""


def _open(connection: Connection, newcomers: Sequence[Newcomer], batch_size: int) -> list[Planned]:
    """Lock the open batches that these newcomers could join."""
    groups = list({newcomer.group for newcomer in newcomers})
    rows = connection.execute(
        _OPEN,
        {
            "events": [group.event_id for group in groups],
            "states": [group.state for group in groups],
            "identities": [group.identity for group in groups],
        },
    )
    return [
        Planned(
            row.id,
            Group(row.event_id, State(row.state), Identity(row.identity)),
            max(0, batch_size - row.size),
            set(row.after),
        )
        for row in rows
    ]


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
  RETURNING b.id, b.positions - x.added AS first),
begun AS (
  INSERT INTO batches (id, account_id, event_id, state, identity, origin, status, open, size, positions,
    after, due_at)
  SELECT x.id, x.account_id, x.event_id, x.state, x.identity, :origin, 'PENDING', NOT x.full, x.added, x.added,
    x.waits, CASE WHEN x.full THEN now() ELSE now() + :linger * interval '1 second' END
  FROM x WHERE x.is_new
  RETURNING id, 0 AS first)
SELECT id, first FROM grown UNION ALL SELECT id, first FROM begun""")
"""Grows the open batches and inserts the new ones; gives the first new position in each."""


def _store_batches(
    connection: Connection, planned: Sequence[Planned], ids: dict[int, int], linger: float, origin: Origin
) -> dict[int, int]:
    """Grow the open batches and insert the new ones; give each one's first new position.

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
    stored = connection.execute(_STORE_BATCHES, {"rows": json(rows), "linger": linger, "origin": origin})
    return {row.id: row.first for row in stored}
