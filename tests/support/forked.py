"""Forks of a warm process: each does one thing, with faults in it, and says how far it came.

It imports everything once, takes a `Run` on standard input, forks for it, and answers with a `Ran`. The process has no
threads and no connections when it forks; a child makes its own.
"""

import gc
import os
import pickle
import random
import selectors
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from tests.support.calls import Call, Calls, Fault, named_statements

PATIENCE: Final = 90.0
"""Seconds after which a child is taken to hang."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a child is to do."""

    verb: str
    environment: Mapping[str, str]
    """Its settings, and what the verb has to know."""
    faults: Sequence[Fault]
    log: Path
    """Where what it prints goes."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How far a child came."""

    calls: Sequence[Call]
    killed: bool = False
    error: str = ""
    """What it ended with, where it did not do what it was to do."""

    @property
    def answered(self) -> bool:
        """Say whether who asked was told that it is done."""
        return not self.killed and not self.error


@dataclass(slots=True)
class Forks:
    """The warm process."""

    _process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        """Start it."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")}
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from tests.support.forked import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=Path(__file__).parents[2],
        )

    def run(self, run: Run) -> Ran:
        """Let a child do it, to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump(run, self._process.stdin)
        self._process.stdin.flush()
        ran = pickle.load(self._process.stdout)
        assert isinstance(ran, Ran), ran
        return ran

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()


def _fork(run: Run, names: Mapping[int, str]) -> Ran:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _child(run, names, os.fdopen(write, "wb"))
    os.close(write)
    with os.fdopen(read, "rb") as told:
        lines, hangs = _told(told)
    if hangs:
        os.kill(pid, 9)
    _, status = os.waitpid(pid, 0)
    calls = [one for one in lines if isinstance(one, Call)]
    error = next((one for one in lines if isinstance(one, str)), "")
    if hangs:
        return Ran(calls, error=f"it hangs after {calls[-1] if calls else 'nothing'}")
    return Ran(calls, os.WIFSIGNALED(status), error)


def _told(told: IO[bytes]) -> tuple[list[object], bool]:
    """Read what a child tells until it has ended; say whether it took too long."""
    ends = time.monotonic() + PATIENCE
    content = b""
    with selectors.DefaultSelector() as selector:
        selector.register(told, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, ends - time.monotonic())):
                return _unpickled(content), True
            few = os.read(told.fileno(), 65_536)
            if not few:
                return _unpickled(content), False
            content += few


def _unpickled(content: bytes) -> list[object]:
    found = []
    while content:
        length, content = int.from_bytes(content[:4]), content[4:]
        found.append(pickle.loads(content[:length]))
        content = content[length:]
    return found


def _child(run: Run, names: Mapping[int, str], tell_to: IO[bytes]) -> None:
    """Do it, and end without what a process does at its end: a killed one does not either."""

    def tell(what: object) -> None:
        pickled = pickle.dumps(what)
        tell_to.write(len(pickled).to_bytes(4) + pickled)
        tell_to.flush()

    with run.log.open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(run.environment)
    random.seed(0)  # so that each run goes the same way
    from tests.support.verbs import VERBS, unhurried

    unhurried()
    calls = Calls(run.faults, names, tell)
    calls.install()
    try:
        VERBS[run.verb].act(calls)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent is told
        tell(f"{type(error).__name__}: {error}"[:2_000])
    sys.stdout.flush()
    os._exit(0)


def serve() -> None:
    """Fork for each run that is asked for on standard input; answer on standard output."""
    import tests.support.verbs  # noqa: F401 - warm
    from tests.support.write_statements import modules

    assert list(modules())  # so that a child imports nothing, and knows each statement by its name
    names = dict(named_statements())
    gc.freeze()  # no child goes through what all of them share

    for run in _asked(sys.stdin.buffer):
        pickle.dump(_fork(run, names), sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _asked(asked: IO[bytes]) -> Iterable[Run]:
    while True:
        try:
            yield pickle.load(asked)
        except EOFError:
            return
