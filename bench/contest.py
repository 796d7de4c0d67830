"""The contestants of `make bench`: each sets itself up on the stage, and does its lines of the table.

A line is so many records in messages of a size, by a way in, of a shape; its time goes from the first message that is
submitted until the last record has its outcome in the contestant's own table.
"""

import os
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import psycopg
from pydantic import SecretStr

from bench import bare
from bench.machine import Bench
from bench.processes import Program, environment, parts_of_up, started, wait_until
from bench.stage import ROOT, SECRET, TEMPLATE, Counted, Stage
from bench.standin import LIMIT
from bench.workload import ACCOUNTS, SHAPES, Workload, account
from models.words import Role
from worker.accounts.registry import add
from worker.auth import keys
from worker.database import make_engine
from worker.local.services import free_port

PYTHON: Final = ROOT / "build" / "bench" / "venv" / "bin"
"""The environment of the contestants; `make bench` makes it."""
SCRIPTS: Final = ROOT / "bench" / "contestants"
PATIENCE: Final = 300.0
PEERS_STOP: Final = 3.0
"""Seconds that other queues' workers may take to stop; nothing of theirs matters any more."""
WARM_UP: Final = 60
"""Records that go through before the clock starts: processes, plans and connections are there then."""
FILLED: Final = "filled"
"""The database that holds millions."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table."""

    name: str
    records: int
    each: int = 1
    """Records in a message."""
    shape: str = "friendly"
    way: str = ""
    """By which Turnout is submitted to."""

    def workload(self, turn: str) -> Workload:
        """Give what is submitted in a turn: everybody in it is new."""
        return Workload(f"{turn}.{self.name}", self.records, self.each, self.shape)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a line came to in one round."""

    line: Line
    seconds: float
    counted: Counted
    accepted: float | None = None
    """Seconds until the last record was accepted, where that is a step of its own."""
    read_back: float | None = None
    """Seconds until the last record that HubSpot had not named was found there."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One round: its number, and whether what is asked of PostgreSQL is counted (then nothing in it is timed)."""

    number: int
    counts: bool

    @property
    def name(self) -> str:
        """Tell its contacts from those of other rounds."""
        return f"r{self.number}"


class Contestant:
    """Somebody who does lines."""

    def __init__(self, *lines: Line) -> None:
        self.lines: Sequence[Line] = lines

    def chosen(self, names: set[str], scale: float) -> "Contestant | None":
        """Give the same with these lines alone, and so many times their records; none where it has none of them."""
        lines = [replace(line, records=_scaled(line, scale)) for line in self.lines if line.name in names]
        if not lines:
            return None
        self.lines = lines
        return self

    def run(self, stage: Stage, turn: Turn) -> Iterator[Measured]:
        """Do every line once, in an order that the round draws."""
        raise NotImplementedError

    def in_turn(self, turn: Turn) -> list[Line]:
        """Give the lines in the round's order."""
        return random.Random(turn.number).sample(self.lines, len(self.lines))


def _scaled(line: Line, scale: float) -> int:
    """Scale to whole messages, of which a few are left."""
    return max(2, round(line.records * scale / line.each)) * line.each


class Bare(Contestant):
    """The bare loop, by so many processes."""

    def __init__(self, processes: int, *lines: Line) -> None:
        super().__init__(*lines)
        self._processes = processes

    def run(self, stage: Stage, turn: Turn) -> Iterator[Measured]:
        """Do every line once, each with empty tables."""
        for line in self.in_turn(turn):
            database = stage.database("bare")
            stage.reset()
            with psycopg.connect(stage.url(database), autocommit=True) as connection:
                connection.execute(bare.TABLES)
            path = line.workload(turn.name).write(stage.home / "messages.jsonl")
            env = environment(BENCH_DATABASE=stage.url(database, counted=turn.counts), BENCH_HUBSPOT=stage.hubspot)
            with ExitStack() as stack:
                loops = []
                for part in range(self._processes):
                    command = [sys.executable, "-m", "bench.bare", str(path), "--part", f"{part}/{self._processes}"]
                    loops.append(stack.enter_context(started(command, env, ROOT, stage.home / "bare.log")))
                pids = {f"loop {number}": loop.process.pid for number, loop in enumerate(loops)}
                with stage.counting(pids, counts=turn.counts) as clock:
                    begun = time.perf_counter()
                    for loop in loops:
                        loop.tell("go")
                    delivered = sum(int(loop.line("done")) for loop in loops)
                    took = time.perf_counter() - begun
                    clock.stop()
            _check(line.name, delivered, line.records)
            yield Measured(line, took, clock.counted)
            stage.drop(database)


@dataclass(frozen=True, slots=True)
class Workers:
    """How another queue's workers are started: commands in the contestants' environment, and its script."""

    script: str
    commands: Sequence[Sequence[str]]
    threads: int = 1
    prepare: Sequence[str] = ()


CELERY: Final = ("worker", "--loglevel=WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat")
CORES: Final = os.cpu_count() or 1
PEERS: Final = {
    "celery-prefork": Workers("celery_app", [["celery", "-A", "celery_app", *CELERY, f"--concurrency={CORES}"]]),
    "celery-threads": Workers(
        "celery_app", [["celery", "-A", "celery_app", *CELERY, "--pool=threads", "--concurrency=8"]], threads=8
    ),
    "celery-batches": Workers("batches_app", [["celery", "-A", "batches_app", *CELERY, f"--concurrency={CORES}"]]),
    "dramatiq": Workers(
        "dramatiq_app", [["dramatiq", "dramatiq_app", f"--processes={CORES}", "--threads=8"]], threads=8
    ),
    "procrastinate": Workers(
        "procrastinate_app",
        [["procrastinate", "--app=procrastinate_app.app", "--log-level=warning", "worker", "--concurrency=8"]] * CORES,
        prepare=["procrastinate", "--app=procrastinate_app.app", "schema", "--apply"],
    ),
    "taskiq": Workers(
        "taskiq_app", [["taskiq", "worker", "taskiq_app:broker", f"--workers={CORES}", "--log-level=WARNING"]]
    ),
}


class Peer(Contestant):
    """Another queue; `bench/contestants/README.md` says how each is set up, and why so."""

    def __init__(self, workers: Workers, line: Line) -> None:
        super().__init__(line)
        self._workers = workers

    def run(self, stage: Stage, turn: Turn) -> Iterator[Measured]:
        """Start the workers, warm them up, and do the line."""
        (line,), workers = self.lines, self._workers
        database = stage.database("peer")
        stage.reset()
        env = environment(
            BENCH_DATABASE=stage.url(database, counted=turn.counts),
            BENCH_BROKER=stage.broker,
            BENCH_HUBSPOT=stage.hubspot,
            BENCH_THREADS=str(workers.threads),
            PYTHONPATH=str(SCRIPTS),
        )
        with psycopg.connect(stage.url(database), autocommit=True) as connection, ExitStack() as stack:
            connection.execute((SCRIPTS / "table.sql").read_bytes())
            log = stage.home / f"{line.name}.log"
            if workers.prepare:
                with _program(workers.prepare, env, log) as prepared:
                    prepared.process.wait(PATIENCE)
            pids = {}
            for number, command in enumerate(workers.commands):
                running = stack.enter_context(_program(command, env, log))
                running.drain()
                pids[f"workers {number}"] = running.process.pid
            for workload in (Workload(f"{turn.name}.warm", WARM_UP, 1), line.workload(turn.name)):
                path = workload.write(stage.home / "messages.jsonl")
                goal = WARM_UP if workload.records == WARM_UP else WARM_UP + workload.records
                produce = [str(PYTHON / "python"), str(SCRIPTS / f"{workers.script}.py"), "produce", str(path)]
                with (
                    started(produce, env, SCRIPTS, log) as producer,
                    stage.counting(pids | {"producers": producer.process.pid}, counts=turn.counts) as clock,
                ):
                    begun = time.perf_counter()
                    producer.tell("go")
                    wait_until(lambda: _marked(connection) >= goal, PATIENCE, f"{line.name} is not done: {log}")  # noqa: B023 - called here
                    took = time.perf_counter() - begun
                    producer.line("done")
                    clock.stop()
            _check(line.name, stage.stats()["results"], WARM_UP + line.records)
        yield Measured(line, took, clock.counted)
        stage.drop(database)


def _marked(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM sent WHERE outcome = 'delivered'").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def _program(command: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator[Program]:
    program = Program([str(PYTHON / command[0]), *command[1:]], env, SCRIPTS, log)
    try:
        yield program
    finally:
        program.stop(PEERS_STOP)


@dataclass
class Turnout(Contestant):
    """Turnout as `turnout up` runs it; its lines follow one another in one installation."""

    lines: Sequence[Line]
    linger: float = 0.1
    database: str = ""
    """One that is there; else one with empty tables is made for each round."""

    def run(self, stage: Stage, turn: Turn) -> Iterator[Measured]:
        """Start it, warm it up, do the lines, and let its books be compared."""
        with running_turnout(stage, linger=self.linger, counted=turn.counts, database=self.database) as on:
            on.measure(Line("warm", 2 * WARM_UP, 1, way="stream").workload(turn.name), "stream", turn)
            for line in self.in_turn(turn):
                measured = on.measure(line.workload(turn.name), line.way, turn)
                yield replace(measured, line=line)
            if not self.database:
                books = on.bench.facts("audit")
                if not books["balanced"]:
                    raise SystemExit(f"the books do not balance: {books}")


@dataclass
class Running:
    """A Turnout that runs."""

    stage: Stage
    bench: Bench
    connection: psycopg.Connection
    pids: dict[str, int]
    api: str
    key: str

    def measure(self, workload: Workload, way: str, turn: Turn) -> Measured:
        """Submit a workload, and wait until all of it has its outcome.

        The looks for that are one transaction that only reads, so that they count as no commits.
        """
        stage, name = self.stage, f"{workload.name} by {way}"
        stage.reset(keep=workload.shape == "dropped")
        newest = self._ask(_NEWEST)
        env = self.bench.env | {"BENCH_BROKER": stage.broker, "BENCH_API": self.api, "BENCH_KEY": self.key}
        path = workload.write(stage.home / "messages.jsonl")
        command = [sys.executable, "-m", "bench.producers", way, str(path)]
        with (
            started(command, env, ROOT, stage.home / "producers.log") as producer,
            stage.counting(self.pids | {"producers": producer.process.pid}, counts=turn.counts) as clock,
        ):
            begun = time.perf_counter()
            producer.tell("go")
            goal = newest + workload.records
            wait_until(lambda: self._ask(_NEWEST) >= goal, PATIENCE, f"{name} is not accepted")
            accepted = time.perf_counter() - begun
            wait_until(lambda: not self._ask(_WAITS), PATIENCE, f"{name} is not delivered")
            took = time.perf_counter() - begun
            producer.line("done")
            if way in {"csv", "jsonl"}:
                accepted = time.perf_counter() - begun  # the command says so
            read_back = None
            if workload.shape == "dropped":
                wait_until(lambda: not self._ask(_SOUGHT), PATIENCE, f"{name} is not found")
                read_back = time.perf_counter() - begun
            clock.stop()
        came = stage.stats()
        _check(name, came["inputs"], workload.records)
        _check(name, came["results"], workload.records - workload.spoilt)
        return Measured(Line(name, workload.records), took, clock.counted, accepted, read_back)

    def _ask(self, question: str) -> Any:
        row = self.connection.execute(question.encode()).fetchone()
        assert row is not None
        return row[0]


_NEWEST: Final = "SELECT coalesce(max(id), 0) FROM records"
_WAITS: Final = "SELECT EXISTS (SELECT FROM batches WHERE status IN ('PENDING', 'PROCESSING'))"
_SOUGHT: Final = "SELECT EXISTS (SELECT FROM errors WHERE verify_at IS NOT NULL)"


@contextmanager
def running_turnout(stage: Stage, *, linger: float, counted: bool, database: str = "") -> Iterator[Running]:
    """Run Turnout on the stage until the block ends, with a hundred accounts and a key for HTTP."""
    made = database or stage.database("measured", TEMPLATE)
    settings = stage.settings(made)
    engine = make_engine(settings)
    with engine.connect() as connection:
        known = {str(name) for (name,) in connection.exec_driver_sql("SELECT name FROM accounts")}
    limits = {"burst_limit": LIMIT, "burst_seconds": 10.0, "daily_limit": LIMIT}
    for number in range(ACCOUNTS):
        if account(number) not in known:
            add(engine, settings, account(number), limits, SecretStr(f"token-{number}"))
    with engine.connect() as connection:
        default = connection.exec_driver_sql("SELECT id FROM accounts WHERE name = 'default'").scalar_one()
    key = keys.create(engine, f"bench {time.time()}", Role.PRODUCER, [default])
    engine.dispose()
    home, port = stage.home / "up", free_port()
    home.mkdir(exist_ok=True)
    bench = Bench(
        home,
        database_url=stage.url(made, counted=counted),
        broker_url=stage.broker,
        hubspot_url=stage.hubspot,
        secret_key=SECRET,
        burst_limit=str(LIMIT),
        daily_limit=str(LIMIT),
        linger=str(linger),
        retention_days="3650",
    )
    with bench.running("up", "--no-sandbox", "--port", str(port)) as up, psycopg.connect(stage.url(made)) as connection:
        yield Running(stage, bench, connection, parts_of_up(up.process.pid), f"http://127.0.0.1:{port}", key)
    if not database:
        stage.drop(made)


def _check(name: str, came: int, wanted: int) -> None:
    if came != wanted:
        raise SystemExit(f"{name}: {came:,} records instead of {wanted:,}")


SIZES: Final = (1, 100, 5_000)
WAYS: Final = {"stream": (20_000, 40_000, 40_000), "http": (2_000, 20_000, 40_000), "celery": (4_000, 30_000, 40_000)}
"""Records of a line by a way in, by message size: some ten seconds of work each."""


def contestants(event: int) -> list[Contestant]:
    """Name everybody with all lines; `event`: records of the shape of one event."""
    turnout = [
        Line(f"{way}-{each}", records, each, way=way)
        for way, numbers in WAYS.items()
        for each, records in zip(SIZES, numbers, strict=True)
    ]
    turnout += [Line(way, 40_000, 1, way=way) for way in ("csv", "jsonl")]
    turnout += [
        Line(
            f"shape-{shape}", event if shape == "event" else 40_000, 5_000 if shape == "event" else 100, shape, "stream"
        )
        for shape in SHAPES
        if shape != "friendly"
    ]
    slow = {"celery-prefork": 2_000, "celery-threads": 2_000, "celery-batches": 6_000, "dramatiq": 3_000}
    slow |= {"procrastinate": 1_500, "taskiq": 3_000}
    return [
        Bare(1, *(Line(f"bare-{each}", 40_000, each) for each in SIZES)),
        Bare(CORES, *(Line(f"cores-{each}", 60_000, each) for each in SIZES)),
        *(Peer(workers, Line(name, slow[name])) for name, workers in PEERS.items()),
        Turnout(turnout),
        Turnout([Line(f"filled-{each}", 40_000, each, way="stream") for each in SIZES[1:]], database=FILLED),
    ]
