"""What happened to records: the calls that were made for them, and their errors."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from sqlalchemy import ARRAY, BigInteger, Connection, any_, bindparam, select

from models.tables import Attempt, Error
from models.words import AttemptKind, Outcome, Resolution
from worker.database import columns_of, rows_as


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """One call to HubSpot, as its row has it."""

    is_error: ClassVar[bool] = False

    id: int
    kind: AttemptKind
    batch_id: int | None
    sent: int
    started_at: datetime
    finished_at: datetime | None
    answer: str
    http_status: int | None
    duration_ms: int | None
    delivered: int
    rejected: int
    unconfirmed: int
    correlation_id: str
    excerpt: str
    account_id: int | None

    @property
    def at(self) -> datetime:
        """Give when it happened."""
        return self.started_at


@dataclass(frozen=True, slots=True)
class PastError:
    """One error of a record, open or resolved, as its row has it."""

    is_error: ClassVar[bool] = True

    id: int
    record_id: int
    batch_id: int
    attempt_id: int | None
    outcome: Outcome
    category: str
    code: str
    message: str
    context: dict[str, object]
    created_at: datetime
    verify_at: datetime | None
    account_id: int | None
    reads: int
    resolution: Resolution | None
    resolved_at: datetime | None
    group_id: str | None
    resolved_because: str

    @property
    def at(self) -> datetime:
        """Give when it happened."""
        return self.created_at


_ATTEMPTS: Final = select(*columns_of(Attempt, PastAttempt)).order_by(Attempt.id).limit(bindparam("most"))
_OF_BATCH: Final = _ATTEMPTS.where(Attempt.batch_id == bindparam("id"))
_OF_BATCHES: Final = _ATTEMPTS.where(Attempt.batch_id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
_ERRORS: Final = (
    select(*columns_of(Error, PastError))
    .where(Error.record_id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
    .order_by(Error.id)
    .limit(bindparam("most"))
)


def attempts_of_batch(connection: Connection, batch_id: int, most: int) -> list[PastAttempt]:
    """Read the first calls for a batch, in the order of an index: there may be very many."""
    return rows_as(PastAttempt, connection.execute(_OF_BATCH, {"id": batch_id, "most": most}))


def attempts_of(connection: Connection, batch_ids: Collection[int], most: int) -> list[PastAttempt]:
    """Read the first calls for these batches."""
    return rows_as(PastAttempt, connection.execute(_OF_BATCHES, {"ids": list(batch_ids), "most": most}))


def errors_of(connection: Connection, record_ids: Collection[int], most: int) -> list[PastError]:
    """Read the first errors of these records."""
    return rows_as(PastError, connection.execute(_ERRORS, {"ids": list(record_ids), "most": most}))
