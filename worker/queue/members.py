"""The records of a claimed batch, as they are sent; with the moment of their acceptance where that is counted."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, case, func, select

from models.tables import Record, Submission
from worker.metrics import count


@dataclass(frozen=True, slots=True)
class Member:
    """A record of a claimed batch, to be sent."""

    id: int
    position: int
    contact: str
    input: dict[str, object]
    accepted_at: float | None = None
    """By this process's monotonic clock; none where nothing is counted."""


_MEMBERS: Final = (
    select(Record.id, Record.position, Record.contact, Record.input, Record.unanswered().label("unanswered"))
    .where(Record.batch_id == bindparam("batch"))
    .order_by(Record.position)
)
_AGE_OF_RECORD: Final = (
    select(func.date_part("epoch", func.now() - Submission.received_at))  # `extract` counts in numerics, slowly
    .where(Submission.id == Record.submission_id)
    .scalar_subquery()
)
_IS_TENTH: Final = func.row_number().over(order_by=Record.position) % 10 == 1
_MEMBERS_WITH_AGES: Final = _MEMBERS.add_columns(case((_IS_TENTH, _AGE_OF_RECORD)).label("age"))
"""The same with the seconds since every tenth was accepted: those behind it joined the batch right after it."""


def read_members(connection: Connection, batch_id: int) -> tuple[int, list[Member]]:
    """Read a batch's records: how many there are, and those of them that are still to be sent."""
    counts = count.is_on()
    rows = connection.execute(_MEMBERS_WITH_AGES if counts else _MEMBERS, {"batch": batch_id}).all()
    return len(rows), _with_ages(rows) if counts else [_member(row) for row in rows if row.unanswered]


def _member(row: Row[Any], accepted_at: float | None = None) -> Member:
    return Member(row.id, row.position, row.contact, row.input, accepted_at)


def _with_ages(rows: Sequence[Row[Any]]) -> list[Member]:
    """Give the members with the moment of their acceptance: that of the one before where a row has none."""
    now = moment = time.monotonic()
    members = []
    for row in rows:
        moment = moment if row.age is None else now - row.age
        if row.unanswered:
            members.append(_member(row, moment))
    return members
