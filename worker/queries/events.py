"""Events: those of a name, and one with what became of its records."""

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, func, select, text, true

from models.outcome import LastError, of_batch, outcome
from models.tables import Account, Batch, Event, Record
from models.words import Outcome, State
from worker.database import rows_as
from worker.queries.error_filter import OPEN
from worker.queries.waiting import Waiting, of_event


@dataclass(frozen=True, slots=True)
class EventSummary:
    """An event of an account, by the name that people call it."""

    id: int
    event: str
    account: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class EventDetail(EventSummary):
    """An event with what became of its records."""

    states: dict[str, dict[str, int]]
    """By state: its `records`, these by outcome, and how many are `missing`."""
    all: bool
    """Whether these are all of its records."""
    waiting: list[Waiting]
    """Why those that wait do."""


_EVENTS: Final = select(Event.id, Event.label().label("event"), Account.name.label("account"), Event.created_at).join(
    Account, Account.id == Event.account_id
)


def list_events(
    connection: Connection, named: str | None = None, before: int | None = None, limit: int = 100
) -> list[EventSummary]:
    """List events, the newest first, or those that people name so."""
    listed = _EVENTS.order_by(Event.id.desc()).limit(limit)
    if named is not None:
        listed = listed.where(Event.named(named))
    if before is not None:
        listed = listed.where(Event.id < before)
    return rows_as(EventSummary, connection.execute(listed))


_COUNTED: Final = text("""
WITH walked AS MATERIALIZED (
  SELECT id, state, status, size, (SELECT count(*) FROM errors e WHERE e.batch_id = b.id) AS errors
  FROM batches b WHERE event_id = :id ORDER BY id DESC LIMIT :walk),
few AS MATERIALIZED (
  SELECT * FROM (SELECT *, sum(errors) OVER (ORDER BY id DESC) - errors AS before FROM walked) b
  WHERE before < :errors)
SELECT state, status, NULL AS outcome, count(*) AS batches, sum(size)::bigint AS records,
  (SELECT count(*) FROM walked) AS walked
FROM few GROUP BY 1, 2
UNION ALL
SELECT b.state, b.status, CASE WHEN e.resolution = 'confirmed' THEN 'delivered' ELSE e.outcome END, 0, count(*), 0
FROM (SELECT * FROM few WHERE errors > 0 OFFSET 0) b CROSS JOIN LATERAL (
  SELECT DISTINCT ON (e.record_id) e.* FROM errors e WHERE e.batch_id = b.id ORDER BY e.record_id, e.id DESC) e
CROSS JOIN LATERAL (SELECT FROM records r WHERE r.id = e.record_id AND r.batch_id = b.id OFFSET 0) r
GROUP BY 1, 2, 3""")
"""An event's newest `walk` batches, as far as they hold no more than `errors` errors: by state and status how many
batches and records, then, with an outcome, how many of these records have an error that says so.

As `models.outcome` has it, the other way round: from the few that have an error."""


def find_event(engine: Engine, event_id: int, walk: int = 3_000, errors: int = 4_000) -> EventDetail | None:
    """Show an event: its records by state and outcome, of its newest `walk` batches, and no more than `errors` errors.

    `missing` are those that HubSpot should have and, as far as we know, has not: neither delivered, nor waiting, nor
    canceled.
    """
    with engine.connect() as connection:
        found = rows_as(EventSummary, connection.execute(_EVENTS.where(Event.id == event_id)))
        if not found:
            return None
        rows = connection.execute(_COUNTED, {"id": event_id, "walk": walk, "errors": errors}).all()
        waiting = of_event(connection, event_id)
    sizes = [row for row in rows if row.outcome is None]
    outcomes: dict[str, Counter[str]] = {state.value: Counter() for state in State}
    for row in sizes:
        outcomes[row.state][of_batch(row.status)] += row.records
    for row in rows:
        if row.outcome is not None:
            outcomes[row.state][of_batch(row.status)] -= row.records
            outcomes[row.state][row.outcome] += row.records
    counted = sum(row.batches for row in sizes)
    states = {
        state: {
            "records": sum(counts.values()),
            **{one.value: counts[one.value] for one in Outcome},
            "missing": sum(counts[one] for one in OPEN),
        }
        for state, counts in outcomes.items()
    }
    everything = counted < walk and all(row.walked == counted for row in sizes)
    return EventDetail(**asdict(found[0]), states=states, all=everything, waiting=waiting)


def outcomes_by_event(engine: Engine) -> dict[tuple[str, str], Counter[str]]:
    """Count the records by outcome, per event and state; it may scan, as the audit does."""
    counted = (
        select(Event.label().label("event"), Batch.state, outcome.label("outcome"), func.count().label("records"))
        .select_from(Record)
        .join(Batch, Batch.id == Record.batch_id)
        .outerjoin(LastError, true())
        .join(Event, Event.id == Batch.event_id)
        .group_by("event", Batch.state, outcome)
    )
    counts: dict[tuple[str, str], Counter[str]] = {}
    with engine.connect() as connection:
        for event, state, one, records in connection.execute(counted):
            counts.setdefault((event, state), Counter())[one] += records
    return counts
