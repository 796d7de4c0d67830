"""A sandbox on loopback for tests: `with running_sandbox(burst_limit=5) as sandbox: ...`.

It runs in a thread of the test's process, on a port of its own, and talks real HTTP. The options are those of
`sandbox.options.SandboxOptions`; what can be ordered with `fault` is in the docstring of `sandbox.faults`.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from sandbox.world import World

_PATIENCE = 60


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox that takes requests at `url`."""

    url: str

    def fault(self, **definition: object) -> None:
        """Order a fault; an `AssertionError` says why it is none."""
        answer = requests.post(f"{self.url}/_sandbox/faults", json=definition, timeout=_PATIENCE)
        assert answer.ok, answer.text

    def remove_faults(self) -> list[dict[str, object]]:
        """Remove the faults in force, and list them as ordered, each with the count that was left of it."""
        answer = requests.delete(f"{self.url}/_sandbox/faults", timeout=_PATIENCE)
        answer.raise_for_status()
        removed: list[dict[str, object]] = answer.json()
        return removed

    def stats(self) -> dict[str, Any]:
        """Count what came: requests, by_status, max_in_window, inputs, stored."""
        answer = requests.get(f"{self.url}/_sandbox/stats", timeout=_PATIENCE)
        answer.raise_for_status()
        stats: dict[str, Any] = answer.json()
        return stats

    def participations(self, token: str | None = None) -> list[dict[str, object]]:
        """List what is stored, of every account or of one token's."""
        answer = requests.get(f"{self.url}/_sandbox/participations", params={"token": token}, timeout=_PATIENCE)
        answer.raise_for_status()
        stored: list[dict[str, object]] = answer.json()
        return stored

    def writes(self, *events: str) -> list[dict[str, object]]:
        """List the writes that came, where `keep_writes` is set; of these events, or all."""
        answer = requests.get(f"{self.url}/_sandbox/writes", params={"event": events}, timeout=_PATIENCE)
        answer.raise_for_status()
        came: list[dict[str, object]] = answer.json()
        return came

    def reset(self) -> None:
        """Forget everything: what is stored, faults, counts, limits."""
        requests.post(f"{self.url}/_sandbox/reset", timeout=_PATIENCE).raise_for_status()


@contextmanager
def running_sandbox(**options: object) -> Iterator[RunningSandbox]:
    """Run a sandbox until the block ends; a hang in progress does not hold it up."""
    with running_world(**options) as (sandbox, _):
        yield sandbox


@contextmanager
def running_world(**options: object) -> Iterator[tuple[RunningSandbox, World]]:
    """Run a sandbox, and give with it what it holds, to be looked at between requests."""
    ready = threading.Event()
    server = SandboxServer(SandboxOptions(**options), ready=ready.set)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run, name="sandbox", daemon=True)
    thread.start()
    try:
        assert ready.wait(_PATIENCE), "the sandbox did not start"
        yield RunningSandbox(server.url), server.config.app.state.world  # type: ignore[union-attr]
    finally:
        server.should_exit = True
        thread.join(_PATIENCE)
        assert not thread.is_alive(), "the sandbox did not stop"
