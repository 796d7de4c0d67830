"""Which batches: of an event, an account, a state; the part that all filters share."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement

from models.tables import Account, Event
from models.words import State


def batch_conditions(
    batch: Any,  # noqa: ANN401 - the columns of a batch
    event: str | None = None,
    account: str | None = None,
    state: State | None = None,
) -> Iterator[ColumnElement[bool]]:
    """Give the conditions of batches of what is named, with their `Event` and `Account`."""
    if event is not None:
        yield Event.named(event)
    if account is not None:
        yield Account.name == account
    if state is not None:
        yield batch.state == state
