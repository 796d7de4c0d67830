"""Every call of this process to PostgreSQL, Redis or over HTTP: counted, and where a fault says so, failed.

They are met where the driver sends them: in psycopg (with each BEGIN and COMMIT; a trip is one call), in redis-py
(with what Celery publishes), in urllib3. A process that is to be killed is killed by SIGKILL, between two of its own
instructions.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypeVar

import psycopg
import redis
import urllib3
from psycopg.pq import TransactionStatus
from sqlalchemy import ClauseElement, Connection, Engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from urllib3.exceptions import ProtocolError

from worker import trip
from worker.trip import Trip

T = TypeVar("T")
ROOT: Final = Path(__file__).parents[2]
OURS: Final = ("cli", "hubspot_api", "tasks", "web", "worker")
"""The folders whose statements are counted by name."""
LONGEST: Final = 90
"""Characters of a statement that are shown."""


class Kind(StrEnum):
    """Whom a call is to."""

    SQL = "sql"
    REDIS = "redis"
    HTTP = "http"


class Mode(StrEnum):
    """How a call is failed."""

    BEFORE = "killed before"
    AFTER = "killed after"
    LOST = "answer lost"
    """It is done, its connection breaks, and the process lives on."""
    AWAY = "answer lost twice"
    """The same, and the repeat that redis-py makes by itself fails as well."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call."""

    number: int
    """From 1."""
    kind: Kind
    what: str
    """The constant of a statement, or its beginning; a command of Redis with its first key; a method with its path."""
    callers: tuple[str, ...]
    """The functions of ours that made it, the nearest first: `worker.queue.claim.claim`."""

    @property
    def caller(self) -> str:
        """Give the function that it is for; the database's own stand for whoever called them."""
        return next((one for one in self.callers if not one.startswith("worker.database.")), "")

    def __str__(self) -> str:
        """Read as one line of a list."""
        return f"{self.number} {self.kind} {self.what} [{self.caller}]"


@dataclass(frozen=True, slots=True)
class Fault:
    """That the call of this number fails."""

    number: int
    mode: Mode


def faults_of(calls: Sequence[Call]) -> Iterator[Fault]:
    """Give every way to fail each of a process's calls once.

    To be killed after a call is to be killed before the next: between the two nothing leaves the process.
    """
    for call in calls:
        yield Fault(call.number, Mode.BEFORE)
        yield Fault(call.number, Mode.LOST)
        if call.kind is Kind.REDIS:
            yield Fault(call.number, Mode.AWAY)
    yield Fault(len(calls), Mode.AFTER)


class Calls:
    """The calls of this process, from when it is installed."""

    def __init__(self, faults: Iterable[Fault], names: Mapping[int, str], tell: Callable[[Call], None]) -> None:
        self._faults: Mapping[int, Mode] = {fault.number: fault.mode for fault in faults}
        self._tell = tell
        self._names = names
        self._here = threading.local()
        self._lock = threading.Lock()
        self._number = 0
        self._away = False
        self.seen: list[Call] = []

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Neither count nor fail what this thread does."""
        before, self._here.uncounted = self._is_uncounted, True
        try:
            yield
        finally:
            self._here.uncounted = before

    @property
    def _is_uncounted(self) -> bool:
        return getattr(self._here, "uncounted", False)

    def make(self, kind: Kind, what: str, real: Callable[[], T], lose: Callable[[], None]) -> T:
        """Make a call, or fail it; `lose` breaks its connection and raises what its driver raises then."""
        if self._is_uncounted:
            return real()
        with self._lock:
            if kind is Kind.REDIS and self._away:
                self._away = False
                lose()
            self._number += 1
            call = Call(self._number, kind, what, tuple(_callers(sys._getframe(1))))  # noqa: SLF001 - there is no other way
            self.seen.append(call)
            self._tell(call)
        mode = self._faults.get(call.number)
        if mode is Mode.BEFORE:
            _die()
        try:
            done = real()
        finally:
            if mode is Mode.AFTER:
                _die()
            if mode in {Mode.LOST, Mode.AWAY}:
                self._away = mode is Mode.AWAY
                lose()
        return done

    def install(self) -> None:
        """Meet every call from now on, as long as this process lives."""
        event.listen(Engine, "before_cursor_execute", self._note_statement)
        _wrap(trip, "send", self._trip)
        _wrap(psycopg.Cursor, "execute", self._statement)
        _wrap(psycopg.Cursor, "executemany", self._statement)
        _wrap(psycopg.Connection, "commit", self._transaction_end("COMMIT"))
        _wrap(psycopg.Connection, "rollback", self._transaction_end("ROLLBACK"))
        _wrap(redis.Redis, "_send_command_parse_response", self._command)
        _wrap(redis.client.Pipeline, "_execute_transaction", self._pipeline)
        _wrap(redis.client.Pipeline, "_execute_pipeline", self._pipeline)
        _wrap(urllib3.HTTPConnectionPool, "urlopen", self._request)
        _wrap(PGDialect_psycopg, "initialize", self._uncounted_call)  # what SQLAlchemy asks of a new server

    def _uncounted_call(self, real: Callable[..., Any], *args: Any, **more: Any) -> Any:
        with self.uncounted():
            return real(*args, **more)

    def _note_statement(self, _: Connection, __: object, statement: str, ___: object, context: Any, ____: bool) -> None:  # noqa: FBT001 - SQLAlchemy's signature
        invoked = getattr(context, "invoked_statement", None)
        self._here.statement = self._names.get(id(invoked)) or _beginning(statement)

    def _statement(self, real: Callable[..., Any], cursor: Any, query: Any, *args: Any, **more: Any) -> Any:
        what = self._here.__dict__.pop("statement", None) or _beginning(str(query))
        return self.make(
            Kind.SQL, what, lambda: real(cursor, query, *args, **more), lambda: _lose_database(cursor.connection)
        )

    def _trip(
        self, real: Callable[..., Any], driver: psycopg.Connection, begins: Any, trip: Trip, *args: Any, **more: Any
    ) -> Any:
        self._here.__dict__.pop("statement", None)
        statements = [one.statement for one in trip.asked]
        names = [self._names.get(id(statement)) or _beginning(str(statement)) for statement in statements]
        what = "+".join([*(["BEGIN"] if begins else []), *names, *(["COMMIT"] if trip.commit else [])])

        def send() -> Any:
            with self.uncounted():
                return real(driver, begins, trip, *args, **more)

        return self.make(Kind.SQL, what, send, lambda: _lose_database(driver))

    def _transaction_end(self, what: str) -> Callable[..., Any]:
        def end(real: Callable[..., Any], connection: psycopg.Connection) -> Any:
            if connection.pgconn.transaction_status in {TransactionStatus.IDLE, TransactionStatus.UNKNOWN}:
                return real(connection)  # nothing is sent
            return self.make(Kind.SQL, what, lambda: real(connection), lambda: _lose_database(connection))

        return end

    def _command(
        self, real: Callable[..., Any], client: Any, connection: Any, name: str, *args: Any, **more: Any
    ) -> Any:
        key = next((str(_text(one)) for one in args[1:2]), "")
        return self.make(
            Kind.REDIS,
            f"{name} {key}".strip()[:LONGEST],
            lambda: real(client, connection, name, *args, **more),
            lambda: _lose_redis(connection),
        )

    def _pipeline(self, real: Callable[..., Any], client: Any, connection: Any, commands: Any, *args: Any) -> Any:
        what = "+".join(str(words[0]) for words, _ in commands)
        return self.make(
            Kind.REDIS,
            what[:LONGEST],
            lambda: real(client, connection, commands, *args),
            lambda: _lose_redis(connection),
        )

    def _request(self, real: Callable[..., Any], pool: Any, method: str, url: str, *args: Any, **more: Any) -> Any:
        return self.make(
            Kind.HTTP, f"{method} {url}"[:LONGEST], lambda: real(pool, method, url, *args, **more), _lose_http
        )


def named_statements() -> Iterator[tuple[int, str]]:
    """Give the statements that the modules of ours which are imported keep as constants: identity and name."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in OURS:
            for constant, value in vars(module).items():
                # Its type, not `isinstance`: that would wake each of Celery's tasks, which read the settings then.
                if issubclass(type(value), ClauseElement) and getattr(module, "__name__", "") == name:
                    yield id(value), f"{name}.{constant}"


def _wrap(owner: object, name: str, around: Callable[..., Any]) -> None:
    real = getattr(owner, name)

    def wrapped(*args: Any, **more: Any) -> Any:
        return around(real, *args, **more)

    setattr(owner, name, wrapped)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _lose_database(connection: psycopg.Connection) -> None:
    connection.close()
    raise psycopg.OperationalError("the connection is lost")


def _lose_redis(connection: Any) -> None:
    connection.disconnect()
    raise redis.ConnectionError("the connection is lost")


def _lose_http() -> None:
    raise ProtocolError("Connection aborted.", ConnectionResetError(104, "Connection reset by peer"))


def _callers(frame: FrameType | None) -> Iterator[str]:
    """Name the functions of ours on the stack."""
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] in OURS:
            yield f"{module}.{frame.f_code.co_qualname}"
        frame = frame.f_back


def _beginning(statement: str) -> str:
    if statement.startswith("BEGIN"):
        return "BEGIN"  # with what each transaction sets
    return " ".join(statement.split())[:LONGEST]


def _text(value: object) -> object:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
