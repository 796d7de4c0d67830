"""Real processes, killed: whatever dies and whatever is flushed, every record is accounted for."""

import random
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
import redis
from sqlalchemy import Engine, func, text, update

from models.tables import Error
from tests.support.sandbox_server import running_sandbox
from tests.support.services import Valkey
from tests.support.worker_processes import Workers, running_workers, until
from worker.context import Context
from worker.queries.reconciliation import audit
from worker.settings import Settings
from worker.stream import Stream

WHEN = 1_767_225_600_000
STATES = ("register", "attend", "cancel")


def message(serial: int, contacts: list[str], state: str, event: str) -> bytes:
    span = {"joinedAt": "2026-01-01T10:00:00Z", "leftAt": "2026-01-01T11:00:00Z"} if state == "attend" else {}
    inputs = [
        {"email": contact, "interactionDateTime": WHEN + serial * 1000 + index, "properties": span}
        for index, contact in enumerate(contacts)
    ]
    return orjson.dumps({"subscriber_state": state, "object_id": event, "inputs": inputs})


def enqueue(stream: Stream, chance: random.Random, serial: int, number: int) -> int:
    """Add messages about people who come again and again; give how many inputs they hold."""
    inputs = 0
    for index in range(number):
        contacts = [f"p{person}@example.com" for person in chance.sample(range(400), chance.randint(1, 40))]
        stream.add(message(serial * 1000 + index, contacts, chance.choice(STATES), f"7{chance.randrange(6)}"))
        inputs += len(contacts)
    return inputs


def left(engine: Engine) -> int:
    """Count what is on its way: batches, and records that are looked for, whose looks come sooner here."""
    with engine.begin() as connection:
        connection.execute(
            update(Error).where(Error.verify_at > func.now() + timedelta(seconds=5)).values(verify_at=func.now())
        )
        return int(
            connection.execute(
                text("""
                SELECT (SELECT count(*) FROM batches WHERE status IN ('PENDING', 'PROCESSING'))
                  + (SELECT count(*) FROM errors WHERE verify_at IS NOT NULL AND resolution IS NULL)""")
            ).scalar_one()
        )


def everything_is_accounted_for(engine: Engine, sandbox: object, handed: int) -> None:
    """The books balance, and every record is delivered: where a kill left it unconfirmed, by proof."""
    books = audit(engine)
    assert books.balanced, books
    assert books.accepted == handed
    assert books.accepted == books.outcomes["delivered"], books  # type: ignore[index]
    held = {(row["contact"], row["event"], row["state"], row["occurredAt"]) for row in sandbox.participations()}  # type: ignore[attr-defined]
    with engine.connect() as connection:
        rows = connection.execute(
            text("""
            SELECT r.contact, ev.object_id, b.state, (r.input->>'interactionDateTime')::bigint AS moment
            FROM records r JOIN batches b ON b.id = r.batch_id JOIN events ev ON ev.id = b.event_id""")
        ).all()
    missing = [row for row in rows if (row.contact, row.object_id, row.state, row.moment) not in held]
    assert not missing, f"{len(missing)} records are called delivered and are not there: {missing[:3]}"


@pytest.fixture
def workers(settings: Settings, tmp_path: Path) -> Iterator[tuple[Workers, object]]:
    with running_sandbox(burst_limit=100_000, latency=0.02) as sandbox:
        told = settings.model_copy(update={"hubspot_url": sandbox.url, "burst_limit": 2_000, "linger": 0.2})
        told.model_fields_set.update({"hubspot_url", "burst_limit", "linger"})
        with running_workers(told, tmp_path) as running:
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
@pytest.mark.parametrize("seed", range(100, 140))
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
