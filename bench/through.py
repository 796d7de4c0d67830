"""How fast a file goes through: `python -m bench.through [--records N]`.

Starts everything on this machine in a temporary directory, with limits far beyond HubSpot's, and a test server for
HubSpot that keeps to the same and answers at once. A generated file of N registrations is submitted with
`turnout enqueue`. Measured are the records a second of that command (from its start until every record has its
receipt) and of delivery (from the same start until the test server holds them all); beside them what the test server
takes by itself: as many records, POSTed in hundreds on as many connections as a worker has threads.

To repeat, run it again on a machine that does nothing else. Everything shares its processors here, the test server too:
the ratios say more than the rates. HubSpot's lowest tier, 100 calls in ten seconds, lets 1,000 records a second in.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import requests

from hubspot_api.address import attendance_path
from models.message import Address
from models.words import Identity, State
from worker.files.sheet import Sheet
from worker.local.services import free_port

TURNOUT: Final = [sys.executable, "-m", "cli"]
LIMIT: Final = 100_000
"""Calls in ten seconds: more than anything here can make."""
THREADS: Final = 8
"""Of a delivery worker."""
PATIENCE: Final = 600.0
WHEN: Final = 1_767_225_600_000
EVENT: Final = Address(None, "spring-summit-2026", "acme-events")


class Bench:
    """Processes in a directory of their own, ended by their ids."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.sandbox = f"http://127.0.0.1:{free_port()}"
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("TURNOUT_")} | {
            "TURNOUT_DATA_DIR": str(home / "data"),
            "TURNOUT_HUBSPOT_URL": self.sandbox,
            "TURNOUT_HUBSPOT_TOKEN": "bench",
            "TURNOUT_BURST_LIMIT": str(LIMIT),
            "TURNOUT_DAILY_LIMIT": str(100 * LIMIT),
        }

    @contextmanager
    def running(self, *words: str) -> Iterator[None]:
        """Run a command of Turnout's that says when it is ready, until the block ends."""
        process = subprocess.Popen(
            [*TURNOUT, *words],
            cwd=self.home,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            if not any("ready" in line for line in process.stdout):
                sys.exit(f"turnout {' '.join(words)} did not start")
            threading.Thread(target=process.stdout.read, daemon=True).start()  # a full pipe would stop it
            yield
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()

    def facts(self, *words: str) -> Any:
        """Run a command for its facts."""
        command = [*TURNOUT, *words, "--json"]
        return json.loads(
            subprocess.run(command, cwd=self.home, env=self.env, stdout=subprocess.PIPE, check=True).stdout
        )

    def stored(self) -> int:
        """Ask the test server how many records it holds."""
        return int(requests.get(f"{self.sandbox}/_sandbox/stats", timeout=60).json()["stored"])

    def await_stored(self, records: int) -> None:
        """Wait until the test server holds so many."""
        until = time.monotonic() + PATIENCE
        while (held := self.stored()) < records:
            if time.monotonic() > until:
                sys.exit(f"after {PATIENCE:.0f} s the test server holds {held:,} of {records:,}")
            time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=20_000, help="in the file [%(default)s]")
    records = parser.parse_args().records
    home = Path(tempfile.mkdtemp(prefix="turnout-bench-"))
    home.chmod(0o755)
    bench = Bench(home)
    port = bench.sandbox.rpartition(":")[2]
    limits = ["--burst-limit", str(LIMIT), "--daily-limit", str(100 * LIMIT)]
    try:
        with bench.running("sandbox", "--port", port, *limits):
            alone = _seconds_alone(bench, records)
            requests.post(f"{bench.sandbox}/_sandbox/reset", timeout=60).raise_for_status()
            with bench.running("up", "--no-sandbox"):
                accepted, delivered = _seconds_through(bench, records)
            stats = requests.get(f"{bench.sandbox}/_sandbox/stats", timeout=60).json()
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print(f"{records:,} records, {stats['requests']:,} requests, {os.cpu_count()} processors")
    for name, took in (("the test server alone", alone), ("turnout enqueue", accepted), ("until delivered", delivered)):
        print(f"{name:20}{records / took:>10,.0f} records/s{took:>9.2f} s{alone / took:>8.2f} of its rate alone")


def _seconds_alone(bench: Bench, records: int) -> float:
    url = bench.sandbox + attendance_path("v3", EVENT, State.REGISTER, Identity.EMAIL)
    bodies = [
        json.dumps({"inputs": [_input(number) for number in range(first, min(first + 100, records))]}).encode()
        for first in range(0, records, 100)
    ]
    local = threading.local()

    def post(body: bytes) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.headers.update({"Authorization": "Bearer bench", "Content-Type": "application/json"})
        local.session.post(url, data=body, timeout=60).raise_for_status()

    begun = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(post, bodies))
    took = time.perf_counter() - begun
    assert bench.stored() == records
    return took


def _input(number: int) -> dict[str, object]:
    names = {"firstname": "Ada", "lastname": f"Lovelace {number}"}
    return {
        "email": f"person.{number}@example.com",
        "interactionDateTime": WHEN + 1000 * number,
        "properties": {},
        "contactProperties": names,
    }


def _seconds_through(bench: Bench, records: int) -> tuple[float, float]:
    path = bench.home / "people.csv"
    with path.open("w", newline="") as file:
        rows = Sheet(file)
        rows.add(["email", "interactionDateTime", "firstname", "lastname"])
        for n in range(records):
            rows.add([f"person.{n}@example.com", WHEN + 1000 * n, "Ada", f"Lovelace {n}"])
    options = ["--event", "spring-summit-2026", "--external-account", "acme-events", "--state", "register"]
    begun = time.perf_counter()
    receipt = bench.facts("enqueue", str(path), *options)
    accepted = time.perf_counter() - begun
    assert receipt["accepted"] == records, receipt
    bench.await_stored(records)
    delivered = time.perf_counter() - begun
    books = bench.facts("audit")
    assert books["balanced"], books
    return accepted, delivered


if __name__ == "__main__":
    main()
