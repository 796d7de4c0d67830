"""Unconfirmed records: whose turn it is to be looked for in HubSpot, and who is sent once more.

Whatever resolves an error does it by one update guarded by `resolution IS NULL`, so an operator's retry, a second
reader and a repeat after a crash cannot both own it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    exists,
    func,
    null,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased

from hubspot_api.participations import Wanted, wanted
from models.error_signature import IN_DOUBT
from models.message import Address
from models.tables import Account, Batch, Error, Event, Record, fixed, ids, seconds
from models.words import AttemptKind, Outcome, Resolution, State
from worker.accounts.state import may_send
from worker.database import rows_as
from worker.queue import attempts
from worker.queue.locks import lock_events
from worker.queue.requeue import move

MOST: Final = 100
"""Records that one turn takes: as many as a page shows, and more than a turn has permits for by contact."""
COUNTED: Final = 20_000
"""Due records that are counted by event, at most."""
PACKED: Final = 1_000
"""Records sent once more in one transaction, at most."""


class Breakdown(NamedTuple):
    """What one breakdown is asked for."""

    event_id: int
    state: State


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A record that HubSpot's answer did not name, by its open error."""

    error_id: int
    batch_id: int
    event_id: int
    contact: str
    wanted: Wanted
    reads: int
    """Looks that found nothing."""
    sent_again: bool
    """Sent once more already, after such looks."""
    canceled: bool = False
    """Taken out of the queue by an operator, after a call that brought no answer."""
    stands: bool = False
    """It has its outcome, which stands unless it is found: rejected, failed or superseded after such a call."""

    @property
    def breakdown(self) -> Breakdown:
        """Give what its event's breakdown is asked for."""
        return Breakdown(self.event_id, self.wanted.state)


@dataclass(frozen=True, slots=True)
class DueForReadBack:
    """The records of one turn, and how many are due in all by event and state."""

    records: Sequence[Unconfirmed]
    due: Mapping[Breakdown, int]


_DUE: Final = and_(Error.account_id == bindparam("account"), Error.verify_at <= func.now())
_ACCOUNTS_DUE: Final = select(Account.name).where(
    Account.is_known(),
    Account.may_send(),
    exists().where(Error.account_id == Account.id, Error.verify_at <= func.now()),
)


def accounts_due(engine: Engine) -> list[str]:
    """Name the accounts that may send and have unconfirmed records due."""
    with engine.connect() as connection:
        return list(connection.execute(_ACCOUNTS_DUE).scalars())


_Before: Final = aliased(Error, name="before")
_Newer: Final = aliased(Error, name="newer")
_IS_OPEN: Final = Error.outcome == fixed(Outcome.UNCONFIRMED)
"""What is looked for decides its outcome."""
_OPEN: Final = (
    select(
        Error.id.label("error_id"),
        Error.record_id,
        Error.batch_id,
        Error.reads,
        Batch.event_id,
        Batch.state,
        Record.contact,
        Record.input,
        Event.object_id,
        Event.external_event_id,
        Event.external_account_id,
        exists()
        .where(
            _Before.record_id == Error.record_id,
            _Before.id < Error.id,
            _Before.resolution == fixed(Resolution.RETRIED),
            _Before.was_sent_again(),
        )
        .label("sent_again"),
        and_(Error.category == IN_DOUBT.category, _IS_OPEN).label("canceled"),
        (~_IS_OPEN).label("stands"),
    )
    .join(Record, and_(Record.id == Error.record_id, Record.batch_id == Error.batch_id))
    .join(Batch, Batch.id == Error.batch_id)
    .join(Event, Event.id == Batch.event_id)
    .where(
        or_(and_(_IS_OPEN, Error.is_unresolved()), and_(~_IS_OPEN, Error.is_looked_for())),
        ~exists().where(_Newer.record_id == Error.record_id, _Newer.batch_id == Error.batch_id, _Newer.id > Error.id),
    )
    .order_by(Error.id)
)
"""Unconfirmed records by their open errors, and what is looked for although its outcome stands, as `_unconfirmed` reads
them."""
_CANCELED: Final = Error.category == IN_DOUBT.category
_TO_LOOK_FOR: Final = and_(_DUE, or_(Error.reads <= bindparam("looks"), _CANCELED))
"""What an operator canceled is looked for once more where a worker of an earlier release would have it sent again."""
_FIRST: Final = select(Error.batch_id).where(_TO_LOOK_FOR).order_by(Error.verify_at).limit(COUNTED).subquery()
_BY_BATCH: Final = select(_FIRST.c.batch_id, func.count().label("number")).group_by(_FIRST.c.batch_id).subquery()
_COUNT: Final = (
    select(Batch.event_id, Batch.state, cast(func.sum(_BY_BATCH.c.number), BigInteger))
    .join(_BY_BATCH, Batch.id == _BY_BATCH.c.batch_id)
    .group_by(Batch.event_id, Batch.state)
)
_TAKE: Final = text("""
UPDATE errors SET verify_at = now() + CAST(:lease AS float8) * interval '1 second' WHERE id = ANY(ARRAY(
  SELECT id FROM errors WHERE account_id = :account AND verify_at <= now() AND (reads <= :looks OR category = :canceled)
  ORDER BY verify_at, id LIMIT :most FOR UPDATE SKIP LOCKED))
RETURNING id""")
"""Lets nobody else take an account's errors that are to be looked for, the first due first; the array is made once."""
_TAKEN: Final = _OPEN.where(Error.id == ids("errors"))
_LOOK_NO_MORE: Final = update(Error).where(Error.id == ids("errors")).values(verify_at=null())


def take(engine: Engine, account_id: int, lease: float, most_reads: int) -> DueForReadBack:
    """Take the account's records that are due to be looked for; for `lease` seconds nobody else does.

    What was resolved meanwhile, by an operator say, is looked for no more.
    """
    facts = {"account": account_id, "looks": most_reads}
    with engine.begin() as connection:
        due = {Breakdown(event_id, state): number for event_id, state, number in connection.execute(_COUNT, facts)}
        taken = list(
            connection.execute(_TAKE, {**facts, "lease": lease, "most": MOST, "canceled": IN_DOUBT.category}).scalars()
        )
        records = rows_as(_unconfirmed, connection.execute(_TAKEN, {"errors": taken}))
        over = set(taken) - {record.error_id for record in records}
        connection.execute(_LOOK_NO_MORE, {"errors": list(over)})
    return DueForReadBack(records, due)


_PUT_BACK: Final = (
    update(Error)
    .where(
        Error.id == ids("errors"),
        Error.is_looked_for(),
        or_(Error.is_unresolved(), Error.resolution == fixed(Resolution.SUPERSEDED)),
    )
    .values(verify_at=func.now() + seconds("wait"))
)


def put_back(engine: Engine, records: Sequence[Unconfirmed], wait: float) -> None:
    """Let records that were not looked for be due again after so many seconds."""
    with engine.begin() as connection:
        connection.execute(_PUT_BACK, {"errors": [record.error_id for record in records], "wait": wait})


_UNTIL: Final = func.now() + seconds("wait")
_DUE_BEFORE: Final = (
    select(Error.id)
    .where(Error.account_id == bindparam("account"), Error.verify_at <= _UNTIL)
    .order_by(Error.verify_at, Error.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
_PUT_OFF: Final = (
    update(Error)
    .where(Error.id == any_(func.array(_DUE_BEFORE, type_=ARRAY(BigInteger))))
    .values(verify_at=_UNTIL, context=Error.context_when_not_read(bindparam("because", type_=Text)))
)
"""Puts off an account's errors that would be due before, and notes why."""


def put_off(engine: Engine, account_id: int, because: str, wait: float) -> None:
    """Let nothing of the account be due before so many seconds have passed, and keep with each error why."""
    with engine.begin() as connection:
        connection.execute(_PUT_OFF, {"account": account_id, "because": because, "wait": wait, "most": COUNTED})


_OF_CONTACTS: Final = _OPEN.where(
    Record.contact == any_(bindparam("contacts", type_=ARRAY(Text))), Batch.account_id == bindparam("account")
)
_OF_CONTACTS_IN_EVENT: Final = _OF_CONTACTS.where(Batch.event_id == bindparam("event"))


def open_of(
    connection: Connection, account_id: int, contacts: Collection[str], event_id: int | None
) -> list[Unconfirmed]:
    """List every unconfirmed record of these contacts, taken or not: one call may settle several."""
    facts = {"contacts": list(contacts), "account": account_id}
    if event_id is None:
        return rows_as(_unconfirmed, connection.execute(_OF_CONTACTS, facts))
    return rows_as(_unconfirmed, connection.execute(_OF_CONTACTS_IN_EVENT, {**facts, "event": event_id}))


_OURS: Final = (
    select(
        Batch.event_id,
        Record.id.label("record_id"),
        Batch.state,
        Record.input,
        Event.object_id,
        Event.external_event_id,
        Event.external_account_id,
    )
    .join(Batch, Batch.id == Record.batch_id)
    .join(Event, Event.id == Batch.event_id)
    .where(Record.contact == bindparam("contact"), Batch.event_id == ids("events"))
)


def ours(connection: Connection, contact: str, event_ids: Collection[int]) -> dict[int, list[Wanted]]:
    """Give every record of a contact in these events, by event."""
    found: dict[int, list[Wanted]] = {event_id: [] for event_id in event_ids}
    rows = connection.execute(_OURS, {"contact": contact, "events": list(event_ids)})
    for event_id, record_id, state, sent, *address in rows:
        found[event_id].append(wanted(record_id, Address(*address), state, sent))
    return found


def begin(engine: Engine, account_id: int, lease: float, asked: Sequence[Unconfirmed]) -> int | None:
    """Put a call on record before it is made, and give its attempt's id.

    None where the account may not send, which is asked anew for every call.
    """
    batch_ids = {record.batch_id for record in asked}
    with engine.begin() as connection:
        if may_send(connection, account_id, lease) is None:
            return None
        batch_id = batch_ids.pop() if len(batch_ids) == 1 else None
        return attempts.begin(connection, AttemptKind.READ_BACK, account_id, batch_id, len(asked))


_TO_SEND_AGAIN: Final = and_(_DUE, _IS_OPEN, Error.reads > bindparam("looks"), ~_CANCELED)
_DUE_AGAIN: Final = (
    select(Error.id, Batch.event_id)
    .join(Batch, Batch.id == Error.batch_id)
    .where(_TO_SEND_AGAIN)
    .order_by(Error.verify_at)
    .limit(PACKED)
)
_SEND_AGAIN: Final = (
    update(Error)
    .where(
        Error.id == ids("errors"),
        Error.is_unresolved(),
        _TO_SEND_AGAIN,
        Record.id == Error.record_id,
        Record.batch_id == Error.batch_id,
    )
    .values(
        verify_at=null(),
        resolution=Resolution.RETRIED,
        resolved_at=func.now(),
        context=Error.context_when_sent_again(),
    )
    .returning(Error.record_id)
)
_NOT_OURS: Final = _LOOK_NO_MORE.where(~Error.is_unresolved())


def send_again(engine: Engine, account_id: int, most_reads: int, batch_size: int) -> int:
    """Move records that were looked for in vain, and whose time has come, into new batches; give how many."""
    facts = {"account": account_id, "looks": most_reads}
    with engine.begin() as connection:
        due = connection.execute(_DUE_AGAIN, facts).all()
        if not due:
            return 0
        lock_events(connection, {event_id for _, event_id in due})
        chosen = {"errors": [error_id for error_id, _ in due]}
        won = connection.execute(_SEND_AGAIN, {**facts, **chosen}).scalars().all()
        moved = move(connection, won, batch_size)
        connection.execute(_NOT_OURS, chosen)
        return moved


def _unconfirmed(  # noqa: PLR0913 - a row's columns
    *,
    error_id: int,
    record_id: int,
    batch_id: int,
    reads: int,
    event_id: int,
    state: State,
    contact: str,
    input: Mapping[str, object],  # noqa: A002 - the column's name
    object_id: str | None,
    external_event_id: str | None,
    external_account_id: str | None,
    sent_again: bool,
    canceled: bool,
    stands: bool,
) -> Unconfirmed:
    address = Address(object_id, external_event_id, external_account_id)
    seeks = wanted(record_id, address, state, input)
    return Unconfirmed(error_id, batch_id, event_id, contact, seeks, reads, sent_again, canceled, stands)
