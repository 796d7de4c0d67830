"""The claim: one due batch becomes PROCESSING, its membership fixed, under a lease with a token.

The event served longest ago goes first. A claim walks only lanes that are ready and only batches that wait for no
other; it waits for nobody but, where it is a retry, for its event's lock.
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, text

from hubspot_api.reaction import OUTAGE, Tried
from models.estimate import FLOOR
from models.message import Address
from models.moves import Move
from models.words import AttemptKind, Identity, Origin, State
from worker.accounts.state import SENDS, may_send
from worker.queue import attempts, lanes
from worker.queue.contact_index import OVERTAKES, UNANSWERED, held, newest

log = logging.getLogger(__name__)

LANES: Final = 20
"""Lanes that one claim tries, at most."""


@dataclass(frozen=True, slots=True)
class Member:
    """A record of a claimed batch, to be sent."""

    id: int
    position: int
    contact: str
    input: dict[str, object]


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
        _wake_lanes(connection, account_id)
        claimed = _first(connection, account_id, origins, lease, in_a_row)
        if in_a_row >= OUTAGE and (claimed is None or not claimed.members):
            # Nothing is sent, so nobody needs to wait for its answer.
            connection.execute(
                text("UPDATE accounts SET parked_until = NULL, parked_because = '' WHERE id = :id"), {"id": account_id}
            )
    return claimed


def is_busy(engine: Engine, account_id: int) -> bool:
    """Say whether an account that found nothing to claim may have been in somebody's way: it has a ready lane."""
    with engine.connect() as connection:
        ready = connection.execute(
            text(f"""
            SELECT EXISTS (SELECT FROM accounts WHERE id = :id AND {SENDS})
              AND EXISTS (SELECT FROM lanes WHERE account_id = :id AND ready)"""),
            {"id": account_id},
        )
        return bool(ready.scalar_one())


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


def _wake_lanes(connection: Connection, account_id: int) -> None:
    connection.execute(
        text("""
        UPDATE lanes l SET ready = true FROM (
          SELECT event_id, origin FROM lanes WHERE account_id = :account AND NOT ready AND due_at <= now()
          ORDER BY due_at LIMIT 500 FOR UPDATE SKIP LOCKED) due
        WHERE (l.event_id, l.origin) = (due.event_id, due.origin)"""),
        {"account": account_id},
    )


def _pick_lane(connection: Connection, account_id: int, origin: Origin, tried: Sequence[int]) -> int | None:
    """Lock the ready lane served longest ago, for a retry together with its event; one that is locked is passed over.

    A claim holds lanes, and may hold an event: so it must never wait, or it deadlocks with accept and settle.
    """
    events, lock = ("JOIN events e ON e.id = l.event_id", "OF e, l") if origin is Origin.RETRY else ("", "OF l")
    return connection.execute(
        text(f"""
        SELECT l.event_id FROM lanes l {events} WHERE l.account_id = :account AND l.origin = :origin AND l.ready
          AND l.event_id <> ALL(:tried) ORDER BY l.served_at LIMIT 1 FOR NO KEY UPDATE {lock} SKIP LOCKED"""),
        {"account": account_id, "origin": origin, "tried": list(tried)},
    ).scalar()


def _claim_in(connection: Connection, event_id: int, origin: Origin, lease: float) -> Row[Any] | None:
    batch_id = connection.execute(
        text("""
        SELECT id FROM batches WHERE event_id = :event AND origin = :origin AND status = 'PENDING' AND after = '{}'
          AND due_at <= now() ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED"""),
        {"event": event_id, "origin": origin},
    ).scalar()
    if batch_id is None or (origin is Origin.RETRY and _waits(connection, event_id, batch_id)):
        return None
    return connection.execute(
        text(f"""
        UPDATE batches b SET status = {Move.CLAIM.to}, open = false, claims = claims + 1,
          lease_token = gen_random_uuid(), lease_until = clock_timestamp() + :lease * interval '1 second'
        FROM events ev, accounts a
        WHERE b.id = :id AND b.{Move.CLAIM.guard} AND ev.id = b.event_id AND a.id = b.account_id
        RETURNING b.id, b.lease_token, b.account_id, b.event_id, ev.object_id, ev.external_event_id,
          ev.external_account_id, b.state, b.identity, b.origin, b.attempts, b.size, b.positions,
          coalesce(extract(epoch FROM now() - b.failing_since
            - (a.stopped + coalesce(now() - a.stopped_since, interval '0') - b.stopped_before)), 0)::float8 AS age"""),
        {"id": batch_id, "lease": lease},
    ).one_or_none()


def _waits(connection: Connection, event_id: int, batch_id: int) -> bool:
    """Take out of a retry what a newer record has overtaken; say whether the rest must wait for older ones."""
    connection.execute(
        text(f"""
        INSERT INTO errors (record_id, batch_id, outcome, category, message, context, resolution, resolved_at)
        SELECT x.id, x.batch_id, 'canceled', 'SUPERSEDED', 'overtaken by record ' || newer.record_id
          || ', accepted later', jsonb_build_object('by', newer.record_id), 'superseded', now()
        FROM (
          SELECT r.*, CAST(:event AS bigint) AS event_id FROM records r WHERE r.batch_id = :batch AND {UNANSWERED}) x
        CROSS JOIN LATERAL {newest("true", OVERTAKES)} newer"""),
        {"event": event_id, "batch": batch_id},
    )
    left = connection.execute(
        text(f"SELECT r.contact FROM records r WHERE r.batch_id = :batch AND {UNANSWERED}"), {"batch": batch_id}
    )
    # None of these is a newer record's: that would have overtaken.
    older = set(held(connection, {(event_id, contact) for contact in left.scalars()}).values())
    if older:
        connection.execute(
            text("UPDATE batches SET after = :older WHERE id = :batch"), {"older": sorted(older), "batch": batch_id}
        )
    return bool(older)


def _refresh_lane(connection: Connection, event_id: int, origin: Origin, *, served: bool) -> None:
    """Say anew when the lane has something due; a statement after the claim, under the lane's lock."""
    connection.execute(
        text("""
        UPDATE lanes l SET due_at = coalesce(next.due_at, 'infinity'), ready = coalesce(next.due_at <= now(), false),
          served_at = CASE WHEN :served THEN clock_timestamp() ELSE l.served_at END
        FROM (SELECT (SELECT due_at FROM batches WHERE event_id = :event AND origin = :origin AND status = 'PENDING'
          AND after = '{}' ORDER BY due_at LIMIT 1) AS due_at) next
        WHERE l.event_id = :event AND l.origin = :origin"""),
        {"event": event_id, "origin": origin, "served": served},
    )


def _loaded(connection: Connection, batch: Row[Any], in_a_row: int) -> Claim | None:
    """Read the claimed records, in a statement later than the claim: its own would miss what it waited for."""
    rows = connection.execute(
        text(f"""
        SELECT r.id, r.position, r.contact, r.input, {UNANSWERED} AS unanswered
        FROM records r WHERE r.batch_id = :batch ORDER BY r.position"""),
        {"batch": batch.id},
    ).all()
    if len(rows) != batch.size:
        because = f"its size is {batch.size}, its records are {len(rows)}: a bug; nothing was sent"
        log.error("batch %d is put aside: %s", batch.id, because)
        connection.execute(
            text(f"""
            UPDATE batches SET status = {Move.POSTPONE.to}, lease_token = NULL, lease_until = NULL,
              due_at = now() + interval '1 hour', postponed_because = :because
            WHERE id = :id AND {Move.POSTPONE.guard}"""),
            {"id": batch.id, "because": because},
        )
        lanes.tell(connection, [batch.id])
        return None
    members = [Member(row.id, row.position, row.contact, row.input) for row in rows if row.unanswered]
    attempt_id = None
    if members:
        attempt_id = attempts.begin(connection, AttemptKind.POST, batch.account_id, batch.id, len(members))
    return Claim(
        batch_id=batch.id,
        token=batch.lease_token,
        event_id=batch.event_id,
        address=Address(batch.object_id, batch.external_event_id, batch.external_account_id),
        state=State(batch.state),
        identity=Identity(batch.identity),
        origin=Origin(batch.origin),
        tried=Tried(batch.attempts, batch.age, in_a_row),
        positions=batch.positions,
        members=members,
        attempt_id=attempt_id,
    )
