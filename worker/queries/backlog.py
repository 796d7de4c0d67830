"""What is not finished, in numbers: by account and reason, and for how long. Bounded: it is read every few seconds.

The reasons are words of a closed list; `waiting` has them in sentences.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Connection, Float, Select, and_, case, cast, func, select, true
from sqlalchemy.orm import aliased

from models.tables import Account, Batch, Lane, fixed
from models.words import Status
from worker.database import rows_as
from worker.queries.rows import AT_MOST
from worker.queries.waiting import looked_for

LANES: Final = 500
"""Lanes of an account in which what is due is looked for: those that are served next, and those due first."""


class WaitsBecause(StrEnum):
    """Why records wait."""

    DUE = "due"
    GATHERING = "gathering"
    POSTPONED = "postponed"
    EARLIER_BATCHES = "earlier_batches"
    ACCOUNT_WAITING = "account_waiting"
    ACCOUNT_PAUSED = "account_paused"
    ACCOUNT_REMOVED = "account_removed"
    SENDING = "sending"
    READ_BACK = "read_back"


@dataclass(frozen=True, slots=True)
class Backlog:
    """Records of an account that wait for one reason; `oldest` is the age in seconds of the oldest of their batches."""

    account: str
    reason: str
    batches: int
    records: int
    oldest: float


@dataclass(frozen=True, slots=True)
class Behind:
    """For how many seconds the oldest due record of an account could have been sent."""

    account: str
    seconds: float


def _age(moment: Any) -> ColumnElement[float]:  # noqa: ANN401 - a column or an aggregate of one
    return cast(func.extract("epoch", func.now() - moment), Float)


def _reason(batch: Any) -> ColumnElement[str]:  # noqa: ANN401 - the columns of a batch
    return case(
        (batch.status == fixed(Status.PROCESSING), WaitsBecause.SENDING.value),
        (Account.removed_at.is_not(None), WaitsBecause.ACCOUNT_REMOVED.value),
        (Account.paused_at.is_not(None), WaitsBecause.ACCOUNT_PAUSED.value),
        (Account.parked_until > func.now(), WaitsBecause.ACCOUNT_WAITING.value),
        (batch.after != [], WaitsBecause.EARLIER_BATCHES.value),
        (batch.due_at <= func.now(), WaitsBecause.DUE.value),
        (batch.postponed_because != "", WaitsBecause.POSTPONED.value),
        else_=WaitsBecause.GATHERING.value,
    )


def _of_batches() -> Select[str, str, int, int, float]:
    """Group the oldest batches that are not finished; those being sent are few."""
    few = [
        select(Batch).where(Batch.status == fixed(status)).order_by(Batch.id).limit(AT_MOST)
        for status in (Status.PENDING, Status.PROCESSING)
    ]
    batch = aliased(Batch, few[0].union_all(few[1]).subquery("batch"))
    return (
        select(
            Account.name.label("account"),
            _reason(batch).label("reason"),
            func.count().label("batches"),
            cast(func.sum(batch.size), BigInteger).label("records"),
            _age(func.min(batch.created_at)).label("oldest"),
        )
        .select_from(batch)
        .join(Account, Account.id == batch.account_id)
        .group_by("account", "reason")
    )


def _looked_for() -> Select[Any]:
    """Group the records that are looked for in HubSpot."""
    error = looked_for(AT_MOST)
    return (
        select(
            Account.name.label("account"),
            cast(WaitsBecause.READ_BACK.value, Account.name.type).label("reason"),
            func.count(error.batch_id.distinct()).label("batches"),
            func.count().label("records"),
            _age(func.min(error.created_at)).label("oldest"),
        )
        .select_from(error)
        .join(Account, Account.id == error.account_id)
        .group_by("account")
    )


def _behind() -> Select[str, float]:
    """Give for each account that may send how long its oldest due batch is due, in the lanes that are served next.

    A lane's time is never later than its earliest batch's, and may be earlier: so its batches are looked at.
    """
    ready = select(Lane.event_id, Lane.origin).where(Lane.account_id == Account.id, Lane.ready)
    becoming = select(Lane.event_id, Lane.origin).where(
        Lane.account_id == Account.id, ~Lane.ready, Lane.due_at <= func.now()
    )
    lanes = (
        ready.order_by(Lane.served_at)
        .limit(LANES)
        .correlate(Account)
        .union_all(becoming.order_by(Lane.due_at).limit(LANES).correlate(Account))
        .lateral("lane")
    )
    due = (
        select(Batch.due_at)
        .where(
            Batch.event_id == lanes.c.event_id,
            Batch.origin == lanes.c.origin,
            Batch.claimable(),
            Batch.due_at <= func.now(),
        )
        .order_by(Batch.due_at)
        .limit(1)
        .lateral("due")
    )
    may_send = and_(Account.removed_at.is_(None), Account.may_send())
    return (
        select(Account.name.label("account"), _age(func.min(due.c.due_at)).label("seconds"))
        .select_from(Account)
        .join(lanes, true())
        .join(due, true())
        .where(may_send)
        .group_by(Account.name)
    )


BATCHES: Final = _of_batches()
LOOKED_FOR: Final = _looked_for()
BEHIND: Final = _behind()


def backlog(connection: Connection) -> list[Backlog]:
    """Say what is not finished, as far as so many of the oldest batches tell."""
    return [row for each in (BATCHES, LOOKED_FOR) for row in rows_as(Backlog, connection.execute(each))]


def behind(connection: Connection) -> list[Behind]:
    """Say how far delivery is behind, by account; none of those with nothing due."""
    return rows_as(Behind, connection.execute(BEHIND))
