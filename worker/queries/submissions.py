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

_OF_A_PART: Final = """
SELECT m.*, false AS duplicate FROM records m WHERE m.submission_id = s.id
UNION ALL SELECT m.*, true FROM records m WHERE m.id = ANY(s.repeated) AND NOT EXISTS (
  SELECT FROM submissions own WHERE own.id = m.submission_id AND own.submission = s.submission) OFFSET 0"""

_MEMBERS: Final = f"""
FROM submissions s CROSS JOIN LATERAL ({_OF_A_PART}) r
JOIN batches b ON b.id = r.batch_id {LAST_ERROR}"""

_WALKED: Final = f"""
FROM (
  SELECT r.*, s.id AS part_id FROM (
    SELECT * FROM submissions WHERE submission = :submission AND id >= :part ORDER BY id) s
  CROSS JOIN LATERAL ({_OF_A_PART}) r WHERE (s.id, r.id) > (:part, :record) ORDER BY s.id, r.id LIMIT :walk) r
CROSS JOIN LATERAL (SELECT * FROM batches WHERE id = r.batch_id OFFSET 0) b {LAST_ERROR}"""
"""The first `:walk` of them behind a cursor, in the order of acceptance: part by part, each record by its keys."""


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


def summary(connection: Connection, submission: UUID, most: int = MANY) -> dict[str, Any] | None:
    """Say what was accepted, refused and what became of it; none where nothing of it was accepted yet.

    `outcomes` counts its first `most` records, each once; `all` says whether there are no more. Where there are, and
    all of these are settled, its newest are looked at too, which are settled last.
    """
    receipt = connection.execute(
        text("""
        SELECT count(*) AS parts, min(received_at) AS received_at, min(producer) AS producer, min(door) AS door,
          array_agg(DISTINCT account_id) AS account_ids, array_agg(DISTINCT producer) AS producers,
          sum(accepted)::bigint AS accepted,
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
          SELECT {OUTCOME} AS outcome, b.settled_at {_WALKED}) few
        GROUP BY outcome ORDER BY outcome"""),
        {"submission": submission, "part": 0, "record": 0, "walk": most},
    ).all()
    everything = sum(row.records for row in outcomes) < most
    unsettled = [row.outcome for row in outcomes if row.outcome in {"pending", "processing"}]
    if not everything and not unsettled:
        unsettled = _newest_unsettled(connection, submission, most // 10)
    settled = [row.settled_at for row in outcomes if row.settled_at]
    return {
        "submission": submission,
        **receipt._mapping,  # noqa: SLF001 - its public name
        "status": Status(max(unsettled).upper()) if unsettled else Status.COMPLETE,
        "completed_at": None if unsettled else max(settled, default=receipt.received_at),
        "outcomes": {row.outcome: row.records for row in outcomes},
        "all": everything,
    }


def _newest_unsettled(connection: Connection, submission: UUID, most: int) -> list[str]:
    """Say which outcomes its newest records have that wait for their answer."""
    rows = connection.execute(
        text("""
        SELECT DISTINCT lower(b.status) FROM (
          SELECT m.batch_id FROM (SELECT id FROM submissions WHERE submission = :submission ORDER BY id DESC) s
          CROSS JOIN LATERAL (SELECT id, batch_id FROM records WHERE submission_id = s.id OFFSET 0) m
          ORDER BY s.id DESC, m.id DESC LIMIT :most) m
        CROSS JOIN LATERAL (
          SELECT status FROM batches WHERE id = m.batch_id AND status IN ('PENDING', 'PROCESSING') OFFSET 0) b"""),
        {"submission": submission, "most": most},
    )
    return list(rows.scalars())


def records(
    connection: Connection, submission: UUID, after: Cursor, limit: int, walk: int | None = None
) -> list[dict[str, Any]]:
    """List its records, in the order of acceptance, from a cursor on; each with its outcome and its last error.

    Given a `walk`, only those that are not delivered, of so many that are looked at.
    """
    rows = connection.execute(
        text(f"""
        SELECT r.part_id, r.id, r.contact, r.input, r.duplicate, r.batch_id, b.account_id, b.state, b.identity,
          b.status, b.settled_at, {EVENT} AS event, {OUTCOME} AS outcome, e.category, e.code, e.message, e.context,
          e.resolution, e.created_at AS error_at,
          {CONTACT_ID} AS contact_id
        {_WALKED} JOIN events ev ON ev.id = b.event_id WHERE {"true" if walk is None else f"{OUTCOME} <> 'delivered'"}
        ORDER BY r.part_id, r.id LIMIT :limit"""),
        {
            "submission": submission,
            "part": after.part,
            "record": after.record,
            "limit": limit,
            "walk": limit if walk is None else walk,
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
