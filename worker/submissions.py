"""What became of a submission: its receipt, and its records page by page, each read by an index and bounded.

Its records are those it stored, each once, and those of earlier submissions that its duplicates repeat, once a part.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

from models.outcome import LAST_ERROR, OUTCOME
from models.words import Status

MANY: Final = 100_000
"""Beyond it a count says only «more than»."""
EVENT: Final = "coalesce(ev.object_id, ev.external_account_id || '/' || ev.external_event_id)"

CONTACT_ID: Final = """
coalesce(CASE WHEN b.identity = 'vid' AND r.contact ~ '^[0-9]+$' THEN r.contact::bigint END,
  b.contact_ids[r.position + 1],
  CASE WHEN e.context #>> '{seen,0,contactId}' ~ '^[0-9]{1,18}$'
    THEN (e.context #>> '{seen,0,contactId}')::bigint END)"""
"""HubSpot's id of the contact of a record `r`, as far as an answer or a read-back told it."""

_MEMBERS: Final = f"""
FROM submissions s CROSS JOIN LATERAL (
  SELECT m.*, false AS duplicate FROM records m WHERE m.submission_id = s.id
  UNION ALL SELECT m.*, true FROM records m WHERE m.id = ANY(s.repeated) AND NOT EXISTS (
    SELECT FROM submissions own WHERE own.id = m.submission_id AND own.submission = s.submission) OFFSET 0) r
JOIN batches b ON b.id = r.batch_id {LAST_ERROR}"""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the receipt's number and the record's."""

    part: int = 0
    record: int = 0

    def __str__(self) -> str:
        """Write it as a link carries it."""
        return f"{self.part}-{self.record}"

    @classmethod
    def read(cls, written: str) -> "Cursor | None":
        """Read it; none where it is no cursor."""
        part, dash, record = written.partition("-")
        if dash and all(number.isdecimal() and number.isascii() and len(number) < 19 for number in (part, record)):  # noqa: PLR2004 - a bigint
            return cls(int(part), int(record))
        return None


def summary(connection: Connection, submission: UUID) -> dict[str, Any] | None:
    """Say what was accepted, refused and what became of it; none where nothing of it was accepted yet.

    `outcomes` counts its records, each once, no further than just beyond `MANY`.
    """
    receipt = connection.execute(
        text("""
        SELECT count(*) AS parts, min(received_at) AS received_at, min(producer) AS producer, min(door) AS door,
          array_agg(DISTINCT account_id) AS account_ids, sum(accepted)::bigint AS accepted,
          sum(duplicates)::bigint AS duplicates, sum(refused)::bigint AS refused,
          sum(records_purged)::bigint AS purged
        FROM submissions WHERE submission = :submission"""),
        {"submission": submission},
    ).one()
    if not receipt.parts:
        return None
    outcomes = connection.execute(
        text(f"""
        SELECT outcome, count(*) AS records, max(settled_at) AS settled_at FROM (
          SELECT {OUTCOME} AS outcome, b.settled_at {_MEMBERS} WHERE s.submission = :submission LIMIT {MANY + 1}) few
        GROUP BY outcome ORDER BY outcome"""),
        {"submission": submission},
    ).all()
    unsettled = [row.outcome for row in outcomes if row.outcome in {"pending", "processing"}]
    settled = [row.settled_at for row in outcomes if row.settled_at]
    return {
        "submission": submission,
        **receipt._mapping,  # noqa: SLF001 - its public name
        "status": Status(max(unsettled).upper()) if unsettled else Status.COMPLETE,
        "completed_at": None if unsettled else max(settled, default=receipt.received_at),
        "outcomes": {row.outcome: row.records for row in outcomes},
    }


def records(
    connection: Connection, submission: UUID, after: Cursor, limit: int, *, undelivered: bool = False
) -> list[dict[str, Any]]:
    """List its records, in the order of acceptance, from a cursor on; each with its outcome and its last error."""
    rows = connection.execute(
        text(f"""
        SELECT s.id AS part_id, r.id, r.contact, r.input, r.duplicate, r.batch_id, b.account_id, b.state, b.identity,
          b.status, b.settled_at, {EVENT} AS event, {OUTCOME} AS outcome, e.category, e.code, e.message, e.context,
          e.resolution, e.created_at AS error_at,
          {CONTACT_ID} AS contact_id
        {_MEMBERS} JOIN events ev ON ev.id = b.event_id
        WHERE s.submission = :submission AND s.id >= :part AND (s.id, r.id) > (:part, :record)
          AND (NOT :undelivered OR {OUTCOME} <> 'delivered')
        ORDER BY s.id, r.id LIMIT :limit"""),
        {
            "submission": submission,
            "part": after.part,
            "record": after.record,
            "limit": limit,
            "undelivered": undelivered,
        },
    )
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - its public name


def refusals(connection: Connection, submission: UUID, after: int, limit: int) -> list[dict[str, Any]]:
    """List what of it was refused, with the reasons, from a number on."""
    rows = connection.execute(
        text("""
        SELECT f.id, f.inputs, f.reasons, f.raw, f.replayed_at
        FROM submissions s JOIN refused f ON f.submission_id = s.id
        WHERE s.submission = :submission AND f.id > :after ORDER BY f.id LIMIT :limit"""),
        {"submission": submission, "after": after, "limit": limit},
    )
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - its public name


def failing(connection: Connection, asked: Collection[UUID]) -> Sequence[UUID]:
    """Say which of these submissions have a record that was rejected or has failed."""
    rows = connection.execute(
        text(f"""
        SELECT x.id FROM unnest(CAST(:asked AS uuid[])) x(id) WHERE EXISTS (
          SELECT {_MEMBERS} WHERE s.submission = x.id AND {OUTCOME} IN ('rejected', 'failed'))"""),
        {"asked": list(asked)},
    )
    return list(rows.scalars())


def settled(connection: Connection, asked: Collection[UUID]) -> Sequence[UUID]:
    """Say which of these submissions have no record left that waits for its answer."""
    rows = connection.execute(
        text("""
        SELECT x.id FROM unnest(CAST(:asked AS uuid[])) x(id) WHERE NOT EXISTS (
          SELECT FROM submissions s CROSS JOIN LATERAL (
            SELECT m.batch_id FROM records m WHERE m.submission_id = s.id
            UNION ALL SELECT m.batch_id FROM records m WHERE m.id = ANY(s.repeated) OFFSET 0) r
          JOIN batches b ON b.id = r.batch_id WHERE s.submission = x.id AND b.status IN ('PENDING', 'PROCESSING'))"""),
        {"asked": list(asked)},
    )
    return list(rows.scalars())
