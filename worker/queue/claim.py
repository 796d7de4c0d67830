"""The claim: one due batch becomes PROCESSING, its membership fixed, under a lease with a token.

The event served longest ago goes first. A claim walks only lanes that are ready and only batches that wait for no
other; it waits for nobody but, where it is a retry, for its event's lock.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    Float,
    all_,
    and_,
    bindparam,
    cast,
    exists,
    extract,
    func,
    insert,
    literal_column,
    null,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from hubspot_api.reaction import OUTAGE, Tried
from models.estimate import FLOOR
from models.message import Address
from models.moves import Move
from models.tables import Account, Batch, Error, Event, Lane, Record, fixed, seconds
from models.words import AttemptKind, Identity, Origin, Outcome, Resolution, State
from worker.accounts.state import may_send
from worker.database import rows_as
from worker.log import get_logger
from worker.queue import attempts, lanes
from worker.queue.contact_index import Place, held, overtaken
from worker.queue.members import Member, read_members

log = get_logger(__name__)

LANES: Final = 20
"""Lanes that one claim tries, at most."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed batch: its lease's token, and the members to be sent."""

    batch_id: int
    token: UUID
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

    def traced(self) -> dict[str, str | int]:
        """Give what a trace shows of it."""
        return {"turnout.batch": self.batch_id, "turnout.origin": self.origin.value, "turnout.event": self.event_id}


@dataclass(frozen=True, slots=True)
class _Claimed:
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
    with engine.begin() as connection:
        in_a_row = may_send(connection, account_id, lease)
        if in_a_row is None:
            return None
        connection.execute(_WAKE_LANES, {"account": account_id})
        claimed = _first(connection, account_id, origins, lease, in_a_row)
        if in_a_row >= OUTAGE and (claimed is None or not claimed.members):
            # Nothing is sent, so nobody needs to wait for its answer.
            connection.execute(_END_PARKING, {"account": account_id})
    return claimed


_IS_BUSY: Final = select(
    and_(
        exists().where(Account.id == bindparam("account"), Account.may_send()),
        exists().where(Lane.account_id == bindparam("account"), Lane.ready),
    )
)


def is_busy(engine: Engine, account_id: int) -> bool:
    """Say whether an account that found nothing to claim may have been in somebody's way: it has a ready lane."""
    with engine.connect() as connection:
        return bool(connection.execute(_IS_BUSY, {"account": account_id}).scalar_one())


def _first(
    connection: Connection, account_id: int, origins: Sequence[Origin], lease: float, in_a_row: int
) -> Claim | None:
    for origin in origins:
        tried: list[int] = []
        while len(tried) < LANES:
            event_id = _pick_lane(connection, account_id, origin, tried)
            if event_id is None:
                break
            tried.append(event_id)
            batch = _claim_in(connection, event_id, origin, lease)
            _refresh_lane(connection, event_id, origin, served=batch is not None)
            if batch is not None:
                return _loaded(connection, batch, in_a_row)
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


def _pick_lane(connection: Connection, account_id: int, origin: Origin, tried: Sequence[int]) -> int | None:
    """Lock the ready lane served longest ago, for a retry together with its event; one that is locked is passed over.

    A claim holds lanes, and may hold an event: so it must never wait, or it deadlocks with accept and settle.
    """
    lock = _LOCK_LANE_AND_EVENT if origin is Origin.RETRY else _LOCK_LANE
    return connection.execute(lock, {"account": account_id, "origin": origin, "tried": list(tried)}).scalar()


_LOCK_BATCH: Final = (
    select(Batch.id)
    .where(
        Batch.event_id == bindparam("event"),
        Batch.origin == bindparam("origin"),
        Batch.claimable(),
        Batch.due_at <= func.now(),
    )
    .order_by(Batch.due_at, Batch.id)
    .limit(literal_column("1"))
    .with_for_update(skip_locked=True)
)
_AGE: Final = extract("epoch", func.now() - Batch.failing_since - (Account.stopped_in_all() - Batch.stopped_before))
_CLAIM: Final = (
    Move.CLAIM.update()
    .where(Batch.id == bindparam("batch"), Event.id == Batch.event_id, Account.id == Batch.account_id)
    .values(
        open=False,
        claims=Batch.claims + 1,
        lease_token=func.gen_random_uuid(),
        lease_until=func.clock_timestamp() + seconds("lease"),
    )
    .returning(
        Batch.id,
        Batch.lease_token,
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


def _claim_in(connection: Connection, event_id: int, origin: Origin, lease: float) -> _Claimed | None:
    batch_id = connection.execute(_LOCK_BATCH, {"event": event_id, "origin": origin}).scalar()
    if batch_id is None or (origin is Origin.RETRY and _waits(connection, event_id, batch_id)):
        return None
    claimed = rows_as(_Claimed, connection.execute(_CLAIM, {"batch": batch_id, "lease": lease}))
    return claimed[0] if claimed else None


_UNANSWERED: Final = select(Record.id, Record.contact).where(Record.batch_id == bindparam("batch"), Record.unanswered())
_SUPERSEDE: Final = insert(Error).values(
    outcome=fixed(Outcome.CANCELED),
    category="SUPERSEDED",
    resolution=fixed(Resolution.SUPERSEDED),
    resolved_at=func.now(),
)
_WAIT: Final = update(Batch).where(Batch.id == bindparam("batch")).values(after=bindparam("older"))


def _waits(connection: Connection, event_id: int, batch_id: int) -> bool:
    """Take out of a retry what a newer record has overtaken; say whether the rest must wait for older ones."""
    contacts = {row.id: row.contact for row in connection.execute(_UNANSWERED, {"batch": batch_id})}
    newer = overtaken(connection, [Place(event_id, contact, record_id) for record_id, contact in contacts.items()])
    if newer:
        connection.execute(
            _SUPERSEDE,
            [
                {
                    "record_id": record_id,
                    "batch_id": batch_id,
                    "message": f"overtaken by record {by}, accepted later",
                    "context": {"by": by},
                }
                for record_id, by in newer.items()
            ],
        )
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
WHERE l.event_id = :event AND l.origin = :origin""")
"""Says anew when the lane has something due, and whether it was served."""


def _refresh_lane(connection: Connection, event_id: int, origin: Origin, *, served: bool) -> None:
    """Say anew when the lane has something due; a statement after the claim, under the lane's lock."""
    connection.execute(_REFRESH_LANE, {"event": event_id, "origin": origin, "served": served})


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
    number, members = read_members(connection, batch.id)
    if number != batch.size:
        because = f"its size is {batch.size}, its records are {number}: a bug; nothing was sent"
        log.error(
            "bug: size of batch is wrong",
            batch=batch.id,
            size=batch.size,
            records=number,
            consequence="nothing is sent",
        )
        connection.execute(_PUT_ASIDE, {"batch": batch.id, "because": because})
        lanes.tell(connection, [batch.id])
        return None
    attempt_id = None
    if members:
        attempt_id = attempts.begin(connection, AttemptKind.POST, batch.account_id, batch.id, len(members))
    return Claim(
        batch_id=batch.id,
        token=batch.lease_token,
        event_id=batch.event_id,
        address=Address(batch.object_id, batch.external_event_id, batch.external_account_id),
        state=batch.state,
        identity=batch.identity,
        origin=batch.origin,
        tried=Tried(batch.attempts, batch.age, in_a_row),
        positions=batch.positions,
        members=members,
        attempt_id=attempt_id,
    )
