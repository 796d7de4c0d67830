"""Programs that a bench starts and ends by their ids, and what processes use: processor time and memory, by kind."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

import psutil

TICK: Final = 1.0
"""Seconds between two looks at the memory."""
PATIENCE: Final = 60.0
"""Seconds that a program may take to stop."""
UP: Final = {
    "delivery": "delivery@",
    "housekeeping": "housekeeping@",
    "beat": " beat",
    "web": " serve ",
    "valkey": "valkey",
}
"""The parts of `turnout up`, by what each shows in its command line."""


class Program:
    """A process of ours, with pipes to it: it says `ready`, is told `go`, and says what came of it."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path) -> None:
        """Start it; what it writes to its standard error goes into `log`."""
        self._log = log
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                command, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )

    def line(self, beginning: str) -> str:
        """Wait until it says a line that begins so, and give the rest of the line."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(beginning):
                return line[len(beginning) :].strip()
        said = self._log.read_text()[-3_000:]
        raise SystemExit(f"{self.process.args!r} ended before it said {beginning!r}:\n{said}")

    def drain(self) -> None:
        """Read what it says from now on, so that no full pipe stops it."""
        assert self.process.stdout is not None
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def tell(self, line: str) -> None:
        """Write a line to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def stop(self, patience: float = PATIENCE) -> None:
        """End it, and wait for its end; what does not stop in so many seconds is killed, with its children."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                for one in reversed(_family(psutil.Process(self.process.pid))):
                    with suppress(psutil.Error):
                        one.kill()
                self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


@contextmanager
def started(
    command: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path, ready: str = "ready"
) -> Iterator[Program]:
    """Run a program from its line `ready` on until the block ends."""
    program = Program(command, env, cwd, log)
    try:
        program.line(ready)
        yield program
    finally:
        program.stop()


def environment(**more: str) -> dict[str, str]:
    """Give this process's environment without settings of Turnout's, and with these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")}
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)  # every start would compile everything again
    return inherited | more


def parts_of_up(pid: int) -> dict[str, int]:
    """Find the parts that a `turnout up` has started: process ids by kind."""
    found: dict[str, int] = {}
    for child in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):
            line = " ".join(child.cmdline())
            kind = next((kind for kind, mark in UP.items() if mark in line), None)
            if kind is not None and "sandbox" not in line:
                found.setdefault(kind, child.pid)
    return found


def postmaster(data_dir: Path) -> int:
    """Give the process id of the PostgreSQL server whose data are there."""
    return int((data_dir / "postmaster.pid").read_text().split()[0])


class Processes:
    """Processes by kind, each with all of its children."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._found = {kind: psutil.Process(pid) for kind, pid in pids.items()}

    def seconds(self) -> dict[str, float]:
        """Give the processor time of each kind so far, that of children that have ended too."""
        return {kind: sum(map(_seconds, _family(one))) for kind, one in self._found.items()}

    def megabytes(self) -> dict[str, float]:
        """Give the memory of each kind, of what is shared its share (where the system tells it: on Linux)."""
        return {kind: sum(map(_bytes, _family(one))) / 1e6 for kind, one in self._found.items()}


def _family(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return [process, *process.children(recursive=True)]
    return [process]


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:  # counted by its parent from now on
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _bytes(process: psutil.Process) -> float:
    with suppress(psutil.Error):
        return float(process.memory_full_info().pss if sys.platform == "linux" else process.memory_info().rss)
    return 0.0


class Used:
    """What processes used while a block ran: `seconds` of the processor, and the most `megabytes`, by kind."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._processes = Processes(pids)
        self._ended = threading.Event()
        self.seconds: dict[str, float] = {}
        self.megabytes: dict[str, float] = {}

    def __enter__(self) -> Self:
        """Begin."""
        self._before = self._processes.seconds()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()
        return self

    def stop_clock(self) -> None:
        """Take the processor time so far for all of it."""
        self.seconds = {kind: now - self._before[kind] for kind, now in self._processes.seconds().items()}

    def __exit__(self, *_: object) -> None:
        """End."""
        if not self.seconds:
            self.stop_clock()
        self._ended.set()
        self._sampler.join()
        self._look()

    def _sample(self) -> None:
        while not self._ended.wait(TICK):
            self._look()

    def _look(self) -> None:
        for kind, size in self._processes.megabytes().items():
            self.megabytes[kind] = max(size, self.megabytes.get(kind, 0.0))


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Look every 20 ms whether something holds; end the bench, and say what does not, after so many seconds."""
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            raise SystemExit(f"after {seconds:.0f} s: {what}")
        time.sleep(0.02)
