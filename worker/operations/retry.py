"""Retry: the chosen records move into new batches, those of many old ones packed together.

Whoever resolves the open error, by one guarded UPDATE, owns what follows; the error keeps the old batch and attempt
and is the history. A waiting retry holds nobody; its claim looks for what overtook it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, exists, select
from sqlalchemy.orm import aliased

from models.tables import Batch, Error, ids
from worker.database import rows_as
from worker.queries.error_filter import Filter, next_of
from worker.queries.scan import Span


@dataclass(frozen=True, slots=True)
class ErrorToRetry:
    """An open error that a step takes, with its record, and the event that is locked for it."""

    id: int
    record_id: int
    event_id: int


_later = aliased(Error)
_TARGETS: Final = (
    select(Error.id, Error.record_id, Batch.event_id)
    .join(Batch, Batch.id == Error.batch_id)
    .where(Error.id == ids("errors"))
    .order_by(Error.id)
)
_LAST_OF_RECORDS: Final = _TARGETS.where(
    ~exists().where(_later.record_id == Error.record_id, _later.batch_id == Error.batch_id, _later.id > Error.id)
)


def find(connection: Connection, chosen: Filter, span: Span, limit: int) -> tuple[list[ErrorToRetry], Span | None]:
    """Find the next chosen errors of a span, each its record's last; say too what is left to be looked at."""
    found, left = next_of(connection, chosen, span, limit)
    return rows_as(ErrorToRetry, connection.execute(_LAST_OF_RECORDS, {"errors": [one.id for one in found]})), left


def targets_of(connection: Connection, error_ids: Sequence[int]) -> list[ErrorToRetry]:
    """Read errors as `find` gives them."""
    return rows_as(ErrorToRetry, connection.execute(_TARGETS, {"errors": list(error_ids)}))
