"""What became of a claim: settled, postponed or given up. Each is one transaction, fenced by the lease's token.

The event is locked first; those that wait for the batch are looked for in a statement after that lock, since accept
may be about to commit one. A claim that ends early splits: its answered records move to a COMPLETE batch of their own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Insert,
    Text,
    Update,
    and_,
    bindparam,
    case,
    cast,
    column,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from hubspot_api.answer import Rejection, Settled
from models.error_signature import About, ErrorKind
from models.moves import Move
from models.tables import BATCH_IDS, NOBODY, Account, Batch, Error, Record, fixed, seconds
from models.words import Origin, Outcome, OwnCategory
from worker.accounts import state
from worker.database import draw, json, repeat
from worker.log import get_logger
from worker.queue import attempts as calls, lanes, locks
from worker.queue.attempts import AttemptResult
from worker.queue.claim import Claim
from worker.queue.in_doubt import FIRST_READ, LOOKED_FOR, MAY_HAVE_ARRIVED
from worker.queue.seen_groups import note_seen
from worker.trip import Query, begin, trip

log = get_logger(__name__)

NONE: Final[Mapping[int, int]] = {}
NONE_FAILED: Final[Mapping[int, Rejection]] = {}


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

    def work(connection: Connection) -> None:
        trip(
            connection,
            *_answered(claim, answer, attempts),
            *_attempt_ended(claim, call, answer),
            *([state.answered_by(claim.account_id)] if call else []),
            freed(claim.batch_id),
            commit=True,
        )

    is_owned = _in_transaction(engine, claim, _SETTLE, {"by_position": contact_ids}, work)
    if call and not is_owned:
        state.answered(engine, claim.account_id)
    return is_owned


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

    def work(connection: Connection) -> None:
        trip(
            connection,
            *_split(connection, claim, apart),
            *_attempt_ended(claim, call),
            # While it waits, a retry holds no contact.
            *([freed(claim.batch_id)] if claim.origin is Origin.RETRY else []),
            lanes.told([claim.batch_id]),
            commit=True,
        )

    postponed = _POSTPONE_FAILED if spends else _POSTPONE
    return _in_transaction(engine, claim, postponed, {"seconds": seconds, "because": because}, work)


def give_up(
    engine: Engine, claim: Claim, because: str, call: AttemptResult | None, apart: PartialAnswer = NOTHING
) -> bool:
    """Give a batch up: its records have failed, and can be retried."""
    failed = dict.fromkeys(
        sorted(set(range(len(claim.members))) - apart.indexes), Rejection(OwnCategory.GIVEN_UP.value, "", because)
    )
    _see(engine, claim, apart.answer, failed)

    def work(connection: Connection) -> None:
        trip(
            connection,
            *_split(connection, claim, apart),
            *_attempt_ended(claim, call),  # before its errors: it may be the call that brought no answer
            *_errors(claim, Outcome.FAILED, failed),
            freed(claim.batch_id),
            commit=True,
        )

    return _in_transaction(engine, claim, _GIVE_UP, {}, work)


_FREE: Final = text("""
WITH freed AS (
  UPDATE batches SET after = array_remove(after, CAST(:batch AS bigint))
  WHERE after @> ARRAY[CAST(:batch AS bigint)] AND after <> '{}'
  RETURNING event_id, origin, account_id, due_at, status, after)
INSERT INTO lanes (event_id, origin, account_id, due_at, ready)
SELECT event_id, origin, min(account_id), min(due_at), min(due_at) <= now() FROM freed
WHERE status = 'PENDING' AND after = '{}'
GROUP BY event_id, origin ORDER BY event_id, origin
ON CONFLICT (event_id, origin) DO UPDATE SET
  due_at = least(lanes.due_at, excluded.due_at), ready = lanes.ready OR excluded.ready""")
"""Frees those that wait for a batch, and lowers the lanes of those that wait for no other."""


def freed(batch_id: int) -> Query[None]:
    """Free those that wait for a batch, which holds its contacts no longer; under the event's lock, before a commit."""
    return Query(_FREE, {"batch": batch_id})


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


def _in_transaction(
    engine: Engine, claim: Claim, move: Update, facts: Mapping[str, object], work: Callable[[Connection], None]
) -> bool:
    ended = Query(move, {"batch": claim.batch_id, "token": claim.token, **facts})

    def locked() -> bool:
        with begin(engine) as connection:
            _, moved = trip(
                connection,
                locks.lock(claim.event_id),
                ended,
            )
            if moved.count:
                work(connection)
            return bool(moved.count)

    owned = repeat(locked)
    if not owned:
        log.warning("lease lost", batch=claim.batch_id)
    return owned


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


def _split(connection: Connection, claim: Claim, apart: PartialAnswer) -> list[Query[None]]:
    """Move the answered members of a batch, which was just moved itself, to a COMPLETE batch of their own."""
    answered = sorted(apart.indexes)
    if not answered:
        return []
    (batch_id,) = draw(connection, BATCH_IDS, 1)
    facts = {
        "id": claim.batch_id,
        "batch_id": batch_id,
        "moved": [claim.members[index].id for index in answered],
        "number": len(answered),
        "contact_ids": [apart.answer.delivered.get(index) for index in answered],
    }
    log.info("batch split", batch=claim.batch_id, answered_batch=batch_id, records=len(answered))
    return [
        Query(_SPLIT, facts),
        Query(_MOVE_ANSWERED, facts),
        *_answered(replace(claim, batch_id=batch_id), apart.answer, apart.attempts),
    ]


_KNOWS_EVENTS: Final = (
    update(Account)
    .where(
        Account.id == select(Batch.account_id).where(Batch.id == bindparam("batch")).scalar_subquery(),
        Account.unknown_events != NOBODY,
    )
    .values(unknown_events=NOBODY)
)
"""HubSpot took something of the account: so its token and its address are right."""


def _answered(claim: Claim, answer: Settled, attempts: Mapping[int, int]) -> list[Query[None]]:
    return [
        *_errors(claim, Outcome.REJECTED, answer.rejected, attempts),
        *_errors(claim, Outcome.UNCONFIRMED, answer.unconfirmed, attempts),
        *([Query(_KNOWS_EVENTS, {"batch": claim.batch_id})] if answer.delivered else []),
    ]


_X: Final = (
    func.jsonb_to_recordset(cast(bindparam("rows", type_=Text), JSONB))
    .table_valued(
        *(column("record_id", BigInteger), column("attempt_id", BigInteger), column("category", Text)),
        *(column("code", Text), column("message", Text), column("context", JSONB), column("group_id", Text)),
        name="x",
    )
    .render_derived(with_types=True)
)
_WAS_CALLED_BEFORE: Final = or_(Batch.claims > literal_column("1"), Batch.origin == fixed(Origin.RETRY))
"""Most batches were not, and nothing more is asked of them."""


def _insert_errors(outcome: Outcome, looked_for: ColumnElement[bool]) -> Insert:
    """Build what stores errors of a batch's records; those that are looked for are due after so many seconds."""
    doubt = select(looked_for.label("is_looked_for")).correlate(Batch, Record).lateral("doubt")
    context: ColumnElement[object] = _X.c.context
    if outcome is not Outcome.UNCONFIRMED:
        context = case((doubt.c.is_looked_for, _X.c.context.concat(LOOKED_FOR)), else_=context)
    rows = (
        select(*(_X.c.record_id, Record.batch_id, Batch.account_id, _X.c.attempt_id, fixed(outcome)))
        .add_columns(*(_X.c.category, _X.c.code, _X.c.message, context, _X.c.group_id))
        .add_columns(case((doubt.c.is_looked_for, func.now() + seconds("first_read"))))
        .join(Record, Record.id == _X.c.record_id)
        .join(Batch, Batch.id == Record.batch_id)
        .join(doubt, true())
        .order_by(Record.position)  # an error's id tells the order in which a batch's records are looked for and listed
    )
    columns = ["record_id", "batch_id", "account_id", "attempt_id", "outcome", "category", "code", "message"]
    return insert(Error).from_select([*columns, "context", "group_id", "verify_at"], rows)


_STORE_UNCONFIRMED: Final = _insert_errors(Outcome.UNCONFIRMED, true())
_STORE_REJECTED: Final = _insert_errors(Outcome.REJECTED, and_(_WAS_CALLED_BEFORE, MAY_HAVE_ARRIVED))
_STORE_FAILED: Final = _insert_errors(Outcome.FAILED, MAY_HAVE_ARRIVED)
_STORE_ERRORS: Final = {
    Outcome.UNCONFIRMED: _STORE_UNCONFIRMED,
    Outcome.REJECTED: _STORE_REJECTED,
    Outcome.FAILED: _STORE_FAILED,
}


def _errors(
    claim: Claim, outcome: Outcome, rejections: Mapping[int, Rejection], attempts: Mapping[int, int] = NONE
) -> list[Query[None]]:
    if not rejections:
        return []
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
    return [Query(_STORE_ERRORS[outcome], {"first_read": FIRST_READ, "rows": json(rows)})]


def _attempt_ended(claim: Claim, call: AttemptResult | None, answer: Settled | None = None) -> list[Query[None]]:
    if claim.attempt_id is None:
        return []
    if call is None:  # nothing was called
        return [calls.forgotten(claim.attempt_id)]
    return [calls.completed_with(claim.attempt_id, call, answer)]
