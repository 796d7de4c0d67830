"""What a record costs: `python -m bench.size [--records N]`; its figures are the constants of `models/sizing.py`.

Starts everything on this machine, with a test server that answers at once, and submits two
files: one of N records of one event, which go out a hundred a call, and one of a tenth as many records, each of an
event of its own, which go out one a call; then as many again by HTTP, a record a request. Of each kind of process the
processor time is counted (PostgreSQL's with all of its backends), before and after; two files give what a record costs
and what a call costs. Beside it: processor time when nothing happens, memory (PSS), connections, and what a record adds
to PostgreSQL's files and to its WAL.

Processor time is counted, not waited for, so other work on the machine matters little; another processor matters.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import psycopg
import requests

from bench.machine import LIMITS, THREADS, TURNOUT, Bench
from bench.processes import UP, Processes, parts_of_up, postmaster
from bench.workload import WHEN
from hubspot_api.address import attendance_path
from models.message import Address
from models.words import Identity, State

KINDS: Final = (*UP, "PostgreSQL")
IDLE: Final = 20.0
"""Seconds in which nothing happens."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=20_000, help="in the larger file [%(default)s]")
    records = parser.parse_args().records
    home = Path(tempfile.mkdtemp(prefix="turnout-bench-"))
    home.chmod(0o755)
    bench = Bench(home)
    try:
        with (
            bench.running("sandbox", "--port", bench.sandbox.rpartition(":")[2], *LIMITS),
            bench.running("up", "--no-sandbox") as up,
        ):
            pids = parts_of_up(up.process.pid) | {"PostgreSQL": postmaster(home / "data" / "postgres")}
            assert pids.keys() == set(KINDS), pids
            _measure(bench, Processes(pids), records)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _measure(bench: Bench, machine: Processes, records: int) -> None:
    few = records // 10
    env = _env(bench)
    database = env["TURNOUT_DATABASE_URL"]
    begun = machine.seconds()
    time.sleep(IDLE)
    idle = {kind: (spent - begun[kind]) / IDLE for kind, spent in machine.seconds().items()}
    _submit(bench, "warm-up", 2_000, 2_000, events=20)
    before_bytes, before_wal = _stored(database)
    full = _cost(bench, machine, "full", records, 2_000 + records, events=1)
    after_bytes, after_wal = _stored(database)
    single = _cost(bench, machine, "single", few, 2_000 + records + few, events=few)
    single_bytes, single_wal = _stored(database)
    by_http = machine.seconds()
    _post(bench, env["TURNOUT_URL"], few)
    bench.await_stored(2_000 + records + 2 * few)
    by_http = {kind: (spent - by_http[kind]) / few for kind, spent in machine.seconds().items()}
    memory = machine.megabytes()
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    print(f"{'':14}{'us a record':>12}{'us a call':>12}{'us a request':>14}{'idle, ms/s':>12}{'memory, MB':>12}")
    for kind in KINDS:
        call = (single[kind] - full[kind]) / 0.99
        record = full[kind] - call / 100
        line = f"{kind:14}{record * 1e6:>12,.0f}{call * 1e6:>12,.0f}{by_http[kind] * 1e6:>14,.0f}"
        print(f"{line}{idle[kind] * 1e3:>12.1f}{memory[kind]:>12,.0f}")
    print("`us a request` is of a record that comes alone by HTTP and goes out alone: all that it costs")
    for what, each, alone in (
        ("PostgreSQL with its indexes", after_bytes - before_bytes, single_bytes - after_bytes),
        ("WAL", after_wal - before_wal, single_wal - after_wal),
    ):
        print(f"bytes of {what}: {each / records:,.0f} a record of a hundred, {alone / few:,.0f} alone")
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    print(f"connections of the four processes now: {rows[0] if rows else 0}")


def _env(bench: Bench) -> dict[str, str]:
    command = [*TURNOUT, "env"]
    told = subprocess.run(command, cwd=bench.home, env=bench.env, stdout=subprocess.PIPE, text=True, check=True)
    lines = (line.removeprefix("export ").partition("=") for line in told.stdout.splitlines())
    return {name: value.strip("'\"") for name, _, value in lines}


def _post(bench: Bench, url: str, records: int) -> None:
    """Submit records by HTTP, each alone and of an event of its own, by a few clients at once."""
    key = bench.facts("keys", "create", "bench", "--role", "producer")["key"]
    local = threading.local()

    def post(number: int) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.headers["Authorization"] = f"Bearer {key}"
        path = attendance_path("v3", Address(None, f"http-{number}", "acme"), State.REGISTER, Identity.EMAIL)
        inputs = [{"email": f"http.{number}@example.com", "interactionDateTime": WHEN, "properties": {}}]
        local.session.post(url + path, json={"inputs": inputs}, timeout=60).raise_for_status()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(post, range(records)))


def _stored(database: str) -> tuple[int, int]:
    with psycopg.connect(database, autocommit=True) as connection:
        row = connection.execute(
            "SELECT sum(pg_total_relation_size(oid))::bigint, pg_current_wal_lsn() - '0/0'::pg_lsn FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _cost(  # noqa: PLR0913, PLR0917 - of what
    bench: Bench, machine: Processes, name: str, records: int, until: int, events: int
) -> Mapping[str, float]:
    """Give the processor seconds a record of each kind, without what it would have spent on nothing."""
    before = machine.seconds()
    _submit(bench, name, records, until, events)
    return {kind: (spent - before[kind]) / records for kind, spent in machine.seconds().items()}


def _submit(bench: Bench, name: str, records: int, until: int, events: int) -> None:
    path = bench.home / f"{name}.jsonl"
    with path.open("w") as file:
        for number in range(records):
            line = {
                "subscriber_state": "register",
                "external_account_id": "acme",
                "external_event_id": f"{name}-{number % events}",
                "email": f"{name}.{number}@example.com",
                "interactionDateTime": WHEN + 1000 * number,
                "properties": {},
                "contactProperties": {"firstname": "Ada", "lastname": f"Lovelace {number}"},
            }
            file.write(json.dumps(line) + "\n")
    receipt = bench.facts("enqueue", str(path))
    assert receipt["accepted"] == records, Counter(receipt)
    bench.await_stored(until)


if __name__ == "__main__":
    main()
