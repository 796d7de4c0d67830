"""What became of a claim: settled, postponed or given up. Each is one transaction, fenced by the lease's token.

The event is locked first; those that wait for the batch are looked for in a statement after that lock, since accept
may be about to commit one.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Engine, text

from hubspot.answer import Rejection, Settled
from models.moves import Move
from models.words import Origin, Outcome
from worker import lanes
from worker.claim import Claim, lock_event
from worker.database import repeat

log = logging.getLogger(__name__)

FIRST_READ: Final = 5.0
"""Seconds until what HubSpot left unconfirmed is first read back: a write is not readable at once."""


@dataclass(frozen=True, slots=True)
class Call:
    """What an attempt's row says of the call: a word for the answer, status, milliseconds, what to quote of it."""

    answer: str
    http_status: int | None
    duration_ms: int
    correlation_id: str
    excerpt: str


def settle(engine: Engine, claim: Claim, answer: Settled, call: Call | None) -> bool:
    """Settle a batch: every record has its answer. False where the lease was lost and somebody else owns it.

    Raises:
        ValueError: where the answer leaves a record out; a bug, nothing is written.

    """
    parts = (answer.delivered, answer.rejected, answer.unconfirmed)
    if sorted(index for part in parts for index in part) != list(range(len(claim.members))):
        raise ValueError(
            f"batch {claim.batch_id}: the answer does not account for each of {len(claim.members)} records"
        )
    contact_ids: list[int | None] = [None] * claim.positions
    for index, contact_id in answer.delivered.items():
        contact_ids[claim.members[index].position] = contact_id

    def work(connection: Connection) -> bool:
        if not _move(
            connection,
            claim,
            Move.SETTLE,
            "settled_at = now(), contact_ids = :contact_ids, postponed_because = ''",
            contact_ids=contact_ids,
        ):
            return False
        _store_errors(connection, claim, Outcome.REJECTED, answer.rejected)
        _store_errors(connection, claim, Outcome.UNCONFIRMED, answer.unconfirmed)
        _complete_attempt(connection, claim, call, answer)
        free(connection, claim.batch_id)
        return True

    return _in_transaction(engine, claim, work)


def postpone(engine: Engine, claim: Claim, seconds: float, because: str, call: Call | None, *, spends: bool) -> bool:  # noqa: PLR0913
    """Put a batch back: due in so many seconds, and why. `spends` an attempt where the answer was ambiguous."""

    def work(connection: Connection) -> bool:
        if not _move(
            connection,
            claim,
            Move.POSTPONE,
            """due_at = now() + :seconds * interval '1 second',
            postponed_because = :because, attempts = attempts + :spent,
            failing_since = CASE WHEN :spent > 0 THEN coalesce(failing_since, now()) ELSE failing_since END,
            stopped_before = CASE WHEN :spent = 0 OR failing_since IS NOT NULL THEN stopped_before
              ELSE (SELECT a.stopped + coalesce(now() - a.stopped_since, interval '0') FROM accounts a
                    WHERE a.id = account_id) END""",
            seconds=seconds,
            because=because,
            spent=int(spends),
        ):
            return False
        _complete_attempt(connection, claim, call)
        if claim.origin is Origin.RETRY:
            free(connection, claim.batch_id)  # while it waits, a retry holds nobody
        lanes.tell(connection, [claim.batch_id])
        return True

    return _in_transaction(engine, claim, work)


def give_up(engine: Engine, claim: Claim, because: str, call: Call | None) -> bool:
    """Give a batch up: its records have failed, and can be retried."""
    failed = Rejection("GIVEN_UP", "", because)

    def work(connection: Connection) -> bool:
        if not _move(
            connection,
            claim,
            Move.GIVE_UP,
            "settled_at = now(), attempts = attempts + 1, postponed_because = ''",
        ):
            return False
        _store_errors(connection, claim, Outcome.FAILED, dict.fromkeys(range(len(claim.members)), failed))
        _complete_attempt(connection, claim, call)
        free(connection, claim.batch_id)
        return True

    return _in_transaction(engine, claim, work)


def free(connection: Connection, batch_id: int) -> None:
    """Free those that wait for a batch, which holds its contacts no longer. The event is locked."""
    freed = connection.execute(
        text("""
        UPDATE batches SET after = array_remove(after, :id) WHERE after @> ARRAY[CAST(:id AS bigint)] AND after <> '{}'
        RETURNING id, after"""),
        {"id": batch_id},
    )
    lanes.tell(connection, [row.id for row in freed if not row.after])


def _in_transaction(engine: Engine, claim: Claim, work: Callable[[Connection], bool]) -> bool:
    def locked() -> bool:
        with engine.begin() as connection:
            lock_event(connection, claim.event_id)
            return work(connection)

    owned = repeat(locked)
    if not owned:
        log.warning("batch %d is no longer ours: its lease ran out, or the same was settled before", claim.batch_id)
    return owned


def _move(connection: Connection, claim: Claim, move: Move, assignments: str, **facts: Any) -> bool:  # noqa: ANN401 - parameters
    moved = connection.execute(
        text(f"""
        UPDATE batches SET status = {move.to}, {assignments}, lease_token = NULL, lease_until = NULL
        WHERE id = :id AND {move.guard} AND lease_token = :token"""),
        {"id": claim.batch_id, "token": claim.token, **facts},
    )
    return bool(moved.rowcount)


def _store_errors(connection: Connection, claim: Claim, outcome: Outcome, rejections: Mapping[int, Rejection]) -> None:
    if not rejections:
        return
    rows = [
        {
            "record_id": claim.members[index].id,
            "category": rejection.category,
            "code": rejection.code,
            "message": rejection.message,
            "context": rejection.context,
        }
        for index, rejection in sorted(rejections.items())
    ]
    connection.execute(
        text("""
        INSERT INTO errors (record_id, batch_id, attempt_id, outcome, category, code, message, context, verify_at)
        SELECT record_id, :batch, CAST(:attempt AS bigint), :outcome, category, code, message, context,
          now() + CAST(:first_read AS float8) * interval '1 second'
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(record_id bigint, category text, code text, message text,
          context jsonb)"""),
        {
            "batch": claim.batch_id,
            "attempt": claim.attempt_id,
            "outcome": outcome,
            "first_read": FIRST_READ if outcome is Outcome.UNCONFIRMED else None,
            "rows": orjson.dumps(rows).decode(),
        },
    )


def _complete_attempt(connection: Connection, claim: Claim, call: Call | None, answer: Settled | None = None) -> None:
    if call is None:  # nothing was called
        connection.execute(text("DELETE FROM attempts WHERE id = :id"), {"id": claim.attempt_id})
        return
    connection.execute(
        text("""
        UPDATE attempts SET finished_at = clock_timestamp(), answer = :answer, http_status = :http_status,
          duration_ms = :duration_ms, correlation_id = :correlation_id, excerpt = :excerpt,
          delivered = :delivered, rejected = :rejected, unconfirmed = :unconfirmed
        WHERE id = :id AND finished_at IS NULL"""),
        {
            "id": claim.attempt_id,
            "answer": call.answer,
            "http_status": call.http_status,
            "duration_ms": call.duration_ms,
            "correlation_id": call.correlation_id,
            "excerpt": call.excerpt,
            "delivered": len(answer.delivered) if answer else 0,
            "rejected": len(answer.rejected) if answer else 0,
            "unconfirmed": len(answer.unconfirmed) if answer else 0,
        },
    )
