"""A record's outcome, derived in this one place: that of its last error in its present batch, else its batch's.

Only the resolution `confirmed` makes an error's record delivered; `dismissed` changes nothing.
"""

from typing import Final

from sqlalchemy import ColumnElement, Text, case, cast, func, literal_column, select, type_coerce
from sqlalchemy.orm import aliased

from models.tables import Batch, Error, Record, fixed, words
from models.words import Outcome, Resolution, Status


def last_error_of(record: type[Record]) -> type[Error]:
    """Give the last error of a record in its present batch: `.outerjoin(…, true())`."""
    return aliased(
        Error,
        select(Error)
        .where(Error.record_id == record.id, Error.batch_id == record.batch_id)
        .order_by(Error.id.desc())
        .limit(literal_column("1"))
        .lateral("last_error"),
    )


def outcome_of(batch: type[Batch], error: type[Error]) -> ColumnElement[Outcome]:
    """Give the outcome of a record of this batch whose last error in it this is."""
    return type_coerce(
        case(
            (error.resolution == fixed(Resolution.CONFIRMED), literal_column("'delivered'")),
            (error.id.is_not(None), cast(error.outcome, Text)),
            (batch.status == fixed(Status.COMPLETE), literal_column("'delivered'")),
            else_=func.lower(cast(batch.status, Text)),
        ),
        words(Outcome),
    )


LastError: Final = last_error_of(Record)
"""The last error of a `Record` in its present batch."""
outcome: Final = outcome_of(Batch, LastError)
"""The outcome of a `Record` that is joined with its `Batch` and its `LastError`."""


def of_batch(status: str) -> str:
    """Give the outcome of a record without an error, by its batch's status."""
    return Outcome.DELIVERED.value if status == Status.COMPLETE else status.lower()
