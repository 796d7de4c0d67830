"""PostgreSQL: the engine, and repeating what a deadlock or a lost connection interrupted."""

import re
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from itertools import zip_longest
from pathlib import Path
from select import POLLIN, poll
from typing import Any, Final, NamedTuple, TypeVar, cast

import orjson
import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo, TransactionStatus
from sqlalchemy import URL, Connection, Engine, Result, Sequence, create_engine, event, func, make_url, select, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from worker.log import get_logger
from worker.outage import Outage
from worker.settings import Settings
from worker.trip import BEGINS_WITH_TRIP, IS_POOLED, DriverCursor, Query, begin_late, make

log = get_logger(__name__)
T = TypeVar("T")

POOL: Final = 12
"""Connections a process: its threads (8) and a few for intake, status and the sweep."""
ALIVE: Final = 1.0
"""Seconds for which a connection that answered is used without asking again whether its server takes writes; unless
something has come from it meanwhile."""
REPEATS: Final = 5
DEADLOCK: Final = frozenset({"40P01", "40001", "55P03"})
"""Deadlock, serialization failure, lock time-out: the same transaction, again, is right."""
READ_ONLY: Final = "25006"
"""A write on a standby, or on a server that takes no writes."""
OTHER_TABLES: Final = frozenset({"42P01", "42703"})
"""A table or a column that is not there: the schema is another release's."""
DATA: Final = ("22", "23")
"""SQLSTATE classes for which the data is to blame."""

UNPREPARED: Final = ("26000", "42P05")
"""A prepared statement that the session does not know, or knows already: it is another's."""
NOT_HERE: Final = ("08", "57P", READ_ONLY, "25P03", "25P04", "53300", "55000", *UNPREPARED)
"""SQLSTATEs, or their beginnings, of an error that ends its connection: lost or shut down (08, 57P), a standby or a
server that takes no writes (25006, 55000), ended while idle (25P03, 25P04), no room for a connection (53300), a
prepared statement that is another server's (26000, 42P05)."""

FULL: Final = ("53", "58")
"""SQLSTATE classes of a server that lacks disk, memory or connections, or whose machine fails."""

_TRANSACTION: Final[Mapping[str, str]] = {
    "statement_timeout": "60s",
    "lock_timeout": "20s",
    "idle_in_transaction_session_timeout": "60s",
    "random_page_cost": "1.1",
    "timezone": "UTC",
}
"""What each transaction sets, for itself: a pooler in transaction mode gives the next one another session, and refuses
`options`. Every statement is to go by an index. PostgreSQL's own cost of a look-up is a spinning disk's: where ten
thousand batches were to be looked up, it read all there are (200 ms for 107,000)."""
PREPARED_ELSEWHERE: Final[int | None] = None
"""Executions after which any other transaction prepares a statement: it never does. A page's filter must be planned for
what it asks for."""
SETS: Final = "turnout_sets"
"""The execution option of a connection whose transactions set something else, as SQL; it comes last."""
_NAMED: Final = re.compile(r"(?:-c\s*|--)([\w.-]+)\s*=")
"""A setting that connection options name: `-csearch_path=turnout`, `--search-path=turnout`."""


def make_engine(settings: Settings, pool: int = POOL) -> Engine:
    """Make the engine for one process; it connects when first used.

    The URL's own parameters, and those of libpq's environment (`PGOPTIONS`, `PGSSLMODE`, …), are kept: ours are used
    where they say nothing.
    """
    url = _url(settings.database_url)
    theirs = _theirs(url)
    engine = create_engine(
        url,
        pool_size=pool,
        max_overflow=2,
        hide_parameters=True,  # an error's text goes into the log, and they are people's addresses
        json_serializer=json,
        json_deserializer=orjson.loads,
        connect_args={
            "fallback_application_name": "turnout",
            **{name: value for name, value in _ours(url).items() if name not in theirs},
            **({} if url.password else _password_file(theirs)),
        },
    )
    sets = _sets(theirs.get("options", ""))
    event.listen(engine, "begin", _begins("; ".join(f"SET LOCAL {name} = '{value}'" for name, value in sets.items())))
    # A trip takes no two statements in one.
    config = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in sets.items())
    begins_trip = ("BEGIN", f"SELECT {config}")

    def make_trip(cursor: DriverCursor, _: str, __: object, context: Any) -> bool:  # noqa: ANN401 - SQLAlchemy's
        return make(begins_trip, cursor, context)

    event.listen(engine, "do_execute", make_trip)
    event.listen(engine, "do_executemany", lambda cursor, _, __, context: begin_late(begins_trip, cursor, context))
    event.listen(engine, "do_execute_no_params", lambda cursor, _, context: begin_late(begins_trip, cursor, context))
    sessions = _Sessions()
    event.listen(engine, "connect", sessions.connected)
    event.listen(engine, "rollback", _roll_back)
    event.listen(engine, "checkout", _check_still_primary)
    event.listen(engine, "handle_error", sessions.failed)
    return engine


def _url(written: str) -> URL:
    """Read a URL as libpq does: SQLAlchemy knows several hosts with their ports only among the parameters."""
    try:
        return make_url(written)
    except ValueError:
        known = {name: str(value) for name, value in conninfo_to_dict(written).items()}
    hosts, ports = known.pop("host").split(","), known.pop("port", "").split(",")
    user, password, database = (known.pop(name, None) for name in ("user", "password", "dbname"))
    several = [f"{host}:{port}" for host, port in zip_longest(hosts, ports, fillvalue=ports[-1])]
    return URL.create("postgresql", user, password, database=database, query=known | {"host": several})


def _ours(url: URL) -> dict[str, str]:
    """Give what a connection is told where nobody says otherwise."""
    several = "," in ",".join(url.normalized_query.get("host", (url.host or "",)))
    return {
        "connect_timeout": "3",
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
    } | ({"target_session_attrs": "read-write"} if several else {})


def _theirs(url: URL) -> dict[str, str]:
    """Give the connection parameters that the URL names, or else libpq's environment."""
    environment = {
        one.keyword.decode(): one.val.decode()
        for one in Conninfo.get_defaults()
        if one.val and one.val != one.compiled  # or else it is libpq's own default
    }
    return environment | {name: ",".join(values) for name, values in url.normalized_query.items()}


def _password_file(theirs: Mapping[str, str]) -> dict[str, str]:
    """Leave out a password file that libpq would not read either: it says so in plain text, among lines of JSON."""
    path = Path(theirs.get("passfile") or Path("~/.pgpass").expanduser())
    try:
        mode = path.stat().st_mode
    except OSError:
        return {}
    if stat.S_ISREG(mode) and not mode & (stat.S_IRWXG | stat.S_IRWXO):
        return {}
    log.warning("password file ignored", consequence="only its owner may be able to read it: chmod 600")
    return {"passfile": f"{path}.ignored"}


def _sets(options: str) -> dict[str, str]:
    """Give what each transaction sets; a time-out or a cost that the user's own options name is left to them."""
    named = {name.lower().replace("-", "_") for name in _NAMED.findall(options)} - {"timezone"}
    return {name: value for name, value in _TRANSACTION.items() if name not in named}


def _driver_of(connection: Connection) -> psycopg.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def _begins(sets: str) -> Callable[[Connection], None]:
    """Begin transactions ourselves, with what they set, in one trip: psycopg's own BEGIN would be another."""

    def begin(connection: Connection) -> None:
        driver = _driver_of(connection)
        driver.prepare_threshold = PREPARED_ELSEWHERE
        if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
            return
        driver.autocommit = True  # psycopg begins nothing
        if connection.get_execution_options().get(BEGINS_WITH_TRIP):
            return
        level = driver.isolation_level
        isolation = "" if level is None else f" ISOLATION LEVEL {level.name.replace('_', ' ')}"
        last = connection.get_execution_options().get(SETS, "")
        connection.exec_driver_sql(f"BEGIN{isolation}; {sets}; {last}")

    return begin


def _roll_back(connection: Connection) -> None:
    """End a transaction in which nothing failed, as each that only reads ends, unknown to psycopg.

    Where psycopg knows, it lets PostgreSQL forget all that is prepared: after each read a record was accepted in
    4.2 ms, not in 2.3. After a failure it must: what was to be prepared behind it never was.
    """
    if connection.invalidated:
        return
    driver = _driver_of(connection)
    if driver.info.transaction_status == TransactionStatus.INTRANS:
        driver.prepare_threshold = None  # or it looks at what is done
        connection.exec_driver_sql("ROLLBACK")


class _Sessions:
    """What is known of the sessions behind an engine's connections: whether each keeps its own."""

    def __init__(self) -> None:
        self._is_pooled = False

    def connected(self, driver: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        """Note whether there is a pooler: it gives the next transaction a session that knows no prepared statement.

        A pooler shows by the process id that it gave, which is not that of the session; one that passes that on shows
        by the first statement that is lost.
        """
        record.info["is_new"] = True
        record.info["answered_at"] = time.monotonic()
        connection = cast("psycopg.Connection", driver)
        connection.autocommit = True
        connection.prepare_threshold = PREPARED_ELSEWHERE
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        record.info[IS_POOLED] = self._is_pooled or row != (connection.info.backend_pid,)

    def failed(self, context: ExceptionContext) -> None:
        """End a connection, and all that are as old, where the server behind it is not what it was."""
        code = getattr(context.original_exception, "sqlstate", None) or ""
        if code.startswith(NOT_HERE):
            context.is_disconnect = True
        if code in UNPREPARED and not self._is_pooled:
            self._is_pooled = True
            log.warning("sessions change", sqlstate=code, consequence="statements are not prepared any more")


def _check_still_primary(driver: DBAPIConnection, record: ConnectionPoolEntry, _: PoolProxiedConnection) -> None:
    """Connect anew where a connection of before is lost, or leads to a server that has become a standby.

    A new connection is used as it is: while the address leads to a standby, what only reads goes on.
    """
    if record.info.pop("is_new", False):
        return
    connection = cast("psycopg.Connection", driver)
    try:
        if time.monotonic() - record.info.get("answered_at", 0.0) < ALIVE and _is_quiet(connection):
            return
        connection.autocommit = True
        row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    except psycopg.Error as error:
        raise DisconnectionError("the connection is lost") from error
    if row != (False,):
        raise DisconnectionError("the server is a standby")
    record.info["answered_at"] = time.monotonic()


def _is_quiet(connection: psycopg.Connection) -> bool:
    """Say whether nothing has come that was not asked for, such as the end of the session."""
    looked_at = poll()
    looked_at.register(connection.fileno(), POLLIN)
    return not looked_at.poll(0)


_TAKES_WRITES: Final = select(func.current_setting("transaction_read_only") == "off")


def note_outages(engine: Engine, outage: Outage) -> None:
    """Note from now on where a connection of the engine fails or ends, and where a transaction can write again."""

    def failed(context: ExceptionContext) -> None:
        if context.connection is None or context.is_disconnect:
            outage.failed(context.original_exception)

    def answered(connection: Connection) -> None:
        if outage.goes_on and connection.execute(_TAKES_WRITES).scalar_one():
            outage.answered()

    event.listen(engine, "handle_error", failed)
    event.listen(engine, "begin", answered)


def json(value: object) -> str:
    """Write a value as a parameter that a statement casts to jsonb."""
    return orjson.dumps(value).decode()


def sqlstate(error: DBAPIError) -> str:
    """Give the SQLSTATE of a database error, or nothing for one that has none (a lost connection)."""
    return getattr(error.orig, "sqlstate", None) or ""


def is_away(error: DBAPIError) -> bool:
    """Say whether PostgreSQL is to blame: out of reach, ended, full, or taking no writes."""
    if error.connection_invalidated or sqlstate(error).startswith((*NOT_HERE, *FULL)):
        return True
    return not sqlstate(error) and isinstance(error, OperationalError | InterfaceError)  # it gave no answer at all


def reason(error: DBAPIError) -> str:
    """Give the first line of what PostgreSQL or its driver said."""
    return (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0]


def is_datas_fault(error: DBAPIError) -> bool:
    """Say whether the data is to blame, so that repeating would fail again."""
    return sqlstate(error).startswith(DATA)


def repeat(work: Callable[[], T], *, when_lost: bool = True) -> T:
    """Do a whole transaction, again where a deadlock or (if `when_lost`) a lost connection interrupted it.

    A COMMIT that errors is ambiguous, so what is repeated must be idempotent: every transaction here is, by its
    keys or by its fence.

    Raises:
        DBAPIError: where it did not succeed in the end, or the data is to blame.

    """
    for left in reversed(range(REPEATS)):
        try:
            return work()
        except DBAPIError as error:
            lost = error.connection_invalidated or not sqlstate(error)
            if not left or not ((lost and when_lost) or sqlstate(error) in DEADLOCK):
                raise
            if not lost:  # an outage is logged as such
                log.warning("transaction repeated", sqlstate=sqlstate(error))
            time.sleep(0.05 * (REPEATS - left))
    raise AssertionError


def rows_as(kind: Callable[..., T], result: Result[*tuple[Any, ...]]) -> list[T]:
    """Read rows, each as a `kind` (a dataclass) whose fields are the columns' names."""
    names = tuple(result.keys())
    return [kind(**dict(zip(names, row, strict=True))) for row in result.all()]


def columns_of(table: type[DeclarativeBase], kind: type) -> list[Any]:
    """Give the columns of a table after which the fields of a dataclass are named, in their order."""
    return [getattr(table, one.name) for one in fields(kind) if one.name in table.__mapper__.columns]


_DRAW: Final = text("SELECT ARRAY(SELECT nextval(CAST(:sequence AS regclass)) FROM generate_series(1, :count)) AS ids")
"""Draws so many ids from a sequence."""


class Drawn(NamedTuple):
    """Ids that were drawn from a sequence, in no order."""

    ids: list[int]


def drawn(sequence: Sequence, count: int) -> Query[Drawn]:
    """Draw ids from a sequence, as part of a trip."""
    return Query(_DRAW, {"sequence": sequence.name, "count": count}, Drawn)


def draw(connection: Connection, sequence: Sequence, count: int) -> list[int]:
    """Draw ids from a sequence, in ascending order."""
    return sorted(drawn(sequence, count).alone(connection).scalar_one()) if count else []
