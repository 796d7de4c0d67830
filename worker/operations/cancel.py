"""Cancel: an operator takes batches that wait out of the queue; their records can be retried."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Integer,
    bindparam,
    false,
    func,
    insert,
    literal,
    select,
    text,
)

from models.error_signature import CANCELED, IN_DOUBT
from models.moves import Move
from models.tables import NOBODY, Account, Batch, Error, Event, Record, fixed, ids, seconds
from models.words import Outcome, Status
from worker.database import rows_as
from worker.queries.job_filter import CancelFilter
from worker.queries.scan import Span, look
from worker.queue import lanes
from worker.queue.in_doubt import FIRST_READ, MAY_HAVE_ARRIVED


@dataclass(frozen=True, slots=True)
class WaitingBatch:
    """A batch that a step cancels, and the event that is locked for it."""

    id: int
    event_id: int


def find(
    connection: Connection, chosen: CancelFilter, span: Span, limit: int
) -> tuple[list[WaitingBatch], Span | None]:
    """Find the next chosen batches of a span; say too what is left to be looked at."""
    needed = (Batch.id, Batch.event_id, Batch.account_id, Batch.state, Batch.status)
    waiting = select(*needed).where(Batch.status == fixed(Status.PENDING), *span.of(Batch.id))
    if chosen.batch_id is not None:
        waiting = waiting.where(Batch.id == chosen.batch_id)
    waiting = waiting.order_by(Batch.id).limit(span.at_most)
    batch: Any = waiting.subquery("waiting").c
    found = (
        select(batch.id, batch.event_id)
        .join(Event, Event.id == batch.event_id)
        .join(Account, Account.id == batch.account_id)
        .where(*chosen.conditions(batch))
    )
    return look(connection, WaitingBatch, span, waiting.with_only_columns(Batch.id), found, limit)


_BATCHES: Final = select(Batch.id, Batch.event_id).where(Batch.id == ids("batches")).order_by(Batch.id)


def batches_of(connection: Connection, batch_ids: Iterable[int]) -> list[WaitingBatch]:
    """Read batches as `find` gives them."""
    return rows_as(WaitingBatch, connection.execute(_BATCHES, {"batches": list(batch_ids)}))


_WAITED_FOR: Final = (
    select(Batch.after)
    .where(Batch.id == bindparam("batch"), Batch.status == fixed(Move.CANCEL.before))
    .where(Batch.size <= func.coalesce(bindparam("largest", type_=Integer), Batch.size))
    .with_for_update()
)
_CANCEL: Final = (
    Move.CANCEL.update()
    .where(Batch.id == bindparam("batch"))
    .values(open=false(), after=NOBODY, settled_at=func.now(), postponed_because="")
)
_NOTE_IN_DOUBT: Final = (
    insert(Error)
    .from_select(
        ["record_id", "batch_id", "account_id", "outcome", "category", "message", "group_id", "verify_at"],
        select(
            Record.id,
            Record.batch_id,
            Batch.account_id,
            fixed(Outcome.UNCONFIRMED),
            *map(literal, (IN_DOUBT.category, IN_DOUBT.gist, IN_DOUBT.group_id)),
            func.now() + seconds("first_read"),
        )
        .join(Batch, Batch.id == Record.batch_id)
        .where(Record.batch_id == bindparam("batch"), Record.unanswered(), MAY_HAVE_ARRIVED),
    )
    .returning(Error.record_id)
)
"""Those that HubSpot may have: a call for them brought no answer. They overtake what is older, and are looked for."""
_NOTE: Final = (
    insert(Error)
    .from_select(
        ["record_id", "batch_id", "outcome", "category", "message", "group_id"],
        select(
            Record.id,
            Record.batch_id,
            fixed(Outcome.CANCELED),
            *map(literal, (CANCELED.category, CANCELED.gist, CANCELED.group_id)),
        ).where(Record.batch_id == bindparam("batch"), Record.unanswered()),
    )
    .returning(Error.record_id)
)
_HAND_ON: Final = text("""
UPDATE batches SET after = ARRAY(
  SELECT DISTINCT w FROM unnest(array_remove(after, CAST(:batch AS bigint)) || CAST(:waited_for AS bigint[])) w
  ORDER BY w)
WHERE after @> ARRAY[CAST(:batch AS bigint)] AND after <> '{}' RETURNING id, after""")
"""Let those that wait for a canceled batch wait for what it waited for itself."""


def cancel(connection: Connection, batch_id: int, largest: int | None = None) -> list[int] | None:
    """Cancel a batch, whose event is locked, and give its records; what may have arrived is looked for at HubSpot.

    None where somebody else was faster, or where records were added to it beyond `largest`, which nobody was shown.
    """
    waited_for = connection.execute(_WAITED_FOR, {"batch": batch_id, "largest": largest}).scalar()
    if waited_for is None:
        return None
    connection.execute(_CANCEL, {"batch": batch_id})
    in_doubt = connection.execute(_NOTE_IN_DOUBT, {"batch": batch_id, "first_read": FIRST_READ}).scalars().all()
    canceled = [*in_doubt, *connection.execute(_NOTE, {"batch": batch_id}).scalars()]
    freed = connection.execute(_HAND_ON, {"batch": batch_id, "waited_for": waited_for})
    lanes.tell(connection, [row.id for row in freed if not row.after])
    return canceled
