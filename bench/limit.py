"""The limit, used to the full and never exceeded: greedy processes against the stand-in's real rolling window.

Shows the share of the ideal that was used (a slot's cycle is a window and a mean round trip, at best) and how many
calls the stand-in refused, with one process and with eight. Repeat: `python -m bench.limit --seconds 60`.
"""

import argparse
import json
import subprocess
import sys
import time
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory

import redis
import requests

from hubspot.client import Response, post
from hubspot.limiter import Limiter, Limits, Permit
from worker.local import free_port, valkey_command

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
    """Run so many greedy processes, and give what the stand-in counted."""
    with TemporaryDirectory(prefix="turnout-bench-") as home:
        ports = free_port(), free_port()
        services = [
            subprocess.Popen(valkey_command(Path(home), ports[0]), stdout=subprocess.DEVNULL),
            subprocess.Popen([*SANDBOX, "--port", str(ports[1]), *_options(limits)]),
        ]
        try:
            urls = f"redis://127.0.0.1:{ports[0]}/0", f"http://127.0.0.1:{ports[1]}"
            _until_up(urls[1])
            account = uuid.uuid4().hex
            command = [sys.executable, "-m", "bench.limit", "--greedy", *urls, account, "--seconds", str(seconds)]
            command += ["--burst", str(limits.burst), "--window", str(limits.window)]
            workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
            calls = sorted(call for worker in workers for call in json.loads(worker.communicate()[0]))
            stats = requests.get(f"{urls[1]}/_sandbox/stats", timeout=5).json()
        finally:
            for service in services:
                service.terminate()
                service.wait()
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
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--greedy", nargs=3, metavar=("REDIS", "HUBSPOT", "ACCOUNT"))
    asked = parser.parse_args()
    limits = Limits(asked.burst, asked.window)
    if asked.greedy:
        greedy(*asked.greedy, limits, asked.seconds)
        return
    for number in asked.processes:
        print(json.dumps(run(number, limits, asked.seconds)))


if __name__ == "__main__":
    main()
