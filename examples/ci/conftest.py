"""Turnout for the tests of an app of yours: copy this file. It needs pytest, requests and the command `turnout`.

`TURNOUT_COMMAND` says where that command is; Turnout may be installed in an environment of its own.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

COMMAND = os.environ.get("TURNOUT_COMMAND", "turnout")


@dataclass(frozen=True)
class Sandbox:
    """HubSpot's test server."""

    url: str

    def participations(self) -> list[dict[str, Any]]:
        """Give what HubSpot would hold now."""
        return list(requests.get(f"{self.url}/_sandbox/participations", timeout=10).json())

    def wait_for(self, contact: str, seconds: float = 30) -> dict[str, Any]:
        """Wait until HubSpot would know a contact."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for row in self.participations():
                if row["contact"] == contact:
                    return row
            time.sleep(0.2)
        raise AssertionError(f"{contact} did not arrive: {self.participations()}")

    def refuse(self, contact: str) -> None:
        """Let HubSpot refuse a contact from now on."""
        fault = {"match": contact, "status": 400}
        requests.post(f"{self.url}/_sandbox/faults", json=fault, timeout=10).raise_for_status()

    def reset(self) -> None:
        """Forget everything."""
        requests.post(f"{self.url}/_sandbox/reset", timeout=10).raise_for_status()


@dataclass(frozen=True)
class Turnout:
    """Everything of Turnout on this machine."""

    url: str
    sandbox: Sandbox
    env: dict[str, str] = field(repr=False)
    """How your app and the command `turnout` reach it: `TURNOUT_REDIS_URL` and so on."""
    key: str = field(repr=False)
    """A producer's key."""


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    """Start the test server alone: for an app that calls HubSpot's API, or Turnout's, which is the same."""
    with _running("sandbox", "--port", "0") as process:
        assert process.stdout
        ready = re.search(r"http://\S+", process.stdout.readline())
        assert ready, "the test server did not start"
        yield Sandbox(ready[0])


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    """Give the test server, empty."""
    running_sandbox.reset()
    return running_sandbox


@pytest.fixture(scope="session")
def turnout() -> Iterator[Turnout]:
    """Start all of Turnout, delivering to a test server of its own. Ready in ten to thirty seconds."""
    home = Path(tempfile.mkdtemp(prefix="turnout-"))
    home.chmod(0o755)  # PostgreSQL runs as another user if you are root
    web, hubspot = _free_port(), _free_port()
    env = _env() | {"TURNOUT_DATA_DIR": str(home / "data"), "TURNOUT_LINGER": "0"}
    try:
        with _running("up", "--port", str(web), "--sandbox-port", str(hubspot), env=env) as process:
            assert process.stdout
            assert any(line.startswith("ready") for line in process.stdout), "Turnout did not start"
            env |= dict(line.split("=", 1) for line in _run("env", env=env).splitlines())
            made = json.loads(_run("keys", "create", "tests", "--role", "producer", "--json", env=env))
            yield Turnout(f"http://127.0.0.1:{web}", Sandbox(f"http://127.0.0.1:{hubspot}"), env, made["key"])
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _running(*words: str, env: dict[str, str] | None = None) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen([COMMAND, *words], env=env or _env(), stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=45)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _run(*words: str, env: dict[str, str]) -> str:
    return subprocess.run([COMMAND, *words], env=env, capture_output=True, text=True, check=True).stdout


def _env() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
