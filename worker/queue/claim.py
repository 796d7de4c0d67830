"""The claim: one due batch becomes PROCESSING, its membership fixed, under a lease with a token.

The event served longest ago goes first. A claim walks only lanes that are ready and only batches that wait for no
other; it waits for nobody but, where it is a retry, for its event's lock.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    Float,
    Text,
    Uuid,
    all_,
    bindparam,
    case,
    cast,
    column,
    exists,
    extract,
    func,
    insert,
    literal_column,
    null,
    select,
    text,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from hubspot_api.reaction import OUTAGE, Tried
from models.estimate import FLOOR
from models.message import Address
from models.moves import Move
from models.tables import Account, Batch, Error, Event, Lane, Record, fixed, seconds
from models.words import AttemptKind, Identity, Origin, Outcome, OwnCategory, Resolution, State
from worker.accounts.state import hold, may_send
from worker.database import json
from worker.log import get_logger
from worker.queue import attempts, lanes
from worker.queue.contact_index import Place, held, overtaken
from worker.queue.in_doubt import FIRST_READ, LOOKED_FOR, MAY_HAVE_ARRIVED
from worker.queue.members import Member, members_of, to_be_sent
from worker.trip import Query, begin, trip

log = get_logger(__name__)

LANES: Final = 20
"""Lanes that one claim tries, at most."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed batch: its lease's token, and the members to be sent."""

    batch_id: int
    token: UUID
    account_id: int
    event_id: int
    address: Address
    state: State
    identity: Identity
    origin: Origin
    tried: Tried
    positions: int
    members: Sequence[Member]
    attempt_id: int | None
    """The attempt's row, inserted with the claim; none where no member is left to send."""
    is_more_due: bool = False
    """Whether its event had another batch due when it was claimed."""

    def traced(self) -> dict[str, str | int]:
        """Give what a trace shows of it."""
        return {"turnout.batch": self.batch_id, "turnout.origin": self.origin.value, "turnout.event": self.event_id}


class _Claimed(NamedTuple):
    """A batch that was claimed just now, its records not yet read."""

    id: int
    lease_token: UUID
    account_id: int
    event_id: int
    object_id: str | None
    external_event_id: str | None
    external_account_id: str | None
    state: State
    identity: Identity
    origin: Origin
    attempts: int
    size: int
    positions: int
    age: float


_WAKE_LANES: Final = text("""
UPDATE lanes l SET ready = true FROM (
  SELECT event_id, origin FROM lanes WHERE account_id = :account AND NOT ready AND due_at <= now()
  ORDER BY due_at LIMIT 500 FOR UPDATE SKIP LOCKED) due
WHERE (l.event_id, l.origin) = (due.event_id, due.origin)""")
"""Makes the account's lanes ready whose time has come; one that is locked is passed over."""
_END_PARKING: Final = (
    update(Account).where(Account.id == bindparam("account")).values(parked_until=null(), parked_because="")
)


def claim(engine: Engine, account_id: int, lease: float, *, live_only: bool = False) -> Claim | None:
    """Claim the account's next due batch for `lease` seconds, or find none."""
    origins = [Origin.LIVE, Origin.RETRY, Origin.REPLAY]
    if random.random() < FLOOR:  # noqa: S311 - fairness, no secret
        origins = [Origin.RETRY, Origin.REPLAY, Origin.LIVE]
    if live_only:
        origins = [Origin.LIVE]
    with begin(engine) as connection:
        (held,) = trip(connection, hold(account_id))
        in_a_row = held.scalar()
        if in_a_row is None:
            in_a_row = may_send(connection, account_id, lease)
        if in_a_row is None:
            return None
        _, picked = trip(
            connection, Query(_WAKE_LANES, {"account": account_id}), _next_lane(account_id, origins[0], ())
        )
        batch = _first(connection, account_id, origins, picked.scalar(), lease)
        claimed = None if batch is None else _loaded(connection, batch, in_a_row)
        if in_a_row >= OUTAGE and (claimed is None or not claimed.members):
            # Nothing is sent, so nobody needs to wait for its answer.
            connection.execute(_END_PARKING, {"account": account_id})
    return claimed


_LANES_OF: Final = Lane.account_id == bindparam("account")
_NEXT_DUE: Final = (
    select(Lane.due_at)
    .where(_LANES_OF, ~Lane.ready, Lane.due_at < literal_column("'infinity'"))
    .order_by(Lane.due_at)
    .limit(literal_column("1"))
    .scalar_subquery()
)
_SECONDS_TO_NEXT: Final = select(
    case(
        (exists().where(_LANES_OF, Lane.ready), 0.0),
        else_=cast(extract("epoch", _NEXT_DUE - func.clock_timestamp()), Float),
    )
).where(Account.id == bindparam("account"), Account.may_send())


def next_due(engine: Engine, account_id: int) -> float | None:
    """Give the seconds until the account has a batch due; none where it may not send, or nothing waits for that.

    At most 0 where a batch is due; another may have its lane locked for a moment.
    """
    with begin(engine) as connection:
        (found,) = trip(connection, Query(_SECONDS_TO_NEXT, {"account": account_id}), commit=True)
    return found.scalar()


def _first(
    connection: Connection, account_id: int, origins: Sequence[Origin], event_id: int | None, lease: float
) -> _Claimed | None:
    """Claim the best batch of the first lane that has one, from this event's lane on, which is locked."""
    for origin in origins:
        tried: list[int] = []
        if origin is not origins[0]:
            (picked,) = trip(connection, _next_lane(account_id, origin, tried))
            event_id = picked.scalar()
        while event_id is not None:
            batch = _claim_in(connection, event_id, origin, lease)
            if batch is not None:
                return batch
            tried.append(event_id)
            _, picked = trip(
                connection,
                _refresh_lane(event_id, origin, served=False),
                _next_lane(account_id, origin, tried),
            )
            event_id = picked.scalar() if len(tried) < LANES else None
    return None


_NEXT_LANE: Final = (
    select(Lane.event_id)
    .where(
        Lane.account_id == bindparam("account"),
        Lane.origin == bindparam("origin"),
        Lane.ready,
        Lane.event_id != all_(bindparam("tried", type_=ARRAY(BigInteger))),
    )
    .order_by(Lane.served_at)
    .limit(literal_column("1"))
)
_LOCK_LANE: Final = _NEXT_LANE.with_for_update(key_share=True, of=Lane, skip_locked=True)
_LOCK_LANE_AND_EVENT: Final = _NEXT_LANE.join(Event, Event.id == Lane.event_id).with_for_update(
    key_share=True, of=[Event, Lane], skip_locked=True
)


def _next_lane(account_id: int, origin: Origin, tried: Sequence[int]) -> Query[tuple[int]]:
    """Lock the ready lane served longest ago, for a retry together with its event; one that is locked is passed over.

    A claim holds lanes, and may hold an event: so it must never wait, or it deadlocks with accept and settle.
    """
    lock = _LOCK_LANE_AND_EVENT if origin is Origin.RETRY else _LOCK_LANE
    return Query(lock, {"account": account_id, "origin": origin, "tried": list(tried)})


_LOCK_BATCH: Final = (
    select(Batch.id)
    .where(
        Batch.event_id == bindparam("event"),
        Batch.origin == bindparam("lane"),
        Batch.claimable(),
        Batch.due_at <= func.now(),
    )
    .order_by(Batch.due_at, Batch.id)
    .limit(literal_column("1"))
    .with_for_update(skip_locked=True)
)
_AGE: Final = extract("epoch", func.now() - Batch.failing_since - (Account.stopped_in_all() - Batch.stopped_before))
_CLAIM_ANY: Final = (
    Move.CLAIM.update()
    .where(Event.id == Batch.event_id, Account.id == Batch.account_id)
    .values(
        open=False,
        claims=Batch.claims + 1,
        lease_token=func.gen_random_uuid(),
        lease_until=func.clock_timestamp() + seconds("lease"),
    )
    .returning(
        Batch.id,
        type_coerce(Batch.lease_token, Uuid).label("lease_token"),
        Batch.account_id,
        Batch.event_id,
        Event.object_id,
        Event.external_event_id,
        Event.external_account_id,
        Batch.state,
        Batch.identity,
        Batch.origin,
        Batch.attempts,
        Batch.size,
        Batch.positions,
        cast(func.coalesce(_AGE, 0), Float).label("age"),
    )
)


_CLAIM: Final = _CLAIM_ANY.where(Batch.id == bindparam("batch"))
_CLAIM_BEST: Final = _CLAIM_ANY.where(Batch.id == _LOCK_BATCH.scalar_subquery())


def _claim_in(connection: Connection, event_id: int, origin: Origin, lease: float) -> _Claimed | None:
    best = {"event": event_id, "lane": origin}
    if origin is not Origin.RETRY:
        (claimed,) = trip(connection, Query(_CLAIM_BEST, {**best, "lease": lease}, _Claimed))
    else:
        (locked,) = trip(connection, Query(_LOCK_BATCH, best))
        batch_id = locked.scalar()
        if batch_id is None or _waits(connection, event_id, batch_id):
            return None
        (claimed,) = trip(connection, Query(_CLAIM, {"batch": batch_id, "lease": lease}, _Claimed))
    return next(iter(claimed.rows), None)


_UNANSWERED: Final = select(Record.id, Record.contact).where(Record.batch_id == bindparam("batch"), Record.unanswered())
_NEWER: Final = (
    func.jsonb_to_recordset(cast(bindparam("newer", type_=Text), JSONB))
    .table_valued(column("record_id", BigInteger), column("by", BigInteger), name="newer")
    .render_derived(with_types=True)
)
_BY: Final = func.jsonb_build_object("by", _NEWER.c.by, type_=JSONB)
_SUPERSEDE: Final = insert(Error).from_select(
    [
        *("record_id", "batch_id", "account_id", "outcome", "category", "message", "context"),
        *("resolution", "resolved_at", "verify_at"),
    ],
    select(*(Record.id, Record.batch_id, Batch.account_id, fixed(Outcome.CANCELED), fixed(OwnCategory.SUPERSEDED)))
    .add_columns(func.concat("overtaken by record ", _NEWER.c.by, ", accepted later"))
    .add_columns(case((MAY_HAVE_ARRIVED, _BY.concat(LOOKED_FOR)), else_=_BY))
    .add_columns(fixed(Resolution.SUPERSEDED), func.now())
    .add_columns(case((MAY_HAVE_ARRIVED, func.now() + seconds("first_read"))))
    .join(Record, Record.id == _NEWER.c.record_id)
    .join(Batch, Batch.id == Record.batch_id)
    .order_by(Record.id),
)
"""Takes records out of a retry; what may have arrived before is looked for, and delivered if it is there."""
_WAIT: Final = update(Batch).where(Batch.id == bindparam("batch")).values(after=bindparam("older"))


def _waits(connection: Connection, event_id: int, batch_id: int) -> bool:
    """Take out of a retry what a newer record has overtaken; say whether the rest must wait for older ones."""
    contacts = {row.id: row.contact for row in connection.execute(_UNANSWERED, {"batch": batch_id})}
    newer = overtaken(connection, [Place(event_id, contact, record_id) for record_id, contact in contacts.items()])
    if newer:
        rows = [{"record_id": record_id, "by": by} for record_id, by in newer.items()]
        connection.execute(_SUPERSEDE, {"newer": json(rows), "first_read": FIRST_READ})
    # None of these is a newer record's: that would have overtaken.
    left = {(event_id, contact) for record_id, contact in contacts.items() if record_id not in newer}
    older = sorted(set(held(connection, left).values()))
    if older:
        connection.execute(_WAIT, {"batch": batch_id, "older": older})
    return bool(older)


_REFRESH_LANE: Final = text("""
UPDATE lanes l SET due_at = coalesce(next.due_at, 'infinity'), ready = coalesce(next.due_at <= now(), false),
  served_at = CASE WHEN :served THEN clock_timestamp() ELSE l.served_at END
FROM (SELECT (SELECT due_at FROM batches WHERE event_id = :event AND origin = :origin AND status = 'PENDING'
  AND after = '{}' ORDER BY due_at LIMIT 1) AS due_at) next
WHERE l.event_id = :event AND l.origin = :origin
RETURNING l.ready""")
"""Says anew when the lane has something due, and whether it was served; gives whether it has something due now."""


class _Refreshed(NamedTuple):
    """A lane as it is now."""

    ready: bool


def _refresh_lane(event_id: int, origin: Origin, *, served: bool) -> Query[_Refreshed]:
    """Say anew when the lane has something due; a statement after the claim, under the lane's lock."""
    return Query(_REFRESH_LANE, {"event": event_id, "origin": origin, "served": served}, _Refreshed)


_PUT_ASIDE: Final = (
    Move.POSTPONE.update()
    .where(Batch.id == bindparam("batch"))
    .values(
        lease_token=null(),
        lease_until=null(),
        due_at=func.now() + literal_column("interval '1 hour'"),
        postponed_because=bindparam("because"),
    )
)


def _loaded(connection: Connection, batch: _Claimed, in_a_row: int) -> Claim | None:
    """Read the claimed records, in a statement later than the claim: its own would miss what it waited for."""
    refreshed, read = trip(connection, _refresh_lane(batch.event_id, batch.origin, served=True), members_of(batch.id))
    number, members = len(read.rows), to_be_sent(read.rows)
    if number != batch.size:
        because = f"its size is {batch.size}, its records are {number}: a bug; nothing was sent"
        log.error(
            "bug: size of batch is wrong",
            batch=batch.id,
            size=batch.size,
            records=number,
            consequence="nothing is sent",
        )
        trip(connection, Query(_PUT_ASIDE, {"batch": batch.id, "because": because}), lanes.told([batch.id]))
        return None
    attempt_id = None
    if members:
        begun = attempts.begun(AttemptKind.POST, batch.account_id, batch.id, len(members))
        attempt_id = trip(connection, begun, commit=True)[0].scalar()
    return Claim(
        batch_id=batch.id,
        token=batch.lease_token,
        account_id=batch.account_id,
        event_id=batch.event_id,
        address=Address(batch.object_id, batch.external_event_id, batch.external_account_id),
        state=batch.state,
        identity=batch.identity,
        origin=batch.origin,
        tried=Tried(batch.attempts, batch.age, in_a_row),
        positions=batch.positions,
        members=members,
        attempt_id=attempt_id,
        is_more_due=bool(refreshed.scalar()),
    )
