"""How long a single record takes on an idle system: from its submission until its POST arrives at HubSpot's stand-in.

The linger is part of the way, and shown beside it. A file is submitted by a command, so it has two lines: from the
moment at which the command hands its message in, as with the other ways, and from the command's start, so that its
imports, its reading and its looks at the database are part of the way too.
"""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any, Final, cast

import orjson
import redis
import requests
from celery import Celery

from bench.contest import Running, running_turnout
from bench.processes import wait_until
from bench.stage import Stage
from bench.workload import WHEN
from worker.stream import KEY, Stream

WAYS: Final = ("stream", "http", "celery", "file")
FROM_START: Final = "file, from the command's start"
FROM_HAND_IN: Final = "file, from its hand-in"
LINGER: Final = 0.05
PAUSES: Final = (0.2, 1.2)
"""Seconds between two submissions, drawn: they fall on any moment between two sweeps."""
PATIENCE: Final = 60.0
Submit = Callable[[str], None]
"""Submits a record of this contact."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of each submission by a way in."""

    way: str
    seconds: list[float]

    def _told(self) -> tuple[float, float]:
        last = quantiles(self.seconds, n=100)[98] if len(self.seconds) > 1 else self.seconds[0]
        return median(self.seconds), min(last, max(self.seconds))

    def row(self) -> tuple[str, ...]:
        """Give a row of the table."""
        middle, last = self._told()
        times = (middle, last, middle - LINGER, last - LINGER)
        return (self.way, *(f"{one * 1000:,.0f}" for one in times), str(len(self.seconds)), f"{LINGER * 1000:.0f}")

    def as_json(self) -> dict[str, Any]:
        """Give it all."""
        middle, last = self._told()
        return {"way": self.way, "median": middle, "last": last, "linger": LINGER, "seconds": self.seconds}


def latency(stage: Stage, number: int) -> Iterator[Latency]:
    """Submit so many records by each way, one after the other, and give how long each took."""
    with running_turnout(stage, linger=LINGER, counted=False) as on:
        for way in WAYS:
            with _way(stage, on, way) as submit:
                stage.reset(arrivals=True)
                for index in range(3):  # processes and connections warm up
                    _wait_for(stage, submit, f"warm.{way}.{index}@example.com")
                from_start, from_hand_in = [], []
                for index in range(number):
                    time.sleep(random.uniform(*PAUSES))
                    begun, arrived = _wait_for(stage, submit, f"{way}.{index}@example.com")
                    from_start.append(arrived - begun)
                    if way == "file":
                        from_hand_in.append(arrived - _handed_in(stage))
                if from_hand_in:
                    yield Latency(FROM_HAND_IN, from_hand_in)
                yield Latency(FROM_START if from_hand_in else way, from_start)


def _wait_for(stage: Stage, submit: Submit, contact: str) -> tuple[float, float]:
    """Submit a record, and give when that began and when its POST arrived."""
    begun = time.monotonic()
    submit(contact)
    wait_until(lambda: contact in stage.arrivals(), PATIENCE, f"{contact} is not delivered")
    return begun, stage.arrivals()[contact]


def _handed_in(stage: Stage) -> float:
    """Give when the newest message was added to the stream, by the clock of this machine: its id says so, in ms."""
    with redis.Redis.from_url(stage.broker) as client:
        newest = cast("dict[str, bytes]", client.xinfo_stream(KEY))["last-generated-id"]
    return int(newest.partition(b"-")[0]) / 1000 - (time.time() - time.monotonic())


@contextmanager
def _way(stage: Stage, on: Running, way: str) -> Iterator[Submit]:
    match way:
        case "stream":
            with redis.Redis.from_url(stage.broker) as client:
                stream = Stream(client)
                yield lambda contact: _drop(stream.add(orjson.dumps(_message(contact))))
        case "http":
            with requests.Session() as session:
                yield lambda contact: _post(session, on, contact)
        case "celery":
            with Celery(broker=stage.broker) as app:
                app.conf.task_ignore_result = True
                name = "attendance.accept"
                yield lambda contact: _drop(app.send_task(name, queue=name, kwargs=_message(contact)))
        case _:
            path = on.bench.home / "one.jsonl"

            def enqueue(contact: str) -> None:
                path.write_bytes(orjson.dumps({"subscriber_state": "register", "object_id": "1"} | _input(contact)))
                command = [sys.executable, "-m", "cli", "enqueue", str(path), "--json"]
                subprocess.run(command, cwd=on.bench.home, env=on.bench.env, stdout=subprocess.DEVNULL, check=True)

            yield enqueue


def _drop(_: object) -> None:
    """Leave what came back."""


def _post(session: requests.Session, on: Running, contact: str) -> None:
    url = f"{on.api}/marketing/v3/marketing-events/1/attendance/register/email-create"
    headers = {"Authorization": f"Bearer {on.key}"}
    session.post(url, json={"inputs": [_input(contact)]}, headers=headers, timeout=PATIENCE).raise_for_status()


def _message(contact: str) -> dict[str, Any]:
    return {"subscriber_state": "register", "object_id": "1", "inputs": [_input(contact)]}


def _input(contact: str) -> dict[str, Any]:
    return {"email": contact, "interactionDateTime": WHEN, "properties": {}}
