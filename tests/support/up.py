"""`turnout up`, started for a test, and asked."""

import json
import os
import signal
import subprocess
import sys
from contextlib import chdir
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import redis
import requests
from sqlalchemy import Engine
from typer.testing import CliRunner

import worker.context
import worker.database
from cli.app import app as command
from tests.support.terminal import OnTerminal
from tests.support.worker_processes import until
from worker.database import make_engine
from worker.local.services import free_port
from worker.settings import Settings


class Up:
    """A `turnout up` of a test's own, on a terminal of its own, with its own services and sandbox."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.sandbox = f"http://127.0.0.1:{(port := free_port())}"
        self.web = f"http://127.0.0.1:{(web_port := free_port())}"
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")}
        self.env |= {"TURNOUT_DATA_DIR": str(home / "data"), "TURNOUT_LINGER": "0.2"}
        command = [sys.executable, "-m", "cli", "up", "--port", str(web_port), "--sandbox-port", str(port)]
        env = self.env | {"TERM": "dumb", "COLUMNS": "80"}
        self._terminal = OnTerminal(
            lambda tty: subprocess.Popen(command, cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=tty, stderr=tty)
        )
        self.process = self._terminal.process
        self.said = self._terminal.said
        until(lambda: "\nstop" in self.said(), 60, lambda: f"not ready: {self.said()}")

    def turnout(self, *words: str) -> str:
        """Run a command as in a shell beside it, but in this process: to start one takes a second each time."""
        engines: list[Engine] = []

        def engine(settings: Settings) -> Engine:
            engines.append(make_engine(settings))
            return engines[-1]

        with (
            chdir(self.home),
            patch.dict(os.environ, self.env, clear=True),
            patch.object(worker.database, "make_engine", engine),
            patch.object(worker.context, "make_engine", engine),
        ):
            result = CliRunner().invoke(command, words)
        for one in engines:
            one.dispose()
        assert result.exit_code == 0, f"{result.output} {result.exception!r}"
        return result.stdout

    def facts(self, *words: str) -> Any:
        return json.loads(self.turnout(*words, "--json"))

    @cached_property
    def redis_url(self) -> str:
        return dict(line.split("=", 1) for line in self.turnout("env").splitlines())["TURNOUT_REDIS_URL"]

    def add(self, message: object) -> None:
        """Submit by the stream. A Valkey that has just been started again refuses connections for a moment."""
        with redis.Redis.from_url(self.redis_url) as client:
            until(lambda: answers(client), 20, self.said)
            client.xadd("turnout:intake", {"message": json.dumps(message)})

    def until_arrived(self, contact: str) -> None:
        """Wait until HubSpot's test server holds somebody: asking it costs less than starting a command."""

        def arrived() -> bool:
            held = requests.get(f"{self.sandbox}/_sandbox/participations", timeout=5).json()
            return any(row["contact"] == contact for row in held)

        until(arrived, 40, self.said)

    def fault(self, **fault: object) -> None:
        requests.post(f"{self.sandbox}/_sandbox/faults", json=fault, timeout=5).raise_for_status()

    def part(self, *words: str) -> psutil.Process:
        """Find a part by words of its command line."""
        for child in psutil.Process(self.process.pid).children():
            if all(word in " ".join(child.cmdline()) for word in words):
                return child
        raise AssertionError(f"no part like {words}")

    def all_processes(self) -> list[psutil.Process]:
        children = psutil.Process(self.process.pid).children(recursive=True)
        postmaster = (self.home / "data" / "postgres" / "postmaster.pid").read_text().split()[0]
        return [*children, psutil.Process(int(postmaster))]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self._terminal.end(40)


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
