"""What became of a person's records, and of a submission's."""

from typing import Final
from uuid import UUID

from sqlalchemy import Engine

from models.advice import follows
from models.input_check import comparable
from models.outcome import LAST_ERROR, OUTCOME
from worker.queries import submissions
from worker.queries.rows import EVENT, STOPPED, Row, read
from worker.queries.submissions import Cursor

LOOKED_AT: Final = 5_000
"""Records of a submission that are looked at, at most."""


def find_submission(engine: Engine, submission_id: UUID, limit: int = 100) -> Row | None:
    """Show a submission: its receipt, its records by outcome, and the first that are not delivered or were refused.

    Its first `LOOKED_AT` records are looked at; `all` says whether there are no more.
    """
    with engine.connect() as connection:
        found = submissions.summary(connection, submission_id, LOOKED_AT)
        if found is None:
            return None
        undelivered = submissions.records(connection, submission_id, Cursor(), limit, LOOKED_AT)
        refused = submissions.refusals(connection, submission_id, 0, limit)
        notified = read(
            connection,
            """
            SELECT k.name AS key, n.stage, n.attempts, n.last_error, n.due_at FROM notifications n
            JOIN keys k ON k.id = n.key_id WHERE n.submission = :submission ORDER BY n.id""",
            submission=submission_id,
        )
    shown = ("id", "contact", "event", "state", "batch_id", "outcome", "category", "message")
    return {
        **{name: value for name, value in found.items() if name not in {"account_ids", "producers"}},
        "not_delivered": [{name: row[name] for name in shown} for row in undelivered],
        "webhooks": notified,
        "refusals": [{name: row[name] for name in ("id", "inputs", "reasons", "replayed_at")} for row in refused],
    }


HISTORY: Final = 5_000
"""Errors, and attempts, of one page of a person, at most."""


def list_records_of(engine: Engine, contact: str, limit: int = 20, before: int | None = None) -> list[Row]:
    """List a contact's records, the newest first, each with its attempts, its errors and what happens next."""
    with engine.connect() as connection:
        records = read(
            connection,
            f"""
            WITH theirs AS MATERIALIZED (SELECT id FROM records WHERE contact = :contact AND id < :before)
            SELECT r.id, r.contact, r.input, r.corrects, {submissions.CONTACT_ID} AS contact_id, a.name AS account,
              {EVENT}, b.state, {OUTCOME} AS outcome, b.id AS batch_id, b.status, b.origin, b.split_from, b.after,
              b.due_at, b.due_at <= now() AS is_due, b.postponed_because, b.settled_at, {STOPPED} AS stopped,
              s.submission, s.producer, s.door, s.received_at
            FROM (SELECT id FROM theirs ORDER BY id DESC LIMIT :limit) page JOIN records r USING (id)
            JOIN batches b ON b.id = r.batch_id {LAST_ERROR} JOIN accounts a ON a.id = b.account_id
            JOIN events ev ON ev.id = b.event_id JOIN submissions s ON s.id = r.submission_id ORDER BY r.id DESC""",
            contact=comparable(contact),
            before=2**63 - 1 if before is None else before,
            limit=limit,
        )
        history = read(
            connection,
            f"SELECT * FROM errors WHERE record_id = ANY(:ids) ORDER BY id LIMIT {HISTORY}",
            ids=[record["id"] for record in records],
        )
        for record in records:
            record["errors"] = [error for error in history if error["record_id"] == record["id"]]
            present = [error for error in record["errors"] if error["batch_id"] == record["batch_id"]]
            record["next"] = follows({**record, "error": present[-1] if present else None})
            record["batches"] = sorted({record["batch_id"], *(error["batch_id"] for error in record["errors"])})
        calls = read(
            connection,
            f"SELECT * FROM attempts WHERE batch_id = ANY(:ids) ORDER BY id LIMIT {HISTORY}",
            ids=list({id_ for record in records for id_ in (*record["batches"], record["split_from"]) if id_}),
        )
    for record in records:
        its = {*record["batches"], record["split_from"]}
        record["attempts"] = [call for call in calls if call["batch_id"] in its]
    return records
