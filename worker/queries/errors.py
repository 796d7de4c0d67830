"""Unresolved errors, one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, select

from models.message import Json
from models.tables import Account, Batch, Error, Event, Record, ids
from models.words import Outcome, State
from worker.database import rows_as
from worker.queries.error_filter import Filter, FoundError, first, next_of
from worker.queries.rows import AT_MOST, NEWEST
from worker.queries.scan import Span


@dataclass(frozen=True, slots=True)
class OpenError:
    """Why a record is not delivered, as lists and previews show it."""

    id: int
    created_at: datetime
    outcome: Outcome
    category: str
    code: str
    message: str
    group_id: str | None
    batch_id: int
    record_id: int
    contact: str
    input: Json
    account: str
    event_id: int
    event: str
    state: State


_SHOWN: Final = (
    select(
        *(Error.id, Error.created_at, Error.outcome, Error.category, Error.code, Error.message, Error.group_id),
        *(Error.batch_id, Error.record_id, Record.contact, Record.input, Account.name.label("account")),
        *(Batch.event_id, Event.label().label("event"), Batch.state),
    )
    .join(Record, Record.id == Error.record_id)
    .join(Batch, Batch.id == Error.batch_id)
    .join(Event, Event.id == Batch.event_id)
    .join(Account, Account.id == Batch.account_id)
    .where(Error.id == ids("errors"))
    .order_by(Error.id.desc())
)


def show_errors(connection: Connection, found: Sequence[FoundError]) -> list[OpenError]:
    """Show errors that were found, the newest first."""
    return rows_as(OpenError, connection.execute(_SHOWN, {"errors": [one.id for one in found]}))


def list_errors(engine: Engine, chosen: Filter, limit: int = 50, before: int | None = None) -> list[OpenError]:
    """List unresolved errors, the newest first, however many have to be looked at."""
    with engine.connect() as connection:
        return show_errors(connection, first(connection, chosen, limit, _older_than(before)))


def page_of_errors(
    engine: Engine, chosen: Filter, limit: int, before: int | None, at_most: int
) -> tuple[list[OpenError], int | None]:
    """List those of so many that are looked at, and the `before` with which to go on; none at the end."""
    with engine.connect() as connection:
        found, left = next_of(connection, chosen, _older_than(before, at_most), limit)
        return show_errors(connection, found), None if left is None else left.until + 1


def _older_than(before: int | None, at_most: int = AT_MOST) -> Span:
    return Span(0, NEWEST if before is None else before - 1, at_most, newest_first=True)
