"""Sessions of PostgreSQL that outlive the engines of a test: the next test's engines find them warm.

Each test has engines of its own. For each of their connections PostgreSQL would start a session, which reads the
catalogs anew, and SQLAlchemy would ask each server what it is: more work than most tests do themselves. `DISCARD ALL`
leaves nothing of what a session was told; what it has read of the catalogs stays.

Only sessions with databases that are lent to tests are kept, and only by the process that began them.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import suppress
from select import POLLIN, poll
from typing import Any, ClassVar, Final, Self

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

MOST: Final = 4
"""How many are kept that were connected alike."""


class Parked(psycopg.Connection[Any]):
    """A connection whose session is kept when it is closed."""

    server: ClassVar[str] = ""
    """Where the socket of the server is whose sessions are kept."""
    lent: ClassVar[set[str]] = set()
    """The databases whose sessions are kept."""
    kept: ClassVar[defaultdict[str, list[PGconn]]] = defaultdict(list)
    """Sessions, by what they were connected with."""
    made_by: str = ""

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> Generator[Any, Any, Self]:
        session = cls._taken(conninfo)
        made = cls(session) if session else (yield from super()._connect_gen(conninfo))
        made.made_by = conninfo
        return made

    @classmethod
    def _taken(cls, conninfo: str) -> PGconn | None:
        with suppress(IndexError):
            while True:
                session = cls.kept[conninfo].pop()
                if _is_quiet(session):
                    return session
                session.finish()
        return None

    def close(self) -> None:
        """Keep its session, if another can use it."""
        if not self.closed and self.info.host == self.server and self.info.dbname in self.lent:
            others = self.kept[self.made_by]
            if len(others) < MOST and _is_as_new(self.pgconn):
                others.append(self.pgconn)
                self.pgconn = pq.PGconn()  # an ended one
        super().close()


os.register_at_fork(after_in_child=Parked.kept.clear)


def _is_quiet(session: PGconn) -> bool:
    """Say whether nothing has come that was not asked for, such as its end."""
    looked_at = poll()
    looked_at.register(session.socket, POLLIN)
    return not looked_at.poll(0)


def _is_as_new(session: PGconn) -> bool:
    if session.status != ConnStatus.OK or session.transaction_status != TransactionStatus.IDLE:
        return False
    return session.exec_(b"DISCARD ALL").status == ExecStatus.COMMAND_OK


def pids_of(database: str) -> list[int]:
    """Give the processes of the sessions that are kept to a database."""
    return [session.backend_pid for conninfo in _to(database) for session in Parked.kept[conninfo]]


def leave(database: str) -> None:
    """End the sessions that are kept to a database."""
    for conninfo in _to(database):
        for session in Parked.kept.pop(conninfo):
            session.finish()


def _to(database: str) -> list[str]:
    return [one for one in [*Parked.kept] if conninfo_to_dict(one).get("dbname") == database]


def connect(_: PGDialect_psycopg, *words: Any, **options: Any) -> Parked:
    """Connect as SQLAlchemy's dialect does, with a session that is kept where there is one."""
    return Parked.connect(*words, **options)


def asked_once(initialize: Callable[[PGDialect_psycopg, Connection], None]) -> Callable[..., None]:
    """Let a dialect ask only the first server that is connected alike what it is: all are of one release."""
    known: defaultdict[str | None, dict[str, Any]] = defaultdict(dict)

    def initialized(self: PGDialect_psycopg, connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        answers = known[driver.info.get_parameters().get("options")]
        if not answers:
            before = dict(vars(self))
            initialize(self, connection)
            answers.update({name: value for name, value in vars(self).items() if before.get(name) is not value})
            del answers["_type_memos"]  # a dialect's own
        vars(self).update(answers)

    return initialized
