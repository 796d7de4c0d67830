"""Processes of Turnout that start in a tenth of the time: forks of one that has imported everything.

To import takes most of a start, a second of a processor, and tests that kill, stop or cut off processes start hundreds.
What is started runs what `python -m celery …` or `python -m cli …` runs, with its own arguments, environment, folder
and log, and is a process like any other: it can be killed, stopped and waited for. The process that is forked has no
threads and no connections, has read no settings, and ends with the tests'.

What a start itself shows (what it says where it fails, what it imports) is tested with `subprocess`.
"""

import atexit
import gc
import os
import pickle
import random
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

import worker.celery

ROOT: Final = Path(__file__).parents[2]
IMPORTED: Final = (
    *("celery.bin.celery", "celery.bin.worker", "celery.bin.beat", "celery.apps.worker", "celery.worker.components"),
    *("celery.concurrency.thread", "kombu.transport.redis", "worker.celery", "worker.beat", "worker.consumer"),
    *("worker.redis_transport", "tasks.begin_worker", "tasks.begin_beat", "cli.app", "cli.serve", "web.server"),
)
EVERY: Final = 0.02
"""Seconds between looks at a process that is waited for."""


class Process(Protocol):
    """What `subprocess.Popen` gives, as far as these tests use it."""

    @property
    def pid(self) -> int:
        """Its number."""

    def poll(self) -> int | None:
        """Give its exit status, negative where a signal ended it; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; `subprocess.TimeoutExpired` where that does not come."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""

    def terminate(self) -> None:
        """Ask it to stop."""

    def kill(self) -> None:
        """Kill it."""


@dataclass(frozen=True, slots=True)
class Start:
    """What is to be started, as by `python -m MODULE WORDS`."""

    module: str
    words: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]
    printed: Path
    """What it prints is added to this file."""
    errors: Path
    """What it says on standard error is added to this file."""


def start(command: Sequence[str], cwd: Path, environment: Mapping[str, str], log: Path) -> Process:
    """Start a command, and add what it says to a log: a fork where it is Python on our own code, else as it stands."""
    log.touch()
    if _is_ours(command, environment):
        return _warm().start(Start(command[2], command[3:], cwd, environment, log, log))
    with log.open("ab") as out:
        return subprocess.Popen(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)


def run(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str], timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command of ours to its end, as a fork."""
    assert _is_ours(command, environment), command
    with TemporaryDirectory() as folder:
        printed, errors = Path(folder, "printed"), Path(folder, "errors")
        started = _warm().start(Start(command[2], command[3:], cwd, environment, printed, errors))
        try:
            status = started.wait(timeout)
        except subprocess.TimeoutExpired:
            started.kill()
            raise
        return subprocess.CompletedProcess(command, status, printed.read_text(), errors.read_text())


def _is_ours(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Say whether a command is one that the process which is forked has imported."""
    same = environment.get("PYTHONPATH") == os.environ.get("PYTHONPATH")
    return same and tuple(command[:2]) == (sys.executable, "-m") and command[2] in {"celery", "cli"}


@cache
def _warm() -> "_Warm":
    return _Warm()


class _Warm:
    """The process that is forked; started when it is first needed."""

    def __init__(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")}
        command = [sys.executable, "-c", "from tests.support.warm import serve; serve()"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._lock = threading.Lock()
        atexit.register(self._close)

    def start(self, what: Start) -> "_Forked":
        pid = self.ask(what)
        assert pid is not None
        return _Forked(what, pid)

    def ask(self, what: Start | int) -> int | None:
        """Start something, and give its number; or give the exit status of that number, None while it runs."""
        asks, told = self._process.stdin, self._process.stdout
        assert asks is not None
        assert told is not None
        with self._lock:
            pickle.dump(what, asks)
            asks.flush()
            answer = pickle.load(told)
        assert answer is None or isinstance(answer, int), answer
        return answer

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait(30)


class _Forked:
    """A process that was forked."""

    def __init__(self, what: Start, pid: int) -> None:
        self._what = what
        self.pid = pid
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            self._status = _warm().ask(self.pid)
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        ends = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if ends is not None and time.monotonic() > ends:
                raise subprocess.TimeoutExpired(list(self._what.words), timeout or 0)
            time.sleep(EVERY)
        return status

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)  # its number is its own until it was asked for its status

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def serve() -> None:
    """Fork for each `Start` on standard input, until that ends."""
    for name in IMPORTED:
        import_module(name)
    assert threading.active_count() == 1
    gc.freeze()  # no child goes through what all of them share
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which then end this
    while True:
        try:
            asked = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        if isinstance(asked, int):
            answer = _status(asked)
        elif (answer := os.fork()) == 0:
            signal.signal(signal.SIGINT, interrupt)
            _become(asked)
            return
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _status(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _become(what: Start) -> None:
    """Be what was asked for, to its end: the interpreter then ends as it does for any program."""
    for path, number in ((what.printed, 1), (what.errors, 2), (Path(os.devnull), 0)):
        how = os.O_WRONLY | os.O_APPEND | os.O_CREAT if number else os.O_RDONLY
        file = os.open(path, how, 0o644)
        os.dup2(file, number)
        os.close(file)
    os.chdir(what.cwd)
    os.environ.clear()
    os.environ.update(what.environment)
    time.tzset()
    random.seed()  # or all forks would draw the same
    sys.argv = [what.module, *what.words]
    sys.path[0] = str(what.cwd)
    if what.module == "celery":
        worker.celery.begin_program()  # its import does, in Celery's own program
    runpy.run_module(what.module, run_name="__main__", alter_sys=True)
