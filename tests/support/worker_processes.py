"""Real worker processes for tests, which run what production runs and are ended by their process ids."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support import warm
from worker import heartbeat
from worker.settings import Settings
from worker.stream import connect
from worker.task_names import DELIVERY_QUEUES, HOUSEKEEPING_QUEUES, WORKER_OPTIONS

CELERY = [sys.executable, "-m", "celery", "-A", "worker"]
COMMANDS = {
    "delivery": [*CELERY, "worker", *WORKER_OPTIONS, "-Q", DELIVERY_QUEUES, "-n", "delivery@%h"],
    "housekeeping": [*CELERY, "worker", *WORKER_OPTIONS, "-Q", HOUSEKEEPING_QUEUES, "-n", "housekeeping@%h"],
    "beat": [*CELERY, "beat"],
}


PATIENCE = 90.0
"""Seconds that are too long for anything but a hang, on a busy machine too."""
SHORT: Final[Mapping[str, object]] = {"timeout": 2, "lease": 5}
"""Settings by which what a process held that is gone is soon claimed again."""


def environment(settings: Settings) -> dict[str, str]:
    """Give the environment that tells a process these settings, and none of the caller's."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")}
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        env[f"TURNOUT_{name.upper()}"] = value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
    return env


def told(settings: Settings, **more: object) -> Settings:
    """Give settings of which these are told to each process too, by `environment`."""
    changed = settings.model_copy(update=more)
    changed.model_fields_set.update(more)
    return changed


class Workers:
    """Delivery, housekeeping and beat as processes of their own."""

    commands: Mapping[str, list[str]] = COMMANDS

    def __init__(self, settings: Settings, home: Path) -> None:
        self.settings = settings
        self._home = home
        self._running: dict[str, warm.Process] = {}

    def start(self, *names: str) -> None:
        for name in names or self.commands:
            log = self._home / f"{name}.log"
            self._running[name] = warm.start(self.commands[name], self._home, self.environment(), log)

    def environment(self) -> dict[str, str]:
        """Give what each process is told."""
        return environment(self.settings)

    def send(self, number: int, *names: str) -> None:
        for name in names or self.commands:
            self._running[name].send_signal(number)

    def kill(self, *names: str) -> None:
        for name in names or self.commands:
            process = self._running.pop(name)
            process.kill()
            process.wait()

    def stop(self, patience: float = PATIENCE) -> None:
        """Stop all in order; whoever does not stop in time is killed, and that is a failure."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        slow = []
        for name, process in self._running.items():
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                slow.append(name)
        self._running.clear()
        assert not slow, f"did not stop within {patience} s: {slow}; {self.logs()}"

    def alive(self, name: str) -> bool:
        return self._running[name].poll() is None

    def until_ready(self, number: int = 2) -> None:
        with connect(self.settings.stream_url) as client:
            until(lambda: heartbeat.workers(client) >= number, 30, lambda: f"workers not ready: {self.logs()}")

    def logs(self) -> str:
        return "\n".join(path.read_text()[-3_000:] for path in sorted(self._home.glob("*.log")))


@contextmanager
def running_workers(settings: Settings, home: Path) -> Iterator[Workers]:
    workers = Workers(settings, home)
    workers.start()
    try:
        workers.until_ready()
        yield workers
    finally:
        workers.stop()


def until(holds: Callable[[], bool], seconds: float, otherwise: Callable[[], str] | str) -> None:
    """Wait until something holds; fail with what to say otherwise. What a busy machine delays is waited for longer."""
    ends = time.monotonic() + max(seconds, PATIENCE)
    while not holds():
        if time.monotonic() > ends:
            raise AssertionError(otherwise if isinstance(otherwise, str) else otherwise())
        time.sleep(0.1)
