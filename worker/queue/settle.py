"""What became of a claim: settled, postponed or given up. Each is one transaction, fenced by the lease's token.

The event is locked first; those that wait for the batch are looked for in a statement after that lock, since accept
may be about to commit one. A claim that ends early splits: its answered records move to a COMPLETE batch of their own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import BigInteger, Connection, Engine, Update, bindparam, case, func, null, select, text, update
from sqlalchemy.dialects.postgresql import array

from hubspot_api.answer import Rejection, Settled
from models.error_signature import About, ErrorKind
from models.moves import Move
from models.tables import BATCH_IDS, NOBODY, Account, Batch, seconds
from models.words import Origin, Outcome
from worker.database import draw, json, repeat
from worker.log import get_logger
from worker.queue import attempts as calls, lanes
from worker.queue.attempts import AttemptResult
from worker.queue.claim import Claim
from worker.queue.locks import lock_event
from worker.queue.seen_groups import note_seen

log = get_logger(__name__)

NONE: Final[Mapping[int, int]] = {}
NONE_FAILED: Final[Mapping[int, Rejection]] = {}
FIRST_READ: Final = 5.0
"""Seconds until what HubSpot left unconfirmed is first read back: a write is not readable at once."""


@dataclass(frozen=True, slots=True)
class PartialAnswer:
    """What is known of members whose claim ends before all have their answer: by index, and by which attempts."""

    answer: Settled
    attempts: Mapping[int, int]

    @property
    def indexes(self) -> set[int]:
        """Give the members that have their answer."""
        return {*self.answer.delivered, *self.answer.rejected, *self.answer.unconfirmed}

    def else_rejected(self, size: int, rejection: Rejection) -> Settled:
        """Give the answer of all `size` members, where those that are left are rejected."""
        rejected = dict.fromkeys(set(range(size)) - self.indexes, rejection)
        return Settled(self.answer.delivered, {**self.answer.rejected, **rejected}, self.answer.unconfirmed)


NOTHING: Final = PartialAnswer(Settled({}, {}, {}), {})


def _fenced(move: Move) -> Update:
    """Begin the statement that ends a claim by this move, fenced by the token."""
    fence = (Batch.id == bindparam("batch"), Batch.lease_token == bindparam("token"))
    return move.update().where(*fence).values(lease_token=null(), lease_until=null())


_SETTLE: Final = _fenced(Move.SETTLE).values(
    settled_at=func.now(), contact_ids=bindparam("by_position"), postponed_because=""
)
_POSTPONE: Final = _fenced(Move.POSTPONE).values(
    due_at=func.now() + seconds("seconds"), postponed_because=bindparam("because")
)
_POSTPONE_FAILED: Final = _POSTPONE.values(
    attempts=Batch.attempts + 1,
    failing_since=func.coalesce(Batch.failing_since, func.now()),
    stopped_before=case(
        (Batch.failing_since.is_not(None), Batch.stopped_before),
        else_=select(Account.stopped_in_all()).where(Account.id == Batch.account_id).scalar_subquery(),
    ),
)
"""The same where it spends an attempt: its age runs from the first of these."""
_GIVE_UP: Final = _fenced(Move.GIVE_UP).values(settled_at=func.now(), attempts=Batch.attempts + 1, postponed_because="")


def settle(
    engine: Engine, claim: Claim, answer: Settled, call: AttemptResult | None, attempts: Mapping[int, int] = NONE
) -> bool:
    """Settle a batch: every record has its answer. False where the lease was lost and somebody else owns it.

    `attempts` says by index which attempt brought a record's answer, where it was not the claim's own.

    Raises:
        ValueError: where the answer leaves a record out; a bug, nothing is written.

    """
    parts = (answer.delivered, answer.rejected, answer.unconfirmed)
    if sorted(index for part in parts for index in part) != list(range(len(claim.members))):
        raise ValueError(
            f"batch {claim.batch_id}: the answer does not account for each of {len(claim.members)} records"
        )
    _see(engine, claim, answer)
    contact_ids: list[int | None] = [None] * claim.positions
    for index, contact_id in answer.delivered.items():
        contact_ids[claim.members[index].position] = contact_id

    def work(connection: Connection) -> bool:
        if not _move(connection, claim, _SETTLE, by_position=contact_ids):
            return False
        _store_answer(connection, claim, answer, attempts)
        _complete_attempt(connection, claim, call, answer)
        free(connection, claim.batch_id)
        return True

    return _in_transaction(engine, claim, work)


def postpone(  # noqa: PLR0913
    engine: Engine,
    claim: Claim,
    seconds: float,
    because: str,
    call: AttemptResult | None,
    *,
    spends: bool,
    apart: PartialAnswer = NOTHING,
) -> bool:
    """Put a batch back: due in so many seconds, and why. `spends` an attempt where the answer was ambiguous."""
    _see(engine, claim, apart.answer)

    def work(connection: Connection) -> bool:
        postponed = _POSTPONE_FAILED if spends else _POSTPONE
        if not _move(connection, claim, postponed, seconds=seconds, because=because):
            return False
        _split(connection, claim, apart)
        _complete_attempt(connection, claim, call)
        if claim.origin is Origin.RETRY:
            free(connection, claim.batch_id)  # while it waits, a retry holds nobody
        lanes.tell(connection, [claim.batch_id])
        return True

    return _in_transaction(engine, claim, work)


def give_up(
    engine: Engine, claim: Claim, because: str, call: AttemptResult | None, apart: PartialAnswer = NOTHING
) -> bool:
    """Give a batch up: its records have failed, and can be retried."""
    failed = dict.fromkeys(sorted(set(range(len(claim.members))) - apart.indexes), Rejection("GIVEN_UP", "", because))
    _see(engine, claim, apart.answer, failed)

    def work(connection: Connection) -> bool:
        if not _move(connection, claim, _GIVE_UP):
            return False
        _split(connection, claim, apart)
        _store_errors(connection, claim, Outcome.FAILED, failed)
        _complete_attempt(connection, claim, call)
        free(connection, claim.batch_id)
        return True

    return _in_transaction(engine, claim, work)


_WAITED_FOR: Final = bindparam("batch", type_=BigInteger)
_FREE: Final = (
    update(Batch)
    .where(Batch.after.contains(array([_WAITED_FOR])), Batch.waits())
    .values(after=func.array_remove(Batch.after, _WAITED_FOR))
    .returning(Batch.id, Batch.after)
)


def free(connection: Connection, batch_id: int) -> None:
    """Free those that wait for a batch, which holds its contacts no longer. The event is locked."""
    freed = connection.execute(_FREE, {"batch": batch_id})
    lanes.tell(connection, [row.id for row in freed if not row.after])


def _see(engine: Engine, claim: Claim, answer: Settled, failed: Mapping[int, Rejection] = NONE_FAILED) -> None:
    told = (
        (Outcome.REJECTED, answer.rejected),
        (Outcome.UNCONFIRMED, answer.unconfirmed),
        (Outcome.FAILED, failed),
    )
    note_seen(engine, {_kind(claim, outcome, one) for outcome, rejections in told for one in rejections.values()})


def _kind(claim: Claim, outcome: Outcome, rejection: Rejection) -> ErrorKind:
    about = About(claim.event_id, claim.address, rejection.context, rejection.is_event_unknown)
    return ErrorKind.of(outcome, rejection.category, rejection.code, rejection.message, about)


def _in_transaction(engine: Engine, claim: Claim, work: Callable[[Connection], bool]) -> bool:
    def locked() -> bool:
        with engine.begin() as connection:
            lock_event(connection, claim.event_id)
            return work(connection)

    owned = repeat(locked)
    if not owned:
        log.warning("lease lost", batch=claim.batch_id)
    return owned


def _move(connection: Connection, claim: Claim, ended: Update, **facts: object) -> bool:
    return bool(connection.execute(ended, {"batch": claim.batch_id, "token": claim.token, **facts}).rowcount)


_SPLIT: Final = text("""
WITH rest AS (UPDATE batches SET size = size - :number WHERE id = :id RETURNING *)
INSERT INTO batches (id, account_id, event_id, state, identity, origin, status, open, size, positions, due_at,
  claims, split_from, contact_ids, created_at, settled_at)
SELECT :batch_id, account_id, event_id, state, identity, origin, 'COMPLETE', false, :number, :number,
  due_at, claims, id, :contact_ids, created_at, now() FROM rest""")
"""Makes a COMPLETE batch of some of another's records, with their part of the answer."""
_MOVE_ANSWERED: Final = text("""
UPDATE records r SET batch_id = :batch_id, position = x.place - 1
FROM unnest(CAST(:moved AS bigint[])) WITH ORDINALITY x(id, place) WHERE r.id = x.id""")
"""Moves records to a batch, in this order."""


def _split(connection: Connection, claim: Claim, apart: PartialAnswer) -> None:
    """Move the answered members of a batch, which was just moved itself, to a COMPLETE batch of their own."""
    answered = sorted(apart.indexes)
    if not answered:
        return
    (batch_id,) = draw(connection, BATCH_IDS, 1)
    facts = {
        "id": claim.batch_id,
        "batch_id": batch_id,
        "moved": [claim.members[index].id for index in answered],
        "number": len(answered),
        "contact_ids": [apart.answer.delivered.get(index) for index in answered],
    }
    connection.execute(_SPLIT, facts)
    connection.execute(_MOVE_ANSWERED, facts)
    _store_answer(connection, replace(claim, batch_id=batch_id), apart.answer, apart.attempts)
    log.info("batch split", batch=claim.batch_id, answered_batch=batch_id, records=len(answered))


_KNOWS_EVENTS: Final = (
    update(Account)
    .where(
        Account.id == select(Batch.account_id).where(Batch.id == bindparam("batch")).scalar_subquery(),
        Account.unknown_events != NOBODY,
    )
    .values(unknown_events=NOBODY)
)
"""HubSpot took something of the account: so its token and its address are right."""


def _store_answer(connection: Connection, claim: Claim, answer: Settled, attempts: Mapping[int, int]) -> None:
    _store_errors(connection, claim, Outcome.REJECTED, answer.rejected, attempts)
    _store_errors(connection, claim, Outcome.UNCONFIRMED, answer.unconfirmed, attempts)
    if answer.delivered:
        connection.execute(_KNOWS_EVENTS, {"batch": claim.batch_id})


_STORE_ERRORS: Final = text("""
INSERT INTO errors (record_id, batch_id, account_id, attempt_id, outcome, category, code, message, context,
  group_id, verify_at)
SELECT record_id, :batch, (SELECT account_id FROM batches WHERE id = :batch), attempt_id, :outcome, category,
  code, message, context, group_id, now() + CAST(:first_read AS float8) * interval '1 second'
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(record_id bigint, attempt_id bigint, category text,
  code text, message text, context jsonb, group_id text)""")
"""Stores the errors of a batch's records; unconfirmed ones are read back after so many seconds."""


def _store_errors(
    connection: Connection,
    claim: Claim,
    outcome: Outcome,
    rejections: Mapping[int, Rejection],
    attempts: Mapping[int, int] = NONE,
) -> None:
    if not rejections:
        return
    rows = [
        {
            "record_id": claim.members[index].id,
            "attempt_id": attempts.get(index, claim.attempt_id),
            "category": rejection.category,
            "code": rejection.code,
            "message": rejection.message,
            "context": rejection.context,
            "group_id": _kind(claim, outcome, rejection).group_id,
        }
        for index, rejection in sorted(rejections.items())
    ]
    connection.execute(
        _STORE_ERRORS,
        {
            "batch": claim.batch_id,
            "outcome": outcome,
            "first_read": FIRST_READ if outcome is Outcome.UNCONFIRMED else None,
            "rows": json(rows),
        },
    )


def _complete_attempt(
    connection: Connection, claim: Claim, call: AttemptResult | None, answer: Settled | None = None
) -> None:
    if claim.attempt_id is None:
        return
    if call is None:  # nothing was called
        calls.forget(connection, claim.attempt_id)
    else:
        calls.complete_with(connection, claim.attempt_id, call, answer)
