"""`make bench`: Turnout beside a bare loop and beside other queues, in one interleaved run, as one table.

    python -m bench [--rounds 3] [--scale 0.1] [--only bare stream-100 ...] [--filled 10000000] ...

Every round does every line once, in an order that it draws, so that what disturbs the machine meets all alike; ratios
are taken within a round, and each number is the median of the rounds, with the lowest and the highest. Before the timed
rounds one round is counted: what each line asks of PostgreSQL, through a proxy that reads the protocol, and what
reaches the WAL. A bench asserts on no time; that every record was delivered, once, is checked in each line.
"""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from bench import api
from bench.contest import FILLED, PYTHON, Contestant, Turn, contestants
from bench.filled import fill
from bench.latency import latency
from bench.results import Results, divisor, friendly
from bench.stage import TEMPLATE, Stage, stage
from bench.workload import SHAPES
from worker.database import make_engine

SETTLE: Final = """
UPDATE batches SET status = 'CANCELED', settled_at = now(), lease_token = NULL, lease_until = NULL
WHERE status IN ('PENDING', 'PROCESSING');
UPDATE lanes SET ready = false, due_at = 'infinity';
UPDATE errors SET verify_at = NULL WHERE verify_at IS NOT NULL;
DELETE FROM notifications"""
"""Nothing of a filled database is under way."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="timed rounds, after the one that counts [%(default)s]")
    parser.add_argument("--scale", type=float, default=1.0, help="times the records of every line [%(default)s]")
    parser.add_argument("--only", nargs="+", default=["*"], metavar="LINE", help="lines, by name or pattern: stream-*")
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES), choices=SHAPES, help="of these [all]")
    parser.add_argument("--event", type=int, default=100_000, help="records of the shape of one event [%(default)s]")
    parser.add_argument("--filled", type=int, default=0, help="the same on a database of so many records [none]")
    parser.add_argument(
        "--latency", type=int, default=100, help="submissions by each way on an idle system [%(default)s]"
    )
    parser.add_argument(
        "--http", type=int, default=400, help="requests beside the bare route, each round [%(default)s]"
    )
    parser.add_argument("--no-counts", action="store_true", help="leave out the round that counts")
    parser.add_argument("--list", action="store_true", help="name the lines, and do nothing")
    parser.add_argument("--to", type=Path, default=Path("build/bench"), help="where results go [%(default)s]")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended then too
    everybody = contestants(round(asked.event / asked.scale))
    order = [line.name for one in everybody for line in one.lines]
    if asked.list:
        print("\n".join(order))
        return
    chosen = _chosen(everybody, asked)
    if any(one.lines[0].name in _PEERS for one in chosen) and not PYTHON.exists():
        parser.error(f"{PYTHON.parent} is not there: make build/bench/.ready")
    results = Results({**vars(asked), "to": str(asked.to)}, order)
    with stage() as on:
        if asked.filled and any(line.name.startswith("filled") for one in chosen for line in one.lines):
            _fill(on, asked.filled)
        turns = [Turn(number, counts=number == 0) for number in range(asked.no_counts, asked.rounds + 1)]
        for turn in turns:
            for number in range(len(chosen)):
                for measured in chosen[(number + turn.number) % len(chosen)].run(on, turn):
                    results.add(measured, counts=turn.counts)
                    said = "counted" if turn.counts else f"{measured.line.records / measured.seconds:,.0f} records/s"
                    print(f"round {turn.number}: {measured.line.name} {said}", flush=True)
            if not turn.counts:
                _write(results, asked.to)
        if asked.latency:
            results.latency = list(latency(on, asked.latency))
    if asked.http:
        results.http = api.compare(asked.http, asked.rounds)
    _write(results, asked.to)
    print("\n" + "\n".join(results.shown()))


_PEERS: Final = ("celery-prefork", "celery-threads", "celery-batches", "dramatiq", "procrastinate", "taskiq")


def _chosen(everybody: Sequence[Contestant], asked: argparse.Namespace) -> list[Contestant]:
    """Choose the lines that were asked for, and those by which they are measured."""
    lines = {line.name: line for one in everybody for line in one.lines}
    names = {
        name
        for name, line in lines.items()
        if any(fnmatch(name, pattern) for pattern in asked.only)
        and line.shape in asked.shapes
        and (asked.filled or not name.startswith("filled"))
    }
    for name in list(names):
        names |= {divisor(lines[name]), friendly(lines[name]) or name}
    return [one for each in everybody if (one := each.chosen(names, asked.scale)) is not None]


def _fill(on: Stage, records: int) -> None:
    """Make the database that holds millions: minutes, and half a kilobyte a record on the disk, twice."""
    on.database(FILLED, TEMPLATE)
    engine = make_engine(on.settings(FILLED))
    fill(engine, records)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql(SETTLE)
        connection.exec_driver_sql("VACUUM ANALYZE batches")
        connection.exec_driver_sql("CHECKPOINT")
    engine.dispose()


def _write(results: Results, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    (to / "results.json").write_text(json.dumps(results.as_json(), indent=1) + "\n")
    (to / "results.md").write_text(results.markdown())


if __name__ == "__main__":
    main()
