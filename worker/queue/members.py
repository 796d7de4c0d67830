"""The records of a claimed batch, as they are sent; with the moment of their acceptance where that is counted."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Text, bindparam, case, cast, func, select

from models.tables import Record, Submission
from worker.metrics import count
from worker.trip import Query


@dataclass(frozen=True, slots=True)
class Member:
    """A record of a claimed batch, to be sent."""

    id: int
    position: int
    contact: str
    input: str
    """What is sent, as JSON."""
    accepted_at: float | None = None
    """By this process's monotonic clock; none where nothing is counted."""


MemberRow = tuple[int, int, str, str, bool]
"""Record, position, contact, what is sent, and whether that is still to be done."""
MemberRowWithAge = tuple[int, int, str, str, bool, float | None]
_COLUMNS: Final = (
    Record.id,
    Record.position,
    Record.contact,
    cast(Record.input, Text),  # it goes on as it is
    Record.unanswered().label("unanswered"),
)
_IN_BATCH: Final = Record.batch_id == bindparam("batch")
_MEMBERS: Final = select(*_COLUMNS).where(_IN_BATCH).order_by(Record.position)
_AGE_OF_RECORD: Final = (
    select(func.date_part("epoch", func.now() - Submission.received_at))  # `extract` counts in numerics, slowly
    .where(Submission.id == Record.submission_id)
    .scalar_subquery()
)
_IS_TENTH: Final = func.row_number().over(order_by=Record.position) % 10 == 1
_AGE: Final = case((_IS_TENTH, _AGE_OF_RECORD)).label("age")
_MEMBERS_WITH_AGES: Final = select(*_COLUMNS, _AGE).where(_IN_BATCH).order_by(Record.position)
"""The same with the seconds since every tenth was accepted: those behind it joined the batch right after it."""


def members_of(batch_id: int) -> Query[MemberRow | MemberRowWithAge]:
    """Ask for a batch's records, as part of a trip."""
    facts = {"batch": batch_id}
    return Query(_MEMBERS_WITH_AGES, facts) if count.is_on() else Query(_MEMBERS, facts)


def to_be_sent(rows: Sequence[MemberRow | MemberRowWithAge]) -> list[Member]:
    """Give those of a batch's records that are still to be sent.

    With the moment of their acceptance, where that is counted: that of the one before where a row has none.
    """
    now = moment = time.monotonic()
    members = []
    for record_id, position, contact, sent, unanswered, *age in rows:
        if age:
            moment = moment if age[0] is None else now - age[0]
        if unanswered:
            members.append(Member(record_id, position, contact, sent, moment if age else None))
    return members
