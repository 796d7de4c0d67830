"""The tests' own PostgreSQL and Valkey, out of their wheels, stopped by their process ids."""

import subprocess
import time
from pathlib import Path

import redis

from worker.local.services import Postgres, free_port, valkey_command


class Valkey:
    """A Valkey of the tests' own, which can be frozen, killed and started again on the same port."""

    def __init__(self, data_dir: Path, **options: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        more = [word for name, value in options.items() for word in (f"--{name}", *value.split())]
        self._command = [*valkey_command(data_dir, self.port, ""), *more]
        self._log = data_dir / "valkey.log"
        self._client = redis.Redis(port=self.port)
        self.start()

    def start(self, **options: str) -> None:
        command = [*self._command, *(word for name, value in options.items() for word in (f"--{name}", value))]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + 60
        while True:
            try:
                self._client.ping()
            except redis.RedisError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
            else:
                return

    def empty(self) -> None:
        """Let it hold nothing."""
        self._client.flushall()

    def kill(self) -> None:
        """Kill it: what it answered last is lost, unless it was made with `appendfsync="always"`."""
        self.process.kill()
        self.process.wait()
        self._client.close()

    def stop(self) -> None:
        self._client.close()
        self.process.terminate()
        self.process.wait(10)


__all__ = ["Postgres", "Valkey"]
