"""The broker is gone for fifteen seconds while tasks are in flight: afterwards everything goes on by itself."""

import os
import random
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support.proxy import Proxy
from tests.support.sandbox_server import running_sandbox
from tests.support.services import Valkey
from tests.support.worker_processes import Workers, running_workers, until
from tests.test_kills import enqueue, everything_is_accounted_for, left
from worker.settings import Settings
from worker.stream import Stream

pytestmark = pytest.mark.long
OUTAGE = 15.0


def told(settings: Settings, **more: object) -> Settings:
    changed = settings.model_copy(update=more)
    changed.model_fields_set.update(more)
    return changed


def recovers(workers: Workers, sandbox: object, engine: Engine, handed: int) -> None:
    stream = Stream.open(workers.settings)
    until(
        lambda: not stream.waiting() and not left(engine), 60, lambda: f"{left(engine)} batches wait: {workers.logs()}"
    )
    assert all(workers.alive(name) for name in ("delivery", "housekeeping", "beat")), workers.logs()
    everything_is_accounted_for(engine, sandbox, handed)


@pytest.fixture
def broken_valkey(settings: Settings, tmp_path: Path) -> Iterator[tuple[Settings, Valkey]]:
    valkey = Valkey(tmp_path)
    yield told(settings, broker_url=valkey.url, linger=0.2, burst_limit=40, burst_seconds=2.0), valkey
    valkey.stop()


@pytest.mark.timeout(180)
def test_valkey_gone_for_fifteen_seconds(
    broken_valkey: tuple[Settings, Valkey], engine: Engine, tmp_path: Path
) -> None:
    settings, valkey = broken_valkey
    with running_sandbox(burst_limit=100_000, latency=0.3) as sandbox:
        settings = told(settings, hubspot_url=sandbox.url)
        with running_workers(settings, tmp_path) as workers:
            stream, chance = Stream.open(settings), random.Random(1)
            handed = enqueue(stream, chance, 1, 100)
            until(lambda: not stream.waiting(), 30, workers.logs)  # what waited would be lost without persistence
            valkey.kill()
            time.sleep(OUTAGE)
            valkey.start()
            handed += enqueue(stream, chance, 2, 100)
            recovers(workers, sandbox, engine, handed)


@pytest.fixture
def rabbitmq() -> Iterator[Proxy]:
    """RabbitMQ on its standard port, behind a proxy of ours: a machine without one cannot show this."""
    try:
        socket.create_connection(("127.0.0.1", 5672), 2).close()
    except OSError:
        missing = "NOT SHOWN: no RabbitMQ listens on 127.0.0.1:5672, guest/guest; start one and run this again"
        if "CI" in os.environ:
            pytest.fail(missing)  # there nothing is left unshown for want of something
        pytest.skip(missing)
    proxy = Proxy(5672)
    yield proxy
    proxy.cut()


@pytest.mark.timeout(180)
def test_rabbitmq_gone_for_fifteen_seconds(
    rabbitmq: Proxy, settings: Settings, valkey: Valkey, engine: Engine, tmp_path: Path
) -> None:
    with running_sandbox(burst_limit=100_000, latency=0.3) as sandbox:
        settings = told(
            settings,
            broker_url=f"amqp://guest:guest@127.0.0.1:{rabbitmq.port}//",
            redis_url=valkey.url,
            hubspot_url=sandbox.url,
            linger=0.2,
            burst_limit=40,
            burst_seconds=2.0,
        )
        with running_workers(settings, tmp_path) as workers:
            stream, chance = Stream.open(settings), random.Random(uuid.uuid4().int)
            handed = enqueue(stream, chance, 1, 100)
            until(lambda: left(engine) > 0, 30, workers.logs)
            rabbitmq.cut()
            time.sleep(OUTAGE)
            rabbitmq.restore()
            handed += enqueue(stream, chance, 2, 100)
            recovers(workers, sandbox, engine, handed)
