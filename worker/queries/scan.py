"""Bounded scans: rows in the order of their ids, so many of them looked at, however few are chosen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Select, select, true
from sqlalchemy.orm import InstrumentedAttribute

from worker.queries.rows import AT_MOST, NEWEST

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Span:
    """Ids behind `after` up to `until`, from one end on, and of their rows at most so many."""

    after: int = 0
    until: int = NEWEST
    at_most: int = AT_MOST
    newest_first: bool = False

    def of(self, id_: InstrumentedAttribute[int]) -> Iterator[ColumnElement[bool]]:
        """Give the conditions of an id within it."""
        yield id_ > self.after
        yield id_ <= self.until

    def order(self, id_: Any) -> ColumnElement[int]:  # noqa: ANN401 - a column of ids
        """Give the order in which its rows are looked at."""
        ordered: ColumnElement[int] = id_.desc() if self.newest_first else id_.asc()
        return ordered

    def beyond(self, last: int) -> Self | None:
        """Give what is left of it behind the last id that was looked at, if anything."""
        left = replace(self, until=last - 1) if self.newest_first else replace(self, after=last)
        return left if left.after < left.until else None


def look(  # noqa: PLR0913, PLR0917
    connection: Connection,
    kind: Callable[..., T],
    span: Span,
    looked_at: Select[Any] | CompoundSelect[Any],
    found: Select[*tuple[Any, ...]],
    limit: int,
) -> tuple[list[T], Span | None]:
    """Read the first that is found in a span, by its `id`, each as a `kind`; say too what is left to be looked at.

    `looked_at` are the ids of the span. How far they reach is asked in the same statement: what others do meanwhile
    could otherwise let it go on behind rows that nobody has looked at.
    """
    reach = select(looked_at.offset(span.at_most - 1).limit(1).scalar_subquery().label("last")).subquery("reach")
    first = found.order_by(span.order(found.selected_columns.id)).limit(limit).subquery("first")
    both = select(reach.c.last, *first.c).select_from(reach).outerjoin(first, true())
    rows = connection.execute(both.order_by(span.order(first.c.id))).all()
    read = [row for row in rows if row.id is not None]
    last = read[-1].id if len(read) == limit else rows[0].last
    return [kind(*row[1:]) for row in read], None if last is None else span.beyond(last)
