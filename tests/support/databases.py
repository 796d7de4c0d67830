"""Migrated databases for tests: each is one test's alone while it runs, then emptied for the next.

Making a database takes many times what emptying one takes, and half of the tests need one. A database in which a test
changed more than rows (tables, triggers, statistics), or to which somebody is still connected, is dropped instead.

One connection to each database is kept from test to test: what empties it has read the catalogs already, which takes
most of the time of emptying it. It is idle while a test runs.
"""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Composed, Identifier
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from tests.support import parked
from worker.local import migrate

TEMPLATE = "turnout_template"

_LAYOUT = """
SELECT count(*), sum(hashtextextended(line, 0)) FROM (
    SELECT format('column %s %s %s', attrelid, attnum, xmin) FROM pg_attribute WHERE attrelid >= 16384
    UNION ALL SELECT format('index %s %s', indexrelid, xmin) FROM pg_index WHERE indexrelid >= 16384
    UNION ALL SELECT format('constraint %s %s', oid, xmin) FROM pg_constraint WHERE oid >= 16384
    UNION ALL SELECT format('trigger %s %s', oid, xmin) FROM pg_trigger WHERE oid >= 16384
    UNION ALL SELECT format('function %s %s', oid, xmin) FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT format('options %s %s', oid, reloptions) FROM pg_class WHERE oid >= 16384 AND reloptions <> '{}'
    UNION ALL SELECT format('statistics of %s', starelid) FROM pg_statistic WHERE starelid >= 16384
) AS everything (line)"""
"""What a database has besides rows, and the transaction that wrote each; oids below 16384 are PostgreSQL's own."""
_OTHERS = """
SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL(%s)"""
_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
_LARGE = f"{_TABLES} AND pg_relation_size(oid) > 16 * 8192"
"""Deleted rows stay in a table's file: where they have become many, truncating is faster."""
_SEQUENCES = """
SELECT sequencename, coalesce(last_value, start_value), last_value IS NOT NULL FROM pg_sequences
WHERE schemaname = 'public'"""


@dataclass(frozen=True, slots=True)
class Rows:
    """Every row of a database, and where its sequences are."""

    rows: Mapping[str, bytes]
    sequences: Sequence[TupleRow]


def _places(kept: Rows) -> Composed:
    """Write where the sequences are to be."""
    return SQL(", ").join(SQL("setval({}, {}, {})").format(*sequence) for sequence in kept.sequences)


def _refilling(connection: psycopg.Connection, kept: Rows) -> Composed:
    """Make one statement that inserts the rows of the template, and sets its sequences."""
    inserts = []
    for table in kept.rows:
        name = Identifier(table)
        told = connection.execute(SQL("SELECT json_agg({0})::text FROM {0}").format(name)).fetchone()
        assert told is not None
        rows = SQL("SELECT * FROM json_populate_recordset(NULL::{}, {})").format(name, told[0])
        inserts.append(SQL("{0} AS (INSERT INTO {0} OVERRIDING SYSTEM VALUE {1})").format(name, rows))
    return SQL("WITH {} SELECT {}, pg_stat_reset()").format(SQL(", ").join(inserts), _places(kept))


class Databases:
    """The databases on one server: `take` gives a test one, `give_back` takes it when the test is over."""

    def __init__(self, server_url: str) -> None:
        self.server_url = server_url
        self._waiting: list[str] = []
        self._connections: dict[str, psycopg.Connection] = {}
        self._admin(f"CREATE DATABASE {TEMPLATE}")
        template = create_engine(self.url_of(TEMPLATE))
        migrate.upgrade(template)
        template.dispose()
        connection = self._connected(TEMPLATE)
        self._layout = connection.execute(_LAYOUT).fetchone()
        self._tables = [name for (name,) in connection.execute(_TABLES)]
        deletes = (SQL("{0} AS (DELETE FROM {0})").format(Identifier(name)) for name in self._tables)
        self._delete = SQL("WITH {} SELECT").format(SQL(", ").join(deletes))
        self._refill = _refilling(connection, self.kept(TEMPLATE))
        self.leave(TEMPLATE)  # it is copied

    def url_of(self, name: str) -> str:
        return make_url(self.server_url).set(database=name).render_as_string(hide_password=False)

    def take(self) -> str:
        """Give the name of a database that is as the migrations leave it."""
        if self._waiting:
            return self._waiting.pop()
        name = f"t{uuid.uuid4().hex}"
        self._admin(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        parked.Parked.lent.add(name)
        return name

    def kept(self, name: str) -> Rows:
        """Copy every row of a database, for `restore`."""
        rows = {}
        connection = self._connected(name)
        for table in self._tables:
            with connection.cursor().copy(SQL("COPY {} TO STDOUT").format(Identifier(table))) as copy:
                rows[table] = b"".join(copy)
        sequences = connection.execute(_SEQUENCES).fetchall()
        return Rows({table: copied for table, copied in rows.items() if copied}, sequences)

    def restore(self, name: str, kept: Rows) -> None:
        """Let a database hold just these rows, once nobody has a transaction open in it."""
        connection = self._connected(name)
        with connection.transaction():
            self._clear(connection)
            for table, copied in kept.rows.items():
                with connection.cursor().copy(SQL("COPY {} FROM STDIN").format(Identifier(table))) as copy:
                    copy.write(copied)
            connection.execute(SQL("SELECT {}, pg_stat_reset()").format(_places(kept)))

    def give_back(self, name: str) -> None:
        """Empty a database for the next test, or drop it."""
        if self._emptied(self._connected(name), name):
            self._waiting.append(name)
        else:
            parked.Parked.lent.discard(name)
            self.leave(name)
            self._admin(f"DROP DATABASE {name} WITH (FORCE)")

    def leave(self, name: str) -> None:
        """Close what is kept to a database, for a test that must be alone to rename or to copy it."""
        parked.leave(name)
        if kept := self._connections.pop(name, None):
            kept.close()

    def close(self) -> None:
        """Close all connections."""
        for name in [*self._connections]:
            self.leave(name)

    def _emptied(self, connection: psycopg.Connection, name: str) -> bool:
        ends = time.monotonic() + 0.2  # the server notices a moment later that a client has gone
        while connection.execute(_OTHERS, (parked.pids_of(name),), prepare=True).rowcount:
            if time.monotonic() > ends:
                return False
            time.sleep(0.005)
        if connection.execute(_LAYOUT, prepare=True).fetchone() != self._layout:
            return False
        self._clear(connection)
        connection.execute(self._refill, prepare=True)
        return True

    def _clear(self, connection: psycopg.Connection) -> None:
        large = [Identifier(name) for (name,) in connection.execute(_LARGE, prepare=True)]
        if large:
            connection.execute(SQL("TRUNCATE {} CASCADE").format(SQL(", ").join(large)))
        connection.execute(self._delete, prepare=True)

    def _connected(self, name: str) -> psycopg.Connection:
        """Give the connection that is kept to a database: a new one where a test has ended it."""
        kept = self._connections.get(name)
        try:
            if kept is not None:
                kept.execute("")
                return kept
        except psycopg.OperationalError:
            self.leave(name)
        made = psycopg.connect(self.url_of(name), autocommit=True, prepare_threshold=None)
        made.execute("SET session_replication_role = replica")  # no trigger, so in any order
        self._connections[name] = made
        return made

    def _admin(self, statement: str) -> None:
        with psycopg.connect(self.server_url, autocommit=True) as connection:
            connection.execute(statement)
