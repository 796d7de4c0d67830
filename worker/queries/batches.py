"""Batches: those of a filter, and one with its attempts and records."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Select,
    bindparam,
    case,
    column,
    exists,
    func,
    literal,
    select,
    true,
)

from models.outcome import LastError, outcome
from models.tables import Account, Attempt, Batch, Error, Event, Record, fixed
from models.words import Identity, Origin, Outcome, Resolution, State, Status
from worker.database import columns_of, rows_as
from worker.queries.batch_conditions import batch_conditions
from worker.queries.events import list_events
from worker.queries.history import PastAttempt, attempts_of_batch
from worker.queries.waiting import waits_because

OUT_OF_TURN: Final = timedelta(minutes=5)
"""A batch's time is its transaction's, and none takes so long: by no more are ids and times in different orders."""
SHOWN: Final = 200
"""Attempts of a batch that are shown."""


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

    def conditions(self, batch: Any) -> Iterator[ColumnElement[bool]]:  # noqa: ANN401 - the columns of a batch
        """Give the conditions of a batch that is looked at, with its `Account`."""
        yield from batch_conditions(batch, account=self.account, state=self.state)
        if self.errors:
            yield exists().where(Error.batch_id == batch.id, Error.is_unresolved())
        if self.since is not None:
            yield batch.created_at >= self.since
        if self.until is not None:
            yield batch.created_at < self.until


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """A batch of a list."""

    id: int
    account: str
    event_id: int
    event: str
    state: State
    identity: Identity
    origin: Origin
    status: Status
    size: int
    attempts: int
    calls: int
    claims: int
    due_at: datetime
    postponed_because: str
    after: list[int]
    created_at: datetime
    settled_at: datetime | None
    stopped: str | None
    """Why its account does not send."""
    waits: str | None
    """Why it waits, where it does."""
    errors: int
    """Its unresolved ones."""

    @property
    def why(self) -> str:
        """Say why it waits: for which others, for its account, since what came back, or for its turn."""
        return _why(self)


@dataclass(frozen=True, slots=True)
class BatchMember:
    """A record of a batch, with its outcome and its last error."""

    id: int
    position: int
    contact: str
    input: Mapping[str, Any]
    outcome: Outcome
    category: str | None
    code: str | None
    message: str | None
    resolution: Resolution | None


@dataclass(frozen=True, slots=True)
class BatchDetail:
    """A batch with its attempts and records."""

    id: int
    account_id: int
    event_id: int
    state: State
    identity: Identity
    origin: Origin
    status: Status
    open: bool
    size: int
    positions: int
    after: list[int]
    due_at: datetime
    postponed_because: str
    claims: int
    attempts: int
    failing_since: datetime | None
    stopped_before: timedelta
    lease_until: datetime | None
    split_from: int | None
    created_at: datetime
    settled_at: datetime | None
    account: str
    event: str
    object_id: str | None
    external_event_id: str | None
    external_account_id: str | None
    hubspot_version: str | None
    stopped: str | None
    """Why its account does not send."""
    waits: str | None
    """Why it waits, where it does."""
    timeline: list[PastAttempt]
    records: list[BatchMember]

    @property
    def why(self) -> str:
        """Say why it waits: for which others, for its account, since what came back, or for its turn."""
        return _why(self)


def _why(batch: BatchSummary | BatchDetail) -> str:
    if batch.after:
        return f"waits for batches {', '.join(map(str, batch.after))}"
    return batch.waits or ""


def _waits(batch: Any) -> ColumnElement[str | None]:  # noqa: ANN401 - the columns of a batch
    return case((batch.status == fixed(Status.PENDING), waits_because(batch))).label("waits")


def list_batches(engine: Engine, chosen: BatchFilter) -> list[BatchSummary]:
    """List batches, the newest first; `before` continues where a list ended."""
    with engine.connect() as connection:
        batch = _walked(connection, chosen).subquery("batch").c
        unresolved = select(func.count()).where(Error.batch_id == batch.id, Error.is_unresolved())
        listed = (
            select(
                batch.id,
                Account.name.label("account"),
                batch.event_id,
                Event.label().label("event"),
                batch.state,
                batch.identity,
                batch.origin,
                batch.status,
                batch.size,
                batch.attempts,
                select(func.count()).where(Attempt.batch_id == batch.id).scalar_subquery().label("calls"),
                batch.claims,
                batch.due_at,
                batch.postponed_because,
                batch.after,
                batch.created_at,
                batch.settled_at,
                Account.stopped_because().label("stopped"),
                _waits(batch),
                unresolved.scalar_subquery().label("errors"),
            )
            .join(Account, Account.id == batch.account_id)
            .join(Event, Event.id == batch.event_id)
            .where(*chosen.conditions(batch))
            .order_by(batch.id.desc())
            .limit(chosen.limit)
        )
        return rows_as(BatchSummary, connection.execute(listed))


def further_batches(engine: Engine, chosen: BatchFilter, found: Sequence[BatchSummary]) -> int | None:
    """Give the `before` with which to go on listing batches; none where the list is at its end."""
    if len(found) == chosen.limit:
        return found[-1].id
    if chosen.walk is None:
        return None
    with engine.connect() as connection:
        batch = _walked(connection, chosen).subquery()
        number, oldest = connection.execute(select(func.count(), func.min(batch.c.id)).select_from(batch)).one()
    return oldest if number == chosen.walk else None


def _walked(connection: Connection, chosen: BatchFilter) -> Select[Any]:
    """Give the batches that are looked at, the newest first, by the index of their status or event."""
    walked = select(Batch).where(*_walk(connection, chosen)).order_by(Batch.id.desc()).limit(chosen.walk)
    if chosen.event is None:
        return walked
    ids = literal([one.id for one in list_events(connection, chosen.event)], ARRAY(BigInteger))
    event = func.unnest(ids).table_valued(column("id", BigInteger)).render_derived("event")
    each = walked.where(Batch.event_id == event.c.id).lateral("each")
    return select(each).select_from(event).join(each, true()).order_by(each.c.id.desc()).limit(chosen.walk)


def _walk(connection: Connection, chosen: BatchFilter) -> Iterator[ColumnElement[bool]]:
    if chosen.before is not None:
        yield Batch.id < chosen.before
    if chosen.until is not None:
        yield Batch.id < _first_of(connection, chosen.until, OUT_OF_TURN)
    if chosen.since is not None:
        yield Batch.id >= _first_of(connection, chosen.since, -OUT_OF_TURN)
    if chosen.status is not None:
        yield Batch.status == chosen.status


_NEXT: Final = select(Batch.id, Batch.created_at).where(Batch.id >= bindparam("middle")).order_by(Batch.id).limit(1)


def _first_of(connection: Connection, moment: datetime, later: timedelta) -> int:
    """Give the first id from so much later than a moment on; found by halving, as no index is by time."""
    low, high = 0, connection.execute(select(func.coalesce(func.max(Batch.id), 0) + 1)).scalar_one()
    while low < high:
        row = connection.execute(_NEXT, {"middle": (middle := (low + high) // 2)}).one_or_none()
        if row is None or row.created_at - moment >= later:
            high = middle
        else:
            low = row.id + 1
    return high


_BATCH: Final = (
    select(
        *columns_of(Batch, BatchDetail),
        Account.name.label("account"),
        Event.label().label("event"),
        *(Event.object_id, Event.external_event_id, Event.external_account_id, Account.hubspot_version),
        *(Account.stopped_because().label("stopped"), _waits(Batch)),
    )
    .join(Account, Account.id == Batch.account_id)
    .join(Event, Event.id == Batch.event_id)
    .where(Batch.id == bindparam("id"))
)
_MEMBERS: Final = (
    select(
        *(Record.id, Record.position, Record.contact, Record.input, outcome.label("outcome")),
        *(LastError.category, LastError.code, LastError.message, LastError.resolution),
    )
    .join(Batch, Batch.id == Record.batch_id)
    .outerjoin(LastError, true())
    .where(Record.batch_id == bindparam("id"), Record.position > bindparam("after"))
    .order_by(Record.position)
    .limit(bindparam("limit"))
)


def find_batch(engine: Engine, batch_id: int, limit: int = 1_000, after: int = -1) -> BatchDetail | None:
    """Show one batch with its attempts, and its records behind a position with their outcomes and last errors."""
    with engine.connect() as connection:
        found = connection.execute(_BATCH, {"id": batch_id}).mappings().one_or_none()
        if found is None:
            return None
        members = connection.execute(_MEMBERS, {"id": batch_id, "after": after, "limit": limit})
        timeline = attempts_of_batch(connection, batch_id, SHOWN)
        return BatchDetail(**found, timeline=timeline, records=rows_as(BatchMember, members))
