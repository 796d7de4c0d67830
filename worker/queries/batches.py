"""Batches: those of a filter, and one with its attempts and records."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine, text

from models.outcome import LAST_ERROR, OUTCOME
from models.words import State, Status
from worker.queries.events import list_events
from worker.queries.rows import EVENT, Row, read

NEWEST: Final = 2**63 - 1
OUT_OF_TURN: Final = timedelta(minutes=5)
"""A batch's time is its transaction's, and none takes so long: by no more are ids and times in different orders."""


@dataclass(frozen=True, slots=True)
class BatchFilter:
    """Which batches to list; of `walk` batches at most, counted from the newest one in question."""

    status: Status | None = None
    state: State | None = None
    event: str | None = None
    account: str | None = None
    errors: bool = False
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    limit: int = 20
    walk: int | None = None


def list_batches(engine: Engine, chosen: BatchFilter) -> list[Row]:
    """List batches, the newest first; `before` continues where a list ended."""
    conditions = {
        "b.state = :state": chosen.state,
        "a.name = :account": chosen.account,
        "EXISTS (SELECT FROM errors e WHERE e.batch_id = b.id AND e.resolution IS NULL)": chosen.errors or None,
        "b.created_at >= :since": chosen.since,
        "b.created_at < :until": chosen.until,
    }
    where = " AND ".join(condition for condition, value in conditions.items() if value is not None) or "true"
    with engine.connect() as connection:
        return read(
            connection,
            f"""
            SELECT b.id, a.name AS account, b.event_id, {EVENT}, b.state, b.identity, b.origin, b.status, b.size,
              b.attempts, (SELECT count(*) FROM attempts t WHERE t.batch_id = b.id) AS calls,
              b.claims, b.due_at, b.postponed_because, b.after, b.created_at, b.settled_at,
              (SELECT count(*) FROM errors e WHERE e.batch_id = b.id AND e.resolution IS NULL) AS errors
            FROM ({_walked(connection, chosen)}) b JOIN accounts a ON a.id = b.account_id
            JOIN events ev ON ev.id = b.event_id WHERE {where} ORDER BY b.id DESC LIMIT :limit""",
            **_walk(connection, chosen),
            since=chosen.since,
            until=chosen.until,
            state=chosen.state,
            account=chosen.account,
            limit=chosen.limit,
        )


def further_batches(engine: Engine, chosen: BatchFilter, found: Sequence[Row]) -> int | None:
    """Give the `before` with which to go on listing batches; none where the list is at its end."""
    if len(found) == chosen.limit:
        return int(found[-1]["id"])
    if chosen.walk is None:
        return None
    with engine.connect() as connection:
        counted = f"SELECT count(*) AS number, min(id) AS oldest FROM ({_walked(connection, chosen)}) b"
        walked = connection.execute(text(counted), _walk(connection, chosen)).one()
    return walked.oldest if walked.number == chosen.walk else None


def _walked(connection: Connection, chosen: BatchFilter) -> str:
    """Give the SQL of the batches that are looked at, the newest first, by the index of their status or event."""
    conditions = ["b.id >= :first AND b.id < :before"]
    if chosen.status is not None:
        conditions.append("b.status = :status")
    if chosen.event is None:
        return f"SELECT * FROM batches b WHERE {' AND '.join(conditions)} ORDER BY b.id DESC LIMIT :walk"
    named = list_events(connection, chosen.event)
    return f"""
    SELECT b.* FROM unnest(CAST(ARRAY[{",".join(str(row["id"]) for row in named)}] AS bigint[])) x(id)
    CROSS JOIN LATERAL (
      SELECT * FROM batches b WHERE b.event_id = x.id AND {" AND ".join(conditions)} ORDER BY b.id DESC LIMIT :walk) b
    ORDER BY b.id DESC LIMIT :walk"""


def _walk(connection: Connection, chosen: BatchFilter) -> Row:
    before = NEWEST if chosen.before is None else chosen.before
    if chosen.until is not None:
        before = min(before, _first_of(connection, chosen.until, OUT_OF_TURN))
    first = 0 if chosen.since is None else _first_of(connection, chosen.since, -OUT_OF_TURN)
    return {"first": first, "before": before, "status": chosen.status, "walk": chosen.walk}


def _first_of(connection: Connection, moment: datetime, later: timedelta) -> int:
    """Give the first id from so much later than a moment on; found by halving, as no index is by time."""
    low, high = 0, int(connection.execute(text("SELECT coalesce(max(id), 0) + 1 FROM batches")).scalar_one())
    halved = text("SELECT id, created_at FROM batches WHERE id >= :middle ORDER BY id LIMIT 1")
    while low < high:
        row = connection.execute(halved, {"middle": (middle := (low + high) // 2)}).one_or_none()
        if row is None or row.created_at - moment >= later:
            high = middle
        else:
            low = row.id + 1
    return high


def find_batch(engine: Engine, batch_id: int, limit: int = 1_000, after: int = -1) -> Row | None:
    """Show one batch with its attempts, and its records behind a position with their outcomes and last errors."""
    with engine.connect() as connection:
        found = read(
            connection,
            f"""
            SELECT b.*, a.name AS account, {EVENT}, ev.object_id, ev.external_event_id, ev.external_account_id,
              a.hubspot_version FROM batches b JOIN accounts a ON a.id = b.account_id
            JOIN events ev ON ev.id = b.event_id WHERE b.id = :id""",
            id=batch_id,
        )
        if not found:
            return None
        shown = {name: value for name, value in found[0].items() if name not in {"lease_token", "contact_ids"}}
        return {
            **shown,
            "timeline": read(
                connection, "SELECT * FROM attempts WHERE batch_id = :id ORDER BY id LIMIT 200", id=batch_id
            ),
            "records": read(
                connection,
                f"""
                SELECT r.id, r.position, r.contact, r.input, {OUTCOME} AS outcome, e.category, e.code, e.message,
                  e.resolution
                FROM records r JOIN batches b ON b.id = r.batch_id {LAST_ERROR}
                WHERE r.batch_id = :id AND r.position > :after ORDER BY r.position LIMIT :limit""",
                id=batch_id,
                after=after,
                limit=limit,
            ),
        }
