"""A supervisor: starts the parts of a machine, restarts one that dies, stops all, in reverse order."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

LONGEST_PAUSE: Final = 10.0
"""Seconds before a part that keeps dying is started again, at most."""
STEADY: Final = 30.0
"""Seconds that a part must have run for its next death to count as the first."""


@dataclass
class ManagedProcess:
    """A process of ours: its command, its log file, and seconds it may take to stop."""

    name: str
    command: Sequence[str]
    env: dict[str, str]
    log_file: Path
    patience: float = 5.0
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    again_at: float = 0.0

    def start(self) -> None:
        """Start it, in a session of its own: a terminal's Ctrl-C reaches us alone, who stop it in order."""
        with self.log_file.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - no threads yet
            )
        self.started = time.monotonic()

    def watch(self) -> str | None:
        """Restart it where it died, after a pause that doubles; say so in a line."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.again_at:
                self.start()
            return None
        code = self.process.poll()
        if code is None:
            return None
        self.process = None
        self.deaths = 1 if now - self.started > STEADY else self.deaths + 1
        pause = min(LONGEST_PAUSE, 0.25 * 2**self.deaths)
        self.again_at = now + pause
        return f"{self.name} ended ({_how(code)}) and is started again in {pause:.1f} s; its log is {self.log_file}"

    def ask_to_stop(self) -> None:
        """Ask it to end what it is at and stop."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self, until: float) -> None:
        """Wait for its end, then kill it."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@dataclass
class Supervisor:
    """Parts, in the order in which they start."""

    parts: list[ManagedProcess] = field(default_factory=list)

    def start(self, part: ManagedProcess) -> None:
        """Start a part and look after it from now on."""
        self.parts.append(part)
        part.start()

    def watch(self) -> list[str]:
        """Look at every part once; give a line for each that died."""
        return [line for part in self.parts if (line := part.watch())]

    def stop(self, names: Sequence[str] | None = None) -> None:
        """Stop these parts (all, where none is named) together, and wait for them, at most as long as each may take."""
        chosen = [part for part in reversed(self.parts) if names is None or part.name in names]
        for part in chosen:
            part.ask_to_stop()
        begun = time.monotonic()
        for part in chosen:
            part.wait(begun + part.patience)

    def kill(self) -> None:
        """End every part at once."""
        for part in reversed(self.parts):
            part.kill()


def _die_with_parent() -> None:
    """Have the kernel end this child when its parent is killed, so that nothing is left behind."""
    with contextlib.suppress(OSError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def inherited() -> dict[str, str]:
    """Give this process's environment without any setting of ours: what a part is to know it is told."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")}
