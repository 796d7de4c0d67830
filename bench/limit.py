"""The limit, used to the full and never exceeded: many processes against the test server's real rolling window.

Shows the share of the ideal that was used (a slot's cycle is a window and a mean round trip, at best) and how many
calls the test server refused, with one process and with eight. `python -m bench.limit --seconds 60` measures the
limiter alone, with greedy callers; with `--workers 1 8` they are Celery's delivery workers with a backlog of batches of
one record each over 40 events, beside one housekeeping worker, beat and a PostgreSQL of their own.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import redis
import requests
from sqlalchemy import Engine, text

from bench.installation import People, installation
from hubspot_api.client import post
from hubspot_api.limiter import Limiter, Limits, Permit
from hubspot_api.response import Response
from worker import heartbeat
from worker.intake.accept import accept
from worker.local.services import free_port, valkey_command
from worker.local.supervisor import ManagedProcess, Supervisor
from worker.task_names import DELIVERY_QUEUES, HOUSEKEEPING_QUEUES, WORKER_OPTIONS

Call = tuple[float, float]
"""The moment of a call and its round trip, seconds."""
CELERY: Final = [sys.executable, "-m", "celery", "-A", "worker"]
DEADLINE = 30.0
SANDBOX = [sys.executable, "-m", "cli", "sandbox", "--quiet", "--latency", "0.1", "--jitter", "0.2"]


def _options(limits: Limits) -> list[str]:
    return ["--burst-limit", str(limits.burst), "--burst-seconds", str(limits.window)]


def greedy(redis_url: str, hubspot_url: str, account: str, limits: Limits, seconds: float) -> None:
    """Call as often as permits allow, and print the moments of the calls and their round trips."""
    calls: list[tuple[float, float]] = []
    with redis.Redis.from_url(redis_url) as client:
        limiter = Limiter(client, account, limits, DEADLINE)
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            asked = limiter.acquire(patience=left)
            if not isinstance(asked, Permit):
                break
            moment = time.time()
            inputs = [{"vid": 1 + len(calls), "interactionDateTime": 1_767_225_600_000, "properties": {}}]
            path = "/marketing/v3/marketing-events/1/attendance/register/create"
            answer = post(hubspot_url + path, "bench", json.dumps({"inputs": inputs}).encode(), DEADLINE)
            limiter.release(asked, answer.headers if isinstance(answer, Response) else None, answer.duration)
            calls.append((moment, answer.duration))
    print(json.dumps(calls))


def run(processes: int, limits: Limits, seconds: float) -> dict[str, float]:
    """Run so many greedy processes, and give what the test server counted."""
    with _services(limits) as (_, urls):
        command = [sys.executable, "-m", "bench.limit", "--greedy", *urls, uuid.uuid4().hex, "--seconds", str(seconds)]
        command += ["--burst", str(limits.burst), "--window", str(limits.window)]
        callers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
        calls = sorted(call for caller in callers for call in json.loads(caller.communicate()[0]))
        return _figures(processes, limits, calls, _stats(urls[1]))


def run_workers(processes: int, limits: Limits, seconds: float) -> dict[str, float]:
    """Run so many delivery workers on a backlog that outlasts the time, and give what the test server counted."""
    with installation() as on, _services(limits) as (home, urls):
        told = {
            "DATABASE_URL": on.engine.url.render_as_string(hide_password=False),
            "BROKER_URL": urls[0],
            "HUBSPOT_URL": urls[1],
            "HUBSPOT_TOKEN": "bench",
            "SECRET_KEY": "bench",
            "BURST_LIMIT": str(limits.burst),
            "BURST_SECONDS": str(limits.window),
        }
        env = os.environ | {f"TURNOUT_{name}": value for name, value in told.items()}
        worker = [*CELERY, "worker", *WORKER_OPTIONS]
        commands = {"beat": [*CELERY, "beat"], "housekeeping": [*worker, "-Q", HOUSEKEEPING_QUEUES, "-n", "h@%h"]}
        commands |= {f"delivery{n}": [*worker, "-Q", DELIVERY_QUEUES, "-n", f"d{n}@%h"] for n in range(processes)}
        parts = Supervisor()
        try:
            for name, command in commands.items():
                parts.start(ManagedProcess(name, command, env, home / f"{name}.log", DEADLINE))
            with redis.Redis.from_url(urls[0]) as client:
                while heartbeat.workers(client) < processes + 1:
                    time.sleep(0.1)
            people, backlog = People(), 2 * ceil(limits.burst * (1 + seconds / limits.window))
            with on.engine.connect() as connection:
                accept(connection, [people.message(1) for _ in range(backlog)], replace(on.rules, batch_size=1))
            time.sleep(seconds)
            calls, stats = _attempts(on.engine), _stats(urls[1])
        finally:
            parts.stop()
    return _figures(processes, limits, calls, stats)


def _attempts(engine: Engine) -> list[Call]:
    with engine.connect() as connection:
        rows = connection.execute(
            text("""
            SELECT extract(epoch FROM started_at)::float8, duration_ms / 1000.0::float8 FROM attempts
            WHERE finished_at IS NOT NULL ORDER BY started_at""")
        )
        return [(moment, duration) for moment, duration in rows]


@contextmanager
def _services(limits: Limits) -> Iterator[tuple[Path, tuple[str, str]]]:
    """Run a Valkey and the test server in a directory of their own until the block ends; give it and their URLs."""
    with TemporaryDirectory(prefix="turnout-bench-") as home:
        ports = free_port(), free_port()
        services = [
            subprocess.Popen(valkey_command(Path(home), ports[0], ""), stdout=subprocess.DEVNULL),
            subprocess.Popen([*SANDBOX, "--port", str(ports[1]), *_options(limits)]),
        ]
        try:
            urls = f"redis://127.0.0.1:{ports[0]}/0", f"http://127.0.0.1:{ports[1]}"
            _until_up(urls[1])
            yield Path(home), urls
        finally:
            for service in services:
                service.terminate()
                service.wait()


def _stats(url: str) -> Any:
    return requests.get(f"{url}/_sandbox/stats", timeout=5).json()


def _figures(processes: int, limits: Limits, calls: Sequence[Call], stats: Any) -> dict[str, float]:
    mean = sum(duration for _, duration in calls) / len(calls)
    windows = (len(calls) - 1) // limits.burst
    took = calls[windows * limits.burst][0] - calls[0][0]
    return {
        "processes": processes,
        "calls": len(calls),
        "refused": stats["by_status"].get("429", 0),
        "most in a window": stats["max_in_window"],
        "mean round trip": mean,
        "use of the ideal": windows * (limits.window + mean) / took,
        "use of the limit": windows * limits.window / took,
    }


def _until_up(url: str) -> None:
    for _ in range(200):
        try:
            requests.get(f"{url}/_sandbox/stats", timeout=1)
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return


def main() -> None:
    """Run the bench, or one of its greedy processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=45)
    parser.add_argument("--burst", type=int, default=100)
    parser.add_argument("--window", type=float, default=10)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 8], help="greedy callers")
    parser.add_argument("--workers", type=int, nargs="+", help="Celery's delivery workers in their place")
    parser.add_argument("--greedy", nargs=3, metavar=("REDIS", "HUBSPOT", "ACCOUNT"))
    asked = parser.parse_args()
    limits = Limits(asked.burst, asked.window)
    if asked.greedy:
        redis_url, hubspot_url, account = asked.greedy
        greedy(redis_url, hubspot_url, account, limits, asked.seconds)
        return
    measure = run_workers if asked.workers else run
    for number in asked.workers or asked.processes:
        print(json.dumps(measure(number, limits, asked.seconds)), flush=True)


if __name__ == "__main__":
    main()
