"""Several statements that go to PostgreSQL in one round trip, each with its own snapshot, and their answers.

They are sent in psycopg's pipeline mode, so none can need the answer of the one before. To SQLAlchemy a trip is one
execution: what fails is raised and noted, and ends its connection, as it does for any statement.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Generic, TypeVar, TypeVarTuple, overload

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus
from sqlalchemy import Connection, CursorResult, Dialect, Engine, Executable, TextClause
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import TypedReturnsRows

T = TypeVar("T")
Row_co = TypeVar("Row_co", covariant=True)
Cols = TypeVarTuple("Cols")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")

TRIP: Final = "turnout_trip"
"""The execution option that carries a trip to `make`."""
BEGINS_WITH_TRIP: Final = "turnout_begins_with_trip"
"""The execution option of a connection whose transactions begin with their first trip."""
IS_POOLED: Final = "turnout_is_pooled"
"""What `Connection.info` says of a connection that leads to a pooler."""
PREPARED_AFTER: Final = 5
"""Executions after which a statement is prepared in a transaction that begins with a trip: psycopg's own default."""
PLANS_LAST: Final = 1.0
"""Seconds after which a session plans anew what is prepared. A plan made while a table was small may read it whole, and
PostgreSQL keeps it until the table is analyzed: where the first records had been analyzed, a message of a hundred took
32 ms after the next sixty thousand, and 4 planned anew."""
_PLANNED_AT: Final = "turnout_planned_at"
COMMIT: Final = "COMMIT"
DriverCursor = psycopg.Cursor[tuple[Any, ...]]
_Processor = Callable[[Any], Any] | None


class Query(Generic[Row_co]):
    """A statement, a constant of its module, with its parameters, and what each of its rows is.

    A row is a tuple of the statement's columns; with a `kind`, that NamedTuple, whose fields are named as they are, in
    their order. Raw SQL tells no types: where its rows are read, it needs a kind.
    """

    @overload
    def __init__(
        self: "Query[tuple[*Cols]]", statement: TypedReturnsRows[*Cols], facts: Mapping[str, object]
    ) -> None: ...
    @overload
    def __init__(
        self: "Query[T]",
        statement: TypedReturnsRows[*Cols],
        facts: Mapping[str, object],
        kind: Callable[[*Cols], T],
    ) -> None: ...
    @overload
    def __init__(
        self: "Query[T]", statement: TextClause, facts: Mapping[str, object], kind: Callable[..., T]
    ) -> None: ...
    @overload
    def __init__(self: "Query[None]", statement: Executable, facts: Mapping[str, object]) -> None: ...
    def __init__(
        self, statement: Executable, facts: Mapping[str, object], kind: Callable[..., object] | None = None
    ) -> None:
        self.statement = statement
        self.facts = facts
        self.kind = kind

    def alone(self, connection: Connection) -> CursorResult[*tuple[Any, ...]]:
        """Execute it by itself, as any other statement."""
        return connection.execute(self.statement, self.facts)


@dataclass(frozen=True, slots=True)
class QueryResult(Generic[Row_co]):
    """What a statement gave: its rows, as the types of its columns read them, and how many rows it affected."""

    rows: list[Row_co]
    count: int

    def scalar(self: "QueryResult[tuple[T, *tuple[Any, ...]]]") -> T | None:
        """Give the first column of the first row; none without a row."""
        return self.rows[0][0] if self.rows else None

    def scalars(self: "QueryResult[tuple[T, *tuple[Any, ...]]]") -> list[T]:
        """Give the first column of all rows."""
        return [row[0] for row in self.rows]


class Trip:
    """Statements on their way, and their answers."""

    def __init__(self, asked: tuple[Query[object], ...], *, commit: bool) -> None:
        self.asked = asked
        self.commit = commit
        self.answers: list[QueryResult[Any]] = []


@contextmanager
def begin(engine: Engine) -> Iterator[Connection]:
    """Begin a transaction with the first trip that is made in it, and commit it at the end if no trip did."""
    with begins_with_trip(engine.connect()) as connection, connection.begin():
        yield connection


def begins_with_trip(connection: Connection) -> Connection:
    """Let the transactions of a connection begin with their first trip, from now on."""
    return connection.execution_options(**{BEGINS_WITH_TRIP: True})


@overload
def trip(connection: Connection, a: Query[A], /, *, commit: bool = False) -> tuple[QueryResult[A]]: ...
@overload
def trip(
    connection: Connection, a: Query[A], b: Query[B], /, *, commit: bool = False
) -> tuple[QueryResult[A], QueryResult[B]]: ...
@overload
def trip(
    connection: Connection, a: Query[A], b: Query[B], c: Query[C], d: Query[D], /, *, commit: bool = False
) -> tuple[QueryResult[A], QueryResult[B], QueryResult[C], QueryResult[D]]: ...
@overload
def trip(connection: Connection, *asked: Query[object], commit: bool = False) -> Sequence[QueryResult[Any]]: ...
def trip(connection: Connection, *asked: Query[object], commit: bool = False) -> Sequence[QueryResult[Any]]:
    """Send statements in one go, and with them the end of the transaction where `commit` says so.

    The first one that fails ends the transaction; those behind it are not done.

    Raises:
        DBAPIError: as SQLAlchemy raises it.

    """
    made = Trip(asked, commit=commit)
    connection.exec_driver_sql("trip", execution_options={TRIP: made})
    return made.answers


def make(begins: tuple[str, ...], cursor: DriverCursor, context: Any) -> bool:  # noqa: ANN401 - SQLAlchemy's
    """Make the trip of an execution, if it is one; true where nothing is left to be executed.

    `begins` are the statements with which a transaction begins that has not begun yet.
    """
    driver = cursor.connection
    trip: Trip | None = context.execution_options.get(TRIP)
    if trip is None:
        begin_late(begins, cursor, context)
        return False
    first = _to_begin(begins, driver, context)
    compiled = [_compiled(one.statement, frozenset(one.facts), one.kind, context.dialect) for one in trip.asked]
    cursors = send(driver, first, trip, compiled, in_one=not context.root_connection.info.get(IS_POOLED))
    trip.answers = [one.read(answered) for one, answered in zip(compiled, cursors, strict=True)]
    return True


def begin_late(begins: Sequence[str], cursor: DriverCursor, context: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
    """Begin a transaction that has not begun yet, before a statement that is no trip."""
    for statement in _to_begin(begins, cursor.connection, context):
        cursor.connection.execute(statement)


def _to_begin(begins: Sequence[str], driver: psycopg.Connection, context: Any) -> Sequence[str]:  # noqa: ANN401
    """Give what begins the transaction of an execution, if nothing did; what it executes is prepared."""
    if not context.execution_options.get(BEGINS_WITH_TRIP):
        return ()
    if driver.info.transaction_status is not TransactionStatus.IDLE:
        return ()
    info, now = context.root_connection.info, time.monotonic()
    if info.get(IS_POOLED):
        return begins
    driver.prepare_threshold = PREPARED_AFTER
    if now - info.setdefault(_PLANNED_AT, now) < PLANS_LAST:
        return begins
    info[_PLANNED_AT] = now
    return (*begins, "DISCARD PLANS")


def send(
    driver: psycopg.Connection, begins: Sequence[str], trip: "Trip", compiled: Sequence["_Compiled"], *, in_one: bool
) -> list[DriverCursor]:
    """Send all of a trip, and wait until all of it is answered.

    Behind a pooler each statement goes alone, not `in_one`: psycopg leaves a pipeline with a Flush that nothing
    answers, and until then PgBouncer may keep a server for a client that is done.
    """
    try:
        with driver.pipeline() if in_one else nullcontext():
            for statement in begins:
                driver.execute(statement)
            cursors = [
                driver.cursor().execute(one.sql, one.written(asked.facts))
                for one, asked in zip(compiled, trip.asked, strict=True)
            ]
            if trip.commit:
                driver.execute(COMMIT)
    except psycopg.Error as error:
        if driver.info.pipeline_status is PipelineStatus.OFF:
            raise
        # A server that is shut down says so, and ends the connection a moment later: in between psycopg cannot leave
        # the pipeline, and what it raises for that hides what the server said.
        driver.close()
        raise (error.__context__ if isinstance(error.__context__, psycopg.Error) else error) from None
    return cursors


class _Compiled:
    """A statement as psycopg takes it, and how its parameters are written and its rows read."""

    def __init__(
        self, statement: Executable, names: frozenset[str], kind: Callable[..., object] | None, dialect: Dialect
    ) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=sorted(names))  # type: ignore[attr-defined]
        assert isinstance(compiled, SQLCompiler)
        if missing := {name for bind, name in compiled.bind_names.items() if bind.required} - names:
            raise ValueError(f"no value for {', '.join(sorted(missing))} of: {statement}")
        self.sql = str(compiled)
        assert kind is None or (isinstance(kind, type) and issubclass(kind, tuple))
        self._kind = kind
        self._dialect = dialect
        self._fixed = {name: value for name, value in compiled.params.items() if name not in names}
        self._writers = {
            name: write
            for bind, name in compiled.bind_names.items()
            if (write := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        }
        self._columns = () if isinstance(statement, TextClause) else tuple(statement.exported_columns)  # type: ignore[attr-defined]
        self._readers: list[tuple[int, Callable[[Any], Any]]] | None = None

    def written(self, facts: Mapping[str, object]) -> dict[str, object]:
        """Give the parameters of all its places, as the driver takes them."""
        written = {**self._fixed, **facts}
        for name, write in self._writers.items():
            written[name] = write(written[name])
        return written

    def read(self, cursor: DriverCursor) -> QueryResult[Any]:
        """Read what it gave."""
        if cursor.description is None:
            return QueryResult([], cursor.rowcount)
        if self._readers is None:
            self._readers = self._learned(cursor.description)
        rows = cursor.fetchall()
        for place, read in self._readers:
            rows = [(*row[:place], read(row[place]), *row[place + 1 :]) for row in rows]
        if self._kind:
            rows = [tuple.__new__(self._kind, row) for row in rows]  # its own `__new__` takes thrice as long
        return QueryResult(rows, cursor.rowcount)

    def _learned(self, columns: Sequence[psycopg.Column]) -> list[tuple[int, Callable[[Any], Any]]]:
        """Learn how its columns are read, from the types that PostgreSQL says they have.

        Raises:
            TypeError: where its rows are to be of a kind that has other fields.

        """
        names = tuple(told.name for told in columns)
        if self._kind and names != getattr(self._kind, "_fields", ()):
            raise TypeError(f"{self._kind} has other fields than the columns {names} of: {self.sql}")
        return [
            (place, read)
            for place, (column, told) in enumerate(zip(self._columns, columns, strict=False))
            if (read := column.type.dialect_impl(self._dialect).result_processor(self._dialect, told.type_code))
        ]


@cache
def _compiled(
    statement: Executable, names: frozenset[str], kind: Callable[..., object] | None, dialect: Dialect
) -> _Compiled:
    return _Compiled(statement, names, kind, dialect)
