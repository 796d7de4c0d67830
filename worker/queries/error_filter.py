"""Which open errors: the filter of pages, commands, jobs and schedules, and the one scan that finds what it chooses.

What the planner has to be told, measured with ten million records and half a million open errors:

- Open errors are looked at in the order of their ids, along the index that names them: of a group, a batch, a record,
  else of an outcome; outcome by outcome, each a constant, so that it knows that one which nothing has costs nothing.
- Each one's batch is looked up by its key (OFFSET 0): asked to join, the planner begins with all batches of an event.
- An open error is one in its record's present batch. To ask for that too misleads the planner, which takes it for rare
  and looks at everything (35 s for fifty of half a million).
- A filter that no index is of may choose few of many. Where all of these are wanted, they are looked for in any order
  first, by whatever the planner finds best: in the order of ids everything would be looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final, Self

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    func,
    literal_column,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import aliased

from models.tables import Account, Batch, Error, Event, among, fixed
from models.words import Outcome, Resolution, State
from worker.queries.batch_conditions import batch_conditions
from worker.queries.rows import AT_MOST
from worker.queries.scan import Span, look

OPEN: Final = (Outcome.REJECTED, Outcome.UNCONFIRMED, Outcome.FAILED)
"""The outcomes that are somebody's to look at."""
ANY_OPEN: Final = (*OPEN, Outcome.CANCELED)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which open errors: by outcome, and where given by batch, event, account, state, category, age, group and ids."""

    outcomes: Sequence[Outcome] = (Outcome.FAILED,)
    batch_id: int | None = None
    event: str | None = None
    account: str | None = None
    state: State | None = None
    category: str | None = None
    since: datetime | None = None
    group_id: str | None = None
    record_ids: Sequence[int] | None = None
    error_ids: Sequence[int] | None = None
    most_retries: int | None = None
    """Only of records that were retried less often."""
    schedule: str | None = None
    """The schedule that chose them, which narrows nothing."""

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Self:
        """Read a filter as `written` writes it."""
        named = dict(written)
        if "outcomes" in named:
            named["outcomes"] = tuple(map(Outcome, named["outcomes"]))
        if "state" in named:
            named["state"] = State(named["state"])
        if "since" in named:
            named["since"] = datetime.fromisoformat(named["since"])
        return cls(**named)

    @property
    def written(self) -> dict[str, object]:
        """Write it as JSON: what of it is set, by its names."""
        by = {"schedule": self.schedule} if self.schedule else {}
        return {"outcomes": list(self.outcomes), **self.narrowed, **by}

    @property
    def narrowed(self) -> dict[str, object]:
        """Write what of it is set beside the outcomes."""
        names = [one.name for one in fields(self) if one.name not in {"outcomes", "schedule"}]
        is_set = {name: value for name in names if (value := getattr(self, name)) is not None}
        listed = {name: list(is_set[name]) for name in ("record_ids", "error_ids") if name in is_set}
        since = {"since": self.since.isoformat()} if self.since else {}
        return is_set | listed | since

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Give the conditions of an `Error`, with its `Batch`, `Event` and `Account` where it `asks_for_batches`."""
        yield _open(*self.outcomes)
        yield from self.by_index()
        yield from self.beyond_index()

    def by_index(self) -> Iterator[ColumnElement[bool]]:
        """Give those of them whose errors an index names: no others are looked at."""
        if self.batch_id is not None:
            yield Error.batch_id == self.batch_id
        if self.group_id is not None:
            yield Error.group_id == self.group_id
        if self.record_ids is not None:
            yield Error.record_id == among(self.record_ids)
        if self.error_ids is not None:
            yield Error.id == among(self.error_ids)

    def beyond_index(self, error: type[Error] = Error, batch: type[Batch] = Batch) -> Iterator[ColumnElement[bool]]:
        """Give the others."""
        yield from batch_conditions(batch, self.event, self.account, self.state)
        if self.category is not None:
            yield error.category == self.category
        if self.since is not None:
            yield error.created_at >= self.since
        if self.most_retries is not None:
            before = aliased(Error)
            retried = select(func.count()).where(
                before.record_id == error.record_id, before.resolution == fixed(Resolution.RETRIED)
            )
            yield retried.scalar_subquery() < self.most_retries

    @property
    def asks_for_batches(self) -> bool:
        """Say whether its conditions are about more than the error itself."""
        return (self.event, self.account, self.state) != (None, None, None)


@dataclass(frozen=True, slots=True)
class FoundError:
    """An open error that was found."""

    id: int
    record_id: int


_LOOKED_AT: Final = (Error.id, Error.record_id, Error.batch_id, Error.group_id, Error.category, Error.created_at)
"""What conditions and readers need of an error that is looked at."""


def looked_at(chosen: Filter, span: Span, *columns: Any) -> Select[Any] | CompoundSelect[Any]:  # noqa: ANN401
    """Select the open errors that are looked at: those of a span, in its order, that an index names for the filter."""
    by_index = list(chosen.by_index())

    def each(*outcomes: Outcome) -> Select[Any]:
        where = (_open(*outcomes), *by_index, *span.of(Error.id))
        return select(*columns).where(*where).order_by(span.order(Error.id)).limit(span.at_most)

    if by_index or len(chosen.outcomes) == 1:
        return each(*chosen.outcomes)
    together = union_all(*map(each, chosen.outcomes))
    return together.order_by(span.order(together.selected_columns.id)).limit(span.at_most)


def scan(chosen: Filter, span: Span, *columns: str) -> Select[Any]:
    """Select these columns of what a filter chooses of the errors that are looked at."""
    error: Any = looked_at(chosen, span, *_LOOKED_AT).subquery("error").c
    found = select(*(error[name] for name in columns))
    if not chosen.asks_for_batches:
        return found.where(*chosen.beyond_index(error))
    needed = select(Batch.event_id, Batch.account_id, Batch.state).where(Batch.id == error.batch_id)
    batch: Any = needed.offset(literal_column("0")).lateral("batch")
    joined = found.join(batch, true()).join(Event, Event.id == batch.c.event_id)
    joined = joined.join(Account, Account.id == batch.c.account_id)
    return joined.where(*chosen.beyond_index(error, batch.c))


def chosen_errors(chosen: Filter, *columns: Any) -> Select[Any]:  # noqa: ANN401 - of an `Error`
    """Select all that a filter chooses, in any order, by whatever the planner finds best."""
    found = select(*columns).select_from(Error)
    if chosen.asks_for_batches:
        found = found.join(Batch, Batch.id == Error.batch_id).join(Event, Event.id == Batch.event_id)
        found = found.join(Account, Account.id == Batch.account_id)
    return found.where(*chosen.conditions())


def first(connection: Connection, chosen: Filter, limit: int, span: Span = Span()) -> list[FoundError]:  # noqa: B008
    """Find the first that a filter chooses of a span, in its order, however many have to be looked at."""
    at_most = max(limit, AT_MOST)
    if not chosen.narrowed.keys() <= {"group_id"}:
        few = chosen_errors(chosen, Error.id, Error.record_id).where(*span.of(Error.id))
        rows = connection.execute(few.limit(at_most + 1)).all()
        if len(rows) <= at_most:
            return sorted((FoundError(*row) for row in rows), key=lambda one: one.id, reverse=span.newest_first)[:limit]
        at_most *= 10  # it chooses many, and among so many there are enough, as a rule
    found: list[FoundError] = []
    left: Span | None = replace(span, at_most=at_most)
    while left is not None and len(found) < limit:
        more, left = next_of(connection, chosen, left, limit - len(found))
        found += more
    return found


def next_of(connection: Connection, chosen: Filter, span: Span, limit: int) -> tuple[list[FoundError], Span | None]:
    """Find the first that a filter chooses of those that are looked at; say too what is left to be looked at."""
    found = scan(chosen, span, "id", "record_id")
    return look(connection, FoundError, span, looked_at(chosen, span, Error.id), found, limit)


def _open(*outcomes: Outcome) -> ColumnElement[bool]:
    return Error.is_unresolved() & Error.outcome.in_([fixed(outcome) for outcome in outcomes])
