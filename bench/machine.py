"""A Turnout that runs whole on this machine, in a directory of its own: `turnout up`, and commands beside it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import requests

from bench.processes import Program, environment, started, wait_until
from worker.local.services import free_port

TURNOUT: Final = [sys.executable, "-m", "cli"]
LIMIT: Final = 100_000
"""Calls in ten seconds: more than anything here can make."""
LIMITS: Final = ("--burst-limit", str(LIMIT), "--daily-limit", str(100 * LIMIT))
"""The same for the sandbox."""
THREADS: Final = 8
"""Of a delivery worker."""
PATIENCE: Final = 600.0


class Bench:
    """Processes in a directory of their own, ended by their ids."""

    def __init__(self, home: Path, **settings: str) -> None:
        """Set Turnout up to deliver to a sandbox at `sandbox`, and with these settings."""
        self.home = home
        self.sandbox = f"http://127.0.0.1:{free_port()}"
        own = {
            "data_dir": str(home / "data"),
            "hubspot_url": self.sandbox,
            "hubspot_token": "bench",
            "burst_limit": str(LIMIT),
            "daily_limit": str(100 * LIMIT),
        }
        self.env = environment(**{f"TURNOUT_{name.upper()}": value for name, value in (own | settings).items()})

    @contextmanager
    def running(self, *words: str) -> Iterator[Program]:
        """Run a command of Turnout's that says when it is ready, until the block ends."""
        log = self.home / f"{words[0]}.log"
        ready = "sandbox ready" if words[0] == "sandbox" else "ready"
        with started([*TURNOUT, *words], self.env, self.home, log, ready) as program:
            program.drain()
            yield program

    def facts(self, *words: str) -> Any:
        """Run a command for its facts."""
        command = [*TURNOUT, *words, "--json"]
        return json.loads(
            subprocess.run(command, cwd=self.home, env=self.env, stdout=subprocess.PIPE, check=True).stdout
        )

    def stored(self) -> int:
        """Ask the sandbox how many records it holds."""
        return int(requests.get(f"{self.sandbox}/_sandbox/stats", timeout=60).json()["stored"])

    def await_stored(self, records: int) -> None:
        """Wait until the sandbox holds so many."""
        wait_until(lambda: self.stored() >= records, PATIENCE, f"the test server does not hold {records:,} records")
