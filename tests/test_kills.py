"""Real processes, killed: whatever dies and whatever is flushed, every record is accounted for."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine

from tests.support.accounted import enqueue, everything_is_accounted_for, left
from tests.support.sandbox_server import running_sandbox
from tests.support.seeds import seeds
from tests.support.services import Valkey
from tests.support.worker_processes import SHORT, Workers, running_workers, told, until
from worker.context import Context
from worker.settings import Settings


@pytest.fixture
def workers(settings: Settings, tmp_path: Path) -> Iterator[tuple[Workers, object]]:
    with running_sandbox(burst_limit=100_000, latency=0.02) as sandbox:
        here = told(settings, hubspot_url=sandbox.url, burst_limit=2_000, linger=0.2, **SHORT)
        with running_workers(here, tmp_path) as running:
            yield running, sandbox


def killed_again_and_again(workers: Workers, sandbox: object, engine: Engine, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    stream = Context(workers.settings).stream
    handed = 0
    for kill in range(kills):
        handed += enqueue(stream, chance, kill, 60)
        until(lambda: stream.waiting() < 60 or left(engine) > 0, 30, workers.logs)
        time.sleep(chance.random() * 0.8)
        victims = chance.choice([("delivery",), ("housekeeping",), ("delivery", "housekeeping")])
        workers.kill(*victims)
        workers.start(*victims)
    until(
        lambda: not stream.waiting() and not left(engine), 90, lambda: f"{left(engine)} batches wait: {workers.logs()}"
    )
    everything_is_accounted_for(engine, sandbox, handed)


def test_a_worker_killed_three_times_loses_nothing(workers: tuple[Workers, object], engine: Engine) -> None:
    killed_again_and_again(*workers, engine, kills=3, seed=1)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", seeds(40, first=100))
def test_workers_killed_three_times_lose_nothing_whatever_the_seed(
    workers: tuple[Workers, object], engine: Engine, seed: int
) -> None:
    killed_again_and_again(*workers, engine, kills=3, seed=seed)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_worker_killed_twenty_times_loses_nothing(workers: tuple[Workers, object], engine: Engine) -> None:
    killed_again_and_again(*workers, engine, kills=20, seed=2)


def test_a_flush_of_redis_after_acceptance_loses_nothing(
    workers: tuple[Workers, object], engine: Engine, valkey: Valkey
) -> None:
    running, sandbox = workers
    stream = Context(running.settings).stream
    chance = random.Random(3)
    handed = 0
    with redis.Redis.from_url(valkey.url) as client:
        for flush in range(4):
            handed += enqueue(stream, chance, flush, 40)
            until(lambda: not stream.waiting(), 30, running.logs)
            client.flushall()
            time.sleep(chance.random())
    until(lambda: not stream.waiting() and not left(engine), 60, lambda: f"{left(engine)} wait: {running.logs()}")
    everything_is_accounted_for(engine, sandbox, handed)
