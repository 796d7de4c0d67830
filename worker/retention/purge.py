"""Purge: what was settled longer ago than the retention goes, a little at a time, and stays in the books.

Each step is one short transaction that finds its rows by an index: the next old batches, of which those go that need
not stay (`retain`), or the oldest of what is no batch's (`delete`). What waits is never purged, nor a job that runs.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Engine,
    Interval,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    tuple_,
    update,
)

from models.tables import Batch, Error, Purged, Refused, fixed, ids
from models.words import Status
from worker import failures
from worker.context import Context
from worker.database import repeat, rows_as
from worker.failures import Verb
from worker.log import get_logger
from worker.operations.audit_log import Actor, noted
from worker.queue.locks import lock_events
from worker.retention import delete, retain, ungrouped
from worker.retention.delete import Counts

log = get_logger(__name__)

MOST_BATCHES: Final = 50
"""Batches that one transaction looks at; fewer where they hold `delete.MOST_RECORDS`."""
SOON: Final = timedelta(seconds=1)
"""Until the sweep's next purge where this one found something."""
LATER: Final = timedelta(minutes=10)
"""Until it begins again where it came to an end."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Nothing is older."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far batches were looked at, in the order in which they were settled; without a value, not yet at all."""

    settled_at: datetime = EPOCH
    batch_id: int = 0


@dataclass(frozen=True, slots=True)
class OldBatch:
    """A batch that was settled before the retention."""

    id: int
    event_id: int
    size: int
    settled_at: datetime


AFTER_BATCHES: Final = (delete.refused, delete.read_backs, delete.receipts, delete.jobs, delete.actions)
"""What goes by its own age, in this order: a receipt after what is left of it, a job's action with the job."""


def purge(engine: Engine, days: float) -> Counts:
    """Purge all that was settled more than so many days ago."""
    return _purge(engine, _cutoff(engine, days))


def purge_by_hand(engine: Engine, by: Actor, days: float) -> Counts:
    """Purge, and note who did: after the moment from which on things stay, so that this stays too."""
    cutoff = _cutoff(engine, days)
    with noted(engine, by, "purge", older_than_days=days) as action:
        gone = _purge(engine, cutoff)
        action.number = gone.records + gone.refused
    return gone


def _purge(engine: Engine, cutoff: datetime) -> Counts:
    total = Counts()
    while gone := _purge_batches(engine, cutoff):  # again: what kept something may have gone after it
        total += gone
    for step in AFTER_BATCHES:
        while gone := _run(step, engine, cutoff):
            total += gone
    return total


def _purge_batches(engine: Engine, cutoff: datetime) -> Counts:
    """Look once at all old batches."""
    total = Counts()
    reached: Reached | None = Reached()
    while reached is not None:
        gone, reached = _next_batches(engine, cutoff, reached)
        total += gone
    return total


def preview(engine: Engine, days: float) -> Counts:
    """Count what a purge would delete first: batches, records and refused inputs; the rest goes with them."""
    cutoff = _cutoff(engine, days)
    total, reached = Counts(), Reached()
    with engine.connect() as connection:
        while found := _old(connection, cutoff, reached):
            kept = retain.must_stay(connection, [batch.id for batch in found])
            gone = [batch.size for batch in found if batch.id not in kept]
            total += Counts(batches=len(gone), records=sum(gone))
            reached = Reached(found[-1].settled_at, found[-1].id)
        after = 0
        while True:
            page = connection.execute(
                select(Refused.id, Refused.inputs, (Refused.refused_at < cutoff).label("is_old"))
                .where(Refused.id > after)
                .order_by(Refused.id)
                .limit(delete.MOST_ROWS)
            ).all()
            total += Counts(refused=sum(row.inputs for row in page if row.is_old))
            if not page or not page[-1].is_old:
                return total
            after = page[-1].id


# The sweep's

IS_DUE: Final = select(Purged.due_at <= func.now())
BEGIN: Final = (
    select(func.greatest(Purged.settled_at, EPOCH), Purged.batch_id)
    .where(Purged.due_at <= func.now())
    .with_for_update(skip_locked=True)
)


def is_due(process: Context) -> bool:
    """Say whether the sweep is to purge a little."""
    with process.engine.connect() as connection:
        return bool(connection.execute(IS_DUE).scalar())


@failures.noted(Verb.PURGE)
def purge_a_little(process: Context) -> Counts:
    """Purge one step of everything, and note where to go on; whoever finds somebody else at it does nothing."""
    engine = process.engine
    with engine.begin() as connection:
        begun = connection.execute(BEGIN).one_or_none()
        if begun is None:
            return Counts()
        connection.execute(update(Purged).values(due_at=func.now() + LATER))
    cutoff = _cutoff(engine, process.settings.retention_days)
    gone, reached = _next_batches(engine, cutoff, Reached(*begun))
    for step in AFTER_BATCHES:
        gone += _run(step, engine, cutoff)
    with engine.begin() as connection:
        grouped = ungrouped.group_some(connection)
    wait = SOON if reached is not None or gone or grouped else LATER
    there = reached or Reached()
    with engine.begin() as connection:
        connection.execute(
            update(Purged).values(due_at=func.now() + wait, settled_at=there.settled_at, batch_id=there.batch_id)
        )
    failures.forget(process, Verb.PURGE)  # also where nothing was old
    if gone:
        log.info("purged", rows=asdict(gone))
    return gone


# One step

OLD: Final = (
    select(Batch.id, Batch.event_id, Batch.size, Batch.settled_at)
    .where(
        Batch.settled_at < bindparam("cutoff"),
        tuple_(Batch.settled_at, Batch.id)
        > tuple_(bindparam("settled_at", type_=DateTime(timezone=True)), bindparam("batch_id", type_=BigInteger)),
        Batch.status.in_([fixed(Status.COMPLETE), fixed(Status.CANCELED)]),
    )
    .order_by(Batch.settled_at, Batch.id)
    .limit(MOST_BATCHES)
)
LOCK_PURGED: Final = select(Purged.id).with_for_update()
"""Lets one purge at a time write; before any other lock."""
LOCK_BATCHES: Final = select(Batch.id).where(Batch.id == ids("batches")).order_by(Batch.id).with_for_update()
LOCK_ERRORS: Final = select(Error.id).where(Error.batch_id == ids("batches")).order_by(Error.id).with_for_update()


def _cutoff(engine: Engine, days: float) -> datetime:
    with engine.connect() as connection:
        before = func.now() - literal(days) * literal_column("interval '1 day'", Interval)
        return connection.execute(select(func.greatest(before, EPOCH, type_=DateTime(timezone=True)))).scalar_one()


def _old(connection: Connection, cutoff: datetime, reached: Reached) -> list[OldBatch]:
    """List the next batches that are settled and old, as many as one step takes."""
    place = {"settled_at": reached.settled_at, "batch_id": reached.batch_id}
    few: list[OldBatch] = []
    records = 0
    for batch in rows_as(OldBatch, connection.execute(OLD, {"cutoff": cutoff, **place})):
        few.append(batch)
        records += batch.size
        if records >= delete.MOST_RECORDS:
            break
    return few


def _next_batches(engine: Engine, cutoff: datetime, reached: Reached) -> tuple[Counts, Reached | None]:
    """Delete the next batches that may go, with all that is theirs; say where to go on, none at the end."""

    def work() -> tuple[Counts, Reached | None]:
        with engine.begin() as connection:
            connection.execute(LOCK_PURGED)
            found = _old(connection, cutoff, reached)
            if not found:
                return Counts(), None
            batch_ids = [batch.id for batch in found]
            # A retry moves records out of these, and a read-back confirms them: neither while they are counted and go.
            lock_events(connection, {batch.event_id for batch in found})
            connection.execute(LOCK_BATCHES, {"batches": batch_ids})
            connection.execute(LOCK_ERRORS, {"batches": batch_ids})
            free = sorted({*batch_ids} - retain.must_stay(connection, batch_ids))
            gone = delete.batches(connection, free) if free else Counts()
            return gone, Reached(found[-1].settled_at, found[-1].id)

    return repeat(work)


def _run(step: Callable[[Connection, datetime], Counts], engine: Engine, cutoff: datetime) -> Counts:
    def work() -> Counts:
        with engine.begin() as connection:
            connection.execute(LOCK_PURGED)
            return step(connection, cutoff)

    return repeat(work)
