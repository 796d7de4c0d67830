"""Why batches wait: for which others, for their account, since what came back, or for their turn.

One wording for every place that shows a batch.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, bindparam, case, cast, func, select
from sqlalchemy.orm import aliased

from models.tables import Account, Batch, Error, fixed, ids
from models.words import Status
from worker.database import rows_as
from worker.queries.rows import AT_MOST

FOR_OTHERS: Final = "waits for an earlier batch of the same people"
LOOKED_AT: Final = AT_MOST // 4
"""Batches that are looked at, the oldest."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Records of an account that wait for one reason, with the number of their batches."""

    account: str
    why: str
    batches: int
    records: int
    oldest: datetime
    until: datetime | None


def waits_because(batch: Any) -> ColumnElement[str]:  # noqa: ANN401 - the columns of a batch
    """Give why a batch that is pending waits, as people read it; its account is joined."""
    return func.coalesce(
        case((batch.after != [], FOR_OTHERS)),
        Account.stopped_because(),
        func.nullif(batch.postponed_because, ""),
        case((batch.due_at > func.now(), "gathers more records"), else_="waits for its turn"),
    )


def grouped(of_event: int | None = None) -> Select[Any]:
    """Give the waiting batches, all or those of an event, by account and reason, the most first."""
    of = Batch.status == fixed(Status.PENDING)
    oldest = select(Batch).where(of if of_event is None else of & (Batch.event_id == of_event))
    batch = aliased(Batch, oldest.order_by(Batch.id).limit(LOOKED_AT).subquery("batch"))
    until = func.greatest(func.min(batch.due_at), func.min(Account.parked_until))
    number = func.count().label("batches")
    return (
        select(
            Account.name.label("account"),
            waits_because(batch).label("why"),
            number,
            cast(func.sum(batch.size), BigInteger).label("records"),
            func.min(batch.created_at).label("oldest"),
            case((func.min(Account.paused_at).is_(None), until)).label("until"),
        )
        .select_from(batch)
        .join(Account, Account.id == batch.account_id)
        .group_by("account", "why")
        .order_by(number.desc())
        .limit(20)
    )


def looked_for(at_most: int) -> type[Error]:
    """Give the errors whose records are looked for in HubSpot, those due first: they wait, and no batch does."""
    few = select(Error).where(Error.verify_at.is_not(None)).order_by(Error.account_id, Error.verify_at)
    return aliased(Error, few.limit(at_most).subquery("error"))


def of_event(connection: Connection, event_id: int) -> list[Waiting]:
    """Say why the records of an event wait."""
    return rows_as(Waiting, connection.execute(grouped(event_id)))


_WHY: Final = (
    select(Batch.id, waits_because(Batch).label("why"))
    .join(Account, Account.id == Batch.account_id)
    .where(Batch.id == ids("of"), Batch.status == bindparam("status", Status.PENDING))
)


def why(connection: Connection, batch_ids: Collection[int]) -> dict[int, str]:
    """Say of each batch that waits why it does."""
    return {row.id: row.why for row in connection.execute(_WHY, {"of": sorted(batch_ids)})}
