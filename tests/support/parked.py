"""Sessions of PostgreSQL that outlive the engines of a test: the next test's engines find them warm.

Each test has engines of its own. For each of their connections PostgreSQL would start a session, which reads the
catalogs anew, and SQLAlchemy would ask each server what it is: more work than most tests do themselves. What a session
was told is forgotten before another test has it; what it has read of the catalogs stays, and so do the statements that
psycopg has prepared in it: to parse and to plan them is most of what PostgreSQL does in a test. So in tests those that
travel in no trip are prepared too.

Only sessions with databases that are lent to tests are kept. A test for which it matters whether a session is new, or
what is prepared in it, has `new_sessions`.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, ClassVar, Final, NamedTuple, Self

import psycopg
from psycopg import pq
from psycopg._preparing import PrepareManager
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import ExecStatus, PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGconn
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

MOST: Final = 4
"""The most sessions that are kept for one connection string."""
MOST_STATEMENTS: Final = 500
"""The most statements that a session keeps prepared."""
_FORGET: Final = b"""
SELECT pg_stat_force_next_flush();
CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all();
DISCARD SEQUENCES; DISCARD TEMP;
SELECT name FROM pg_prepared_statements"""
"""What `DISCARD ALL` does, but for the prepared statements and their plans, which it names.

What the session counted is counted now, not for the next test.
"""


class Session(NamedTuple):
    """A session, and what psycopg has prepared in it."""

    pgconn: PGconn
    prepared: PrepareManager


class Parked(psycopg.Connection[Any]):
    """A connection whose session is kept when it is closed."""

    server: ClassVar[str] = ""
    """Where the socket of the server is whose sessions are kept."""
    lent: ClassVar[set[str]] = set()
    """The databases whose sessions are kept."""
    parked: ClassVar[defaultdict[str, list[Session]]] = defaultdict(list)
    """Sessions, by their connection strings."""
    conninfo: str = ""

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> Generator[Any, Any, Self]:
        session = cls._taken(conninfo)
        made = cls(session.pgconn) if session else (yield from super()._connect_gen(conninfo))
        made.conninfo = conninfo
        if session:
            made._prepared = session.prepared  # noqa: SLF001 - its own, as psycopg keeps it
        made.prepared_max = MOST_STATEMENTS
        return made

    @classmethod
    def _taken(cls, conninfo: str) -> Session | None:
        with suppress(IndexError):
            while True:
                session = cls.parked[conninfo].pop()
                if _answers(session.pgconn):
                    return session
                session.pgconn.finish()
        return None

    def close(self) -> None:
        """Keep its session, if another can use it."""
        session = self.pgconn
        if self._may_be_kept() and (prepared := _forget(session)) is not None:
            if prepared != set(self._prepared._names.values()):  # noqa: SLF001 - a test let them differ
                session.exec_(b"DEALLOCATE ALL")
                self._prepared = PrepareManager()
            self.pgconn, self._closed = pq.PGconn(), True  # an ended one
            self.parked[self.conninfo].append(Session(session, self._prepared))
        else:
            super().close()

    def _may_be_kept(self) -> bool:
        is_ours = not self.closed and self.info.host == self.server and self.info.dbname in self.lent
        return is_ours and "PGOPTIONS" not in os.environ and len(self.parked[self.conninfo]) < MOST


os.register_at_fork(after_in_child=Parked.parked.clear)


def _answers(session: PGconn) -> bool:
    """Say whether its server process is there; one that is being ended looks quiet for a moment."""
    with suppress(psycopg.Error):
        return session.exec_(b"").status == ExecStatus.EMPTY_QUERY
    return False


def _forget(session: PGconn) -> set[bytes | None] | None:
    """Let it forget what it was told, and name what it keeps prepared; None where it cannot."""
    if session.transaction_status != TransactionStatus.IDLE or session.pipeline_status != PipelineStatus.OFF:
        return None
    with suppress(psycopg.Error):
        kept = session.exec_(_FORGET)
        while session.notifies():
            pass
        if kept.status == ExecStatus.TUPLES_OK:
            return {kept.get_value(row, 0) for row in range(kept.ntuples)}
    return None


def pids_of(database: str) -> list[int]:
    """Give the processes of the sessions that are kept to a database."""
    return [session.pgconn.backend_pid for conninfo in _conninfos_of(database) for session in Parked.parked[conninfo]]


def leave(database: str) -> None:
    """End the sessions that are kept to a database."""
    for conninfo in _conninfos_of(database):
        for session in Parked.parked.pop(conninfo):
            session.pgconn.finish()


def _conninfos_of(database: str) -> list[str]:
    return [one for one in [*Parked.parked] if conninfo_to_dict(one).get("dbname") == database]


def connect(_: PGDialect_psycopg, *words: Any, **options: Any) -> Parked:
    """Connect as SQLAlchemy's dialect does, with a session that is kept where there is one."""
    return Parked.connect(*words, **options)


def asked_once(initialize: Callable[[PGDialect_psycopg, Connection], None]) -> Callable[..., None]:
    """Let only the first dialect with the same options ask what the server is: all servers are of one release."""
    known: dict[str | None, dict[str, Any]] = {}

    def initialized(self: PGDialect_psycopg, connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        options = driver.info.get_parameters().get("options")
        if options not in known:
            before = dict(vars(self))
            initialize(self, connection)
            changed = {name: value for name, value in vars(self).items() if before.get(name) is not value}
            known[options] = {name: value for name, value in changed.items() if name != "_type_memos"}  # its own
        vars(self).update(known[options])

    return initialized
