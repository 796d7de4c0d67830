"""Traces of producers: the spans in which the records of a batch were submitted, for its own trace to link to."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Engine, bindparam, select
from sqlalchemy.exc import SQLAlchemyError

from models.tables import Record, Trace

PRODUCERS: Final = (
    select(Trace.traceparent)
    .join(Record, Record.submission_id == Trace.submission_id)
    .where(Record.batch_id == bindparam("batch"))
    .distinct()
    .limit(bindparam("most"))
)


def producers(engine: Engine, batch_id: int, most: int) -> Sequence[str]:
    """Give the `traceparent`s of a batch's producers, so many at most; none where the database does not answer.

    What is claimed is sent in any case.
    """
    try:
        with engine.connect() as connection:
            return connection.execute(PRODUCERS, {"batch": batch_id, "most": most}).scalars().all()
    except SQLAlchemyError:  # a pool without a free connection, too
        return ()
