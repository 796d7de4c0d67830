"""Producers of a bench: submit messages to Turnout by a way in, as fast as they go.

    python -m bench.producers stream|http|celery|csv|jsonl MESSAGES

- `stream`   XADD, a hundred in a pipeline
- `http`     requests by eight clients at once, each waiting for its answer
- `celery`   the task `attendance.accept` by name
- `csv`, `jsonl`  `turnout enqueue` of a file of their records, from the command's start until it has the receipts

`BENCH_BROKER`, or `BENCH_API` with `BENCH_KEY`, says where. It says `ready`, begins when it is told to, says `done`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson
import redis
import requests
from celery import Celery

from worker.files.sheet import Sheet

CLIENTS: Final = 8
PIPELINE: Final = 100


def by_stream(messages: Sequence[bytes]) -> Callable[[], None]:
    """Get ready to add the messages to the stream."""
    client = redis.Redis.from_url(os.environ["BENCH_BROKER"])
    client.ping()

    def submit() -> None:
        for first in range(0, len(messages), PIPELINE):
            with client.pipeline(transaction=False) as pipeline:
                for message in messages[first : first + PIPELINE]:
                    pipeline.xadd("turnout:intake", {"message": message})
                pipeline.execute()

    return submit


def by_http(messages: Sequence[bytes]) -> Callable[[], None]:
    """Get ready to ask the API, a message a request."""
    url, local = os.environ["BENCH_API"], threading.local()
    asked = []
    for raw in messages:
        message = orjson.loads(raw)
        path = f"/marketing/v3/marketing-events/{message['object_id']}/attendance/{message['subscriber_state']}"
        asked.append((f"{url}{path}/email-create", orjson.dumps({"inputs": message["inputs"]})))

    def post(one: tuple[str, bytes]) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.headers["Authorization"] = f"Bearer {os.environ['BENCH_KEY']}"
            local.session.headers["Content-Type"] = "application/json"
        local.session.post(one[0], data=one[1], timeout=120).raise_for_status()

    def submit() -> None:
        with ThreadPoolExecutor(CLIENTS) as pool:
            for _ in pool.map(post, asked):
                pass

    return submit


def by_celery(messages: Sequence[bytes]) -> Callable[[], None]:
    """Get ready to send tasks."""
    app = Celery(broker=os.environ["BENCH_BROKER"])
    app.conf.task_ignore_result = True
    fields: list[dict[str, Any]] = [orjson.loads(message) for message in messages]
    app.connection_for_write().ensure_connection()

    def submit() -> None:
        for message in fields:
            app.send_task("attendance.accept", queue="attendance.accept", kwargs=message)

    return submit


def by_csv(messages: Sequence[bytes]) -> Callable[[], None]:
    """Get ready to submit a CSV file."""
    path = Path(tempfile.mkdtemp(dir=os.environ["TURNOUT_DATA_DIR"])) / "people.csv"
    with path.open("w", newline="") as file:
        rows = Sheet(file)
        rows.add(["subscriber_state", "object_id", "email", "interactionDateTime", "firstname", "lastname"])
        for state, event, one in _records(messages):
            rows.add([state, event, one["email"], one["interactionDateTime"], *one["contactProperties"].values()])
    return partial(_enqueue, path)


def by_jsonl(messages: Sequence[bytes]) -> Callable[[], None]:
    """Get ready to submit a file of JSON Lines."""
    path = Path(tempfile.mkdtemp(dir=os.environ["TURNOUT_DATA_DIR"])) / "people.jsonl"
    with path.open("wb") as file:
        for state, event, one in _records(messages):
            file.write(orjson.dumps({"subscriber_state": state, "object_id": event} | one) + b"\n")
    return partial(_enqueue, path)


def _records(messages: Sequence[bytes]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for raw in messages:
        message = orjson.loads(raw)
        for one in message["inputs"]:
            yield message["subscriber_state"], message["object_id"], one


def _enqueue(path: Path) -> None:
    subprocess.run([sys.executable, "-m", "cli", "enqueue", str(path), "--json"], stdout=subprocess.DEVNULL, check=True)


WAYS: Final = {"csv": by_csv, "jsonl": by_jsonl, "stream": by_stream, "http": by_http, "celery": by_celery}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("messages", type=Path)
    asked = parser.parse_args()
    submit = WAYS[asked.way](asked.messages.read_bytes().splitlines())
    print("ready", flush=True)
    sys.stdin.readline()
    submit()
    print("done", flush=True)
    sys.stdin.readline()  # its processor time is read before it ends


if __name__ == "__main__":
    main()
