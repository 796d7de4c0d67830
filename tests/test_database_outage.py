"""An outage that is handled, of PostgreSQL or of Redis: in each process one warning and one line at its end."""

import json
import random
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from kombu.connection import Connection
from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError, ProgrammingError

from tests.support import warm
from tests.support.accounted import enqueue, everything_is_accounted_for, left
from tests.support.api import key_for
from tests.support.proxy import Proxy
from tests.support.sandbox_server import running_sandbox
from tests.support.services import Valkey
from tests.support.worker_processes import COMMANDS, SHORT, environment, running_workers, told, until
from worker.celery import app
from worker.context import Context
from worker.database import is_away
from worker.local.services import free_port
from worker.settings import Settings
from worker.stream import Stream, StreamUnavailable, is_redis_away
from worker.task_names import ACCEPT, DELIVER, INTAKE, JOB, NOTIFY, PURGE, SWEEP, VERIFY

MEANWHILE = 4
"""Seconds of an outage in which each task comes."""


@pytest.fixture
def proxy(settings: Settings) -> Iterator[Proxy]:
    """The way to this test's database."""
    url = make_url(settings.database_url)
    proxy = Proxy(Path(str(url.query["host"])) / f".s.PGSQL.{url.port or 5432}")
    yield proxy
    proxy.cut()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path, appendfsync="always")
    yield server
    server.stop()


def send_every_task(settings: Settings) -> None:
    """Send a message for each task, as the sweep and producers do."""
    facts: dict[str, dict[str, Any]] = {
        **{name: {} for name in (SWEEP, INTAKE, NOTIFY, JOB, PURGE)},
        **{name: {"account": "default"} for name in (DELIVER, VERIFY)},
        ACCEPT: {"object_id": "71", "subscriber_state": "register", "inputs": []},
    }
    with Connection(settings.broker_url) as connection:  # type: ignore[no-untyped-call]
        for name, fields in facts.items():
            queue = app.conf.task_routes[name]["queue"]
            headers = {"lang": "py", "task": name, "id": str(uuid.uuid4())}
            connection.Producer().publish([[], fields, {}], routing_key=queue, headers=headers)


def lines_of(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def of(log: Path, service: str) -> list[str]:
    """Give what a log says of an outage of a service."""
    return [line["event"] for line in lines_of(log) if line.get("service") == service]


def test_an_outage_is_one_warning_in_each_process_and_one_line_at_its_end(
    settings: Settings, proxy: Proxy, own_redis: Valkey, engine: Engine, valkey: Valkey, tmp_path: Path
) -> None:
    url = make_url(settings.database_url)
    through = f"postgresql://{url.username or 'postgres'}@127.0.0.1:{proxy.port}/{url.database}"
    with running_sandbox(burst_limit=100_000, latency=0.2) as sandbox:
        here = told(
            settings,
            database_url=through,
            broker_url=valkey.url,
            redis_url=own_redis.url,
            hubspot_url=sandbox.url,
            linger=0.2,
            burst_limit=40,
            burst_seconds=2.0,
            log_format="json",
            **SHORT,
        )
        context = Context(told(here, database_url=settings.database_url))
        stream, chance, handed = context.stream, random.Random(7), 0
        met = {"PostgreSQL": ["web", "delivery", "housekeeping"], "Redis": ["web", *COMMANDS]}
        with serving(here, context, tmp_path) as door, running_workers(here, tmp_path) as workers:

            def said(service: str, event: str) -> bool:
                door.submit()
                return all(of(tmp_path / f"{name}.log", service)[-1:] == [event] for name in met[service])

            for serial, (service, cut, restore) in enumerate(
                [("PostgreSQL", proxy.cut, proxy.restore), ("Redis", own_redis.kill, own_redis.start)]
            ):
                handed += enqueue(stream, chance, serial, 40)
                until(lambda: left(engine) > 0, 30, workers.logs)
                cut()
                for _ in range(MEANWHILE):
                    send_every_task(here)
                    door.submit()
                    time.sleep(1)
                until(lambda service=service: said(service, "out of reach"), 60, workers.logs)  # type: ignore[misc]
                restore()
                until(lambda service=service: said(service, "back again"), 60, workers.logs)  # type: ignore[misc]
            until(lambda: not stream.waiting() and not left(engine), 60, workers.logs)
            assert all(workers.alive(name) for name in COMMANDS)
        everything_is_accounted_for(engine, sandbox, handed + door.stored)
        context.engine.dispose()
        context.redis.close()
    for name in (*COMMANDS, "web"):
        log = tmp_path / f"{name}.log"
        assert "Traceback" not in log.read_text(), name
        for service, names in met.items():
            assert of(log, service) == (["out of reach", "back again"] if name in names else []), (name, service)
        assert [line for line in lines_of(log) if line["level"] in {"error", "critical"}] == [], name


class Door:
    """The API of a `turnout serve` of this test's own, and how many records it stored."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key
        self.stored = 0

    def submit(self) -> int:
        self.stored += 1
        person = {"email": f"d{self.stored}@example.com", "interactionDateTime": 1_767_225_600_000}
        answer = requests.post(
            f"{self._url}/marketing/v3/marketing-events/71/attendance/register/email-create",
            json={"inputs": [person]},
            headers={"Authorization": f"Bearer {self._key}"},
            timeout=30,
        )
        if answer.status_code != 200:
            self.stored -= 1
        return answer.status_code


@contextmanager
def serving(settings: Settings, context: Context, home: Path) -> Iterator[Door]:
    port = free_port()
    command = [sys.executable, "-m", "cli", "serve", "--port", str(port)]
    served = warm.start(command, home, environment(settings), home / "web.log")
    try:
        until(lambda: "serving" in (home / "web.log").read_text(), 30, (home / "web.log").read_text)
        yield Door(f"http://127.0.0.1:{port}", key_for(context, "shop"))
    finally:
        served.terminate()
        served.wait(40)


# Whether an outage is to blame


class Refused(Exception):  # noqa: N818 - as a driver's
    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("refused")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "away"),
    [
        (None, True),  # not connected at all
        ("57P01", True),  # shut down
        ("57P03", True),  # starting up
        ("08006", True),
        ("25006", True),  # a standby
        ("53300", True),  # too many connections
        ("53100", True),  # the disk is full
        ("58030", True),  # its file system fails
        ("57014", False),  # a statement took too long
        ("40P01", False),  # a deadlock
        ("55P03", False),  # a lock took too long
    ],
)
def test_which_errors_are_an_outage_of_postgresql(sqlstate: str | None, *, away: bool) -> None:
    assert is_away(OperationalError("SELECT", {}, Refused(sqlstate))) is away


def test_a_wrong_statement_is_no_outage() -> None:
    assert not is_away(ProgrammingError("SELECT", {}, Refused("42P01")))


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (redis.ConnectionError("refused"), True),
        (redis.TimeoutError("timeout"), True),
        (redis.exceptions.ReadOnlyError("it is a replica"), True),
        (redis.exceptions.OutOfMemoryError("full"), True),
        (redis.ResponseError("MISCONF Redis is configured to save RDB snapshots"), True),
        (redis.ResponseError("WRONGTYPE Operation against a key"), False),
        (redis.exceptions.NoPermissionError("NOPERM"), False),
        (ValueError("MISCONF"), False),
    ],
)
def test_which_errors_are_an_outage_of_redis(error: Exception, *, away: bool) -> None:
    assert is_redis_away(error) is away


def test_what_the_stream_says_is_an_outage_where_its_cause_is(valkey: Valkey) -> None:
    with redis.Redis(port=free_port()) as nothing, pytest.raises(StreamUnavailable) as raised:
        Stream(nothing).waiting()
    assert is_redis_away(raised.value)
    with redis.Redis.from_url(valkey.url) as client:
        client.set("turnout:intake", "a text")
        with pytest.raises(StreamUnavailable) as raised:
            Stream(client).waiting()
        client.delete("turnout:intake")
    assert not is_redis_away(raised.value)
