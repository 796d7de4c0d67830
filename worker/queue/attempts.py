"""Attempts: the row of each call to HubSpot, inserted before the call and completed once after it."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, update

from hubspot_api.answer import Answer, Settled
from models.tables import Attempt, ids
from models.words import AttemptKind
from worker.database import repeat
from worker.trip import Query


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What an attempt's row says of the call: a word for the answer, status, milliseconds, what to quote of it."""

    answer: str
    http_status: int | None
    duration_ms: int
    correlation_id: str
    excerpt: str

    def traced(self) -> dict[str, str | int]:
        """Give what a trace shows of it."""
        status = {} if self.http_status is None else {"http.response.status_code": self.http_status}
        return {"turnout.answer": self.answer, **status}


_BEGIN: Final = insert(Attempt).returning(Attempt.id)


def begun(kind: AttemptKind, account_id: int, batch_id: int | None, sent: int) -> Query[tuple[int]]:
    """Ask, as part of a trip, for the id of a call that is put on record."""
    return Query(_BEGIN, {"kind": kind, "batch_id": batch_id, "account_id": account_id, "sent": sent})


def begin(connection: Connection, kind: AttemptKind, account_id: int, batch_id: int | None, sent: int) -> int:
    """Put a call on record before it is made; `batch_id` is None where it asks for records of several batches."""
    attempt_id: int = begun(kind, account_id, batch_id, sent).alone(connection).scalar_one()
    return attempt_id


_COMPLETE: Final = (
    update(Attempt)
    .where(Attempt.id == bindparam("attempt"), Attempt.is_under_way())
    .values(finished_at=func.clock_timestamp())
)
"""Its other values are an `AttemptResult` and the counts, by their columns' names."""


def completed(
    attempt_id: int, result: AttemptResult, *, delivered: int = 0, rejected: int = 0, unconfirmed: int = 0
) -> Query[None]:
    """Complete an attempt, once: what came back, and for how many of its records that was an answer."""
    counts = {"delivered": delivered, "rejected": rejected, "unconfirmed": unconfirmed}
    return Query(_COMPLETE, {"attempt": attempt_id, **asdict(result), **counts})


def completed_with(attempt_id: int, result: AttemptResult, answer: Answer | None) -> Query[None]:
    """Complete an attempt by the answer that it brought."""
    settled = answer if isinstance(answer, Settled) else Settled({}, {}, {})
    return completed(
        attempt_id,
        result,
        delivered=len(settled.delivered),
        rejected=len(settled.rejected),
        unconfirmed=len(settled.unconfirmed),
    )


def complete_alone(engine: Engine, attempt_id: int, result: AttemptResult, answer: Answer | None = None) -> None:
    """Complete the attempt of a call that leaves its batch as it is."""

    def work() -> None:
        with engine.begin() as connection:
            completed_with(attempt_id, result, answer).alone(connection)

    repeat(work)


_FORGET: Final = delete(Attempt).where(Attempt.id == bindparam("attempt"))


def forgotten(attempt_id: int) -> Query[None]:
    """Delete, as part of a trip, an attempt for which nothing was called."""
    return Query(_FORGET, {"attempt": attempt_id})


def forget_alone(engine: Engine, attempt_id: int) -> None:
    """Delete, in a transaction of its own, an attempt for which nothing was called."""
    with engine.begin() as connection:
        forgotten(attempt_id).alone(connection)


_LOSE: Final = (
    update(Attempt)
    .where(Attempt.batch_id == bindparam("batch"), Attempt.is_under_way())
    .values(finished_at=func.clock_timestamp(), answer="lost")
)


def lose(connection: Connection, batch_id: int) -> None:
    """Complete what a lost worker left open of a batch: its calls may have arrived."""
    connection.execute(_LOSE, {"batch": batch_id})


FORGET_BATCHES: Final = delete(Attempt).where(Attempt.batch_id == ids("batches"))
_OLDEST: Final = select(Attempt.id).where(Attempt.batch_id.is_(None)).order_by(Attempt.id).limit(bindparam("most"))
OLDEST_READ_BACKS: Final = delete(Attempt).where(Attempt.started_at < bindparam("cutoff"), Attempt.id.in_(_OLDEST))
"""Deletes the oldest calls for records of several batches, by the index of those."""


def forget_batches(connection: Connection, batch_ids: Collection[int]) -> int:
    """Delete the attempts of batches that go; give how many those were."""
    return connection.execute(FORGET_BATCHES, {"batches": list(batch_ids)}).rowcount


def forget_oldest_read_backs(connection: Connection, cutoff: datetime, most: int) -> int:
    """Delete the oldest calls of before then that asked for records of several batches; give how many those were."""
    return connection.execute(OLDEST_READ_BACKS, {"cutoff": cutoff, "most": most}).rowcount
