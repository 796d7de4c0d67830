"""The servers that all contestants of `make bench` share: PostgreSQL, Valkey, HubSpot's stand-in; and what is counted.

Each contestant begins with a database of its own (a copy of one that holds Turnout's tables, or an empty one) and with
an empty Valkey. PostgreSQL keeps every promise of its defaults (each commit is on the disk before it returns); only
checkpoints are put off, so that no round has one of its own.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
import redis
import requests
from sqlalchemy import make_url

from bench.counts import Asked, CountingProxy, Wal, wal_between, wal_place
from bench.processes import Program, Used, environment, postmaster, started, wait_until
from worker.database import make_engine
from worker.local import migrate
from worker.local.services import Postgres, free_port, valkey_command
from worker.settings import Settings

TEMPLATE: Final = "turnout"
"""The database that holds Turnout's empty tables."""
SETTINGS: Final = ("checkpoint_timeout = '1h'", "max_wal_size = '16GB'", "max_connections = 200")
SECRET: Final = "bench"  # noqa: S105 - of databases that live for minutes
ROOT: Final = Path(__file__).parents[1]


@dataclass
class Counted:
    """What a block used and asked; the counts by the proxy and of the WAL only where `counts` says so."""

    seconds: dict[str, float] = field(default_factory=dict)
    megabytes: dict[str, float] = field(default_factory=dict)
    asked: Asked | None = None
    wal: Wal = field(default_factory=Wal)
    commands: int = 0
    """Of Valkey."""


class Stage:
    """The servers, their processes, and databases on demand."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        """Start them; `stack` ends them."""
        self.home = home
        self._postgres = Postgres(home)
        stack.callback(self._postgres.stop)
        self._url = make_url(self._postgres.start())
        with psycopg.connect(self.url(TEMPLATE), autocommit=True) as connection:
            for setting in SETTINGS:
                connection.execute(f"ALTER SYSTEM SET {setting}".encode())
        self._postgres.stop()
        self._postgres.start()
        self.proxy = CountingProxy(self.url(TEMPLATE))
        stack.callback(self.proxy.close)
        engine = make_engine(self.settings(TEMPLATE))
        migrate.upgrade(engine)
        engine.dispose()
        port = free_port()
        self.broker = f"redis://127.0.0.1:{port}/0"
        valkey = Program(valkey_command(home, port, ""), environment(), home, home / "valkey.log")
        stack.callback(valkey.stop)
        valkey.drain()
        self.valkey = redis.Redis(port=port)
        wait_until(self._answers, 60, "Valkey does not start")
        port = free_port()
        self.hubspot = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "bench.standin", "--port", str(port)]
        standin = stack.enter_context(started(command, environment(), ROOT, home / "standin.log"))
        standin.drain()
        pids = {"PostgreSQL": postmaster(home / "postgres"), "Valkey": valkey.process.pid}
        self.pids = pids | {"server": standin.process.pid}
        self._admin = psycopg.connect(self.url("postgres"), autocommit=True)
        stack.callback(self._admin.close)
        self._session = requests.Session()

    def url(self, database: str, *, counted: bool = False) -> str:
        """Give the URL of a database, straight or through the proxy that counts."""
        if counted:
            return self.proxy.url(database)
        return self._url.set(database=database).render_as_string(hide_password=False)

    def settings(self, database: str) -> Settings:
        """Give Turnout's settings for a database."""
        return Settings(_env_file=None, database_url=self.url(database), secret_key=SECRET, data_dir=self.home / "data")

    def database(self, name: str, template: str = "template1") -> str:
        """Make a database anew, and empty Valkey; give its name."""
        self.drop(name)
        self._admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy'.encode())
        self.valkey.flushall()
        self._admin.execute("CHECKPOINT")
        return name

    def drop(self, name: str) -> None:
        """Drop a database, and end the sessions still connected to it."""
        self._admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())

    def reset(self, **how: bool) -> None:
        """Let the stand-in forget everything; `keep`, `arrivals`."""
        flags = "&".join(name for name, is_on in how.items() if is_on)
        self._session.post(f"{self.hubspot}/_bench/reset?{flags}", timeout=60).raise_for_status()

    def stats(self) -> dict[str, int]:
        """Give what the stand-in counted."""
        return dict(self._session.get(f"{self.hubspot}/_bench/stats", timeout=60).json())

    def arrivals(self) -> dict[str, float]:
        """Give when each contact came first."""
        return dict(self._session.get(f"{self.hubspot}/_bench/arrivals", timeout=60).json())

    @contextmanager
    def counting(self, pids: dict[str, int], *, counts: bool) -> Iterator["Clock"]:
        """Count while a block runs, of the servers and of these processes; what came of it is in the clock."""
        start = wal_place(self._admin)
        commands = self._commands()
        asked = self.proxy.asked()
        with Used(self.pids | pids) as used:
            clock = Clock(used)
            yield clock
        end = wal_place(self._admin)
        wal = wal_between(self.home / "postgres", start, end) if counts else Wal(bytes=self._bytes(start, end))
        clock.counted = Counted(
            used.seconds,
            used.megabytes,
            self.proxy.asked() - asked if counts else None,
            wal,
            self._commands() - commands - 1,
        )

    def _bytes(self, start: str, end: str) -> int:
        row = self._admin.execute("SELECT (%s::pg_lsn - %s::pg_lsn)::bigint", (end, start)).fetchone()
        assert row is not None
        return int(row[0])

    def _commands(self) -> int:
        info: Any = self.valkey.info("stats")
        return int(info["total_commands_processed"])

    def _answers(self) -> bool:
        try:
            self.valkey.ping()
        except redis.RedisError:
            return False
        return True


@dataclass
class Clock:
    """What is told of a block in `counting`."""

    used: Used
    counted: Counted = field(default_factory=Counted)

    def stop(self) -> None:
        """Take the processor time so far for all of it: what comes now is looking after it."""
        self.used.stop_clock()


@contextmanager
def stage() -> Iterator[Stage]:
    """Run the servers in a temporary directory until the block ends."""
    home = Path(tempfile.mkdtemp(prefix="turnout-bench-"))
    home.chmod(0o755)
    try:
        with ExitStack() as stack:
            yield Stage(home, stack)
    finally:
        shutil.rmtree(home, ignore_errors=True)
