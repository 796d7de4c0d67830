"""A flood in one account or one event does not delay another's; the broker's queue stays short."""

import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import Engine, func, select, text

from models.tables import Batch
from models.words import Status
from tests.support.sandbox_server import running_sandbox
from tests.support.worker_processes import Workers, running_workers, until
from tests.test_broker_outage import told
from worker.accounts.registry import add
from worker.context import Context
from worker.settings import Settings

WHEN = 1_767_225_600_000


def message(contacts: list[str], account: str, event: str) -> bytes:
    inputs = [{"email": contact, "interactionDateTime": WHEN} for contact in contacts]
    return json.dumps(
        {"subscriber_state": "register", "object_id": event, "account": account, "inputs": inputs}
    ).encode()


def waits(engine: Engine, account: str) -> float:
    """Give the median seconds from acceptance to the answer of an account's batches."""
    with engine.connect() as connection:
        seconds = connection.execute(
            text("""
            SELECT extract(epoch FROM settled_at - b.created_at)::float8 FROM batches b
            JOIN accounts a ON a.id = b.account_id WHERE a.name = :name AND b.status = 'COMPLETE'"""),
            {"name": account},
        )
        return float(statistics.median(seconds.scalars()))


def one_by_one(workers: Workers, engine: Engine, account: str, number: int) -> float:
    """Hand in one record after the other, once a second, and give their median wait."""
    stream = Context(workers.settings).stream
    for index in range(number):
        stream.add(message([f"{account}{index}@example.com"], account, f"{account}-{index % 3}"))
        time.sleep(1.0)
    with engine.connect() as connection:
        until(
            lambda: (
                connection.execute(
                    text("""
                SELECT count(*) FROM batches b JOIN accounts a ON a.id = b.account_id
                WHERE a.name = :name AND b.status = 'COMPLETE'"""),
                    {"name": account},
                ).scalar_one()
                == number
            ),
            30,
            workers.logs,
        )
    return waits(engine, account)


@pytest.fixture
def workers(settings: Settings, engine: Engine, tmp_path: Path) -> Iterator[Workers]:
    from pydantic import SecretStr

    with running_sandbox(burst_limit=100_000, latency=0.1) as sandbox:
        here: Any = told(settings, hubspot_url=sandbox.url, linger=0.0)
        for name in ("flooded", "alone", "beside"):
            limits = {"burst_limit": 40, "burst_seconds": 2.0, "batch_size": 1} if name == "flooded" else {}
            add(engine, here, name, limits, SecretStr(f"token-of-{name}"))
        with running_workers(here, tmp_path) as running:
            yield running


@pytest.mark.long
def test_a_flooded_account_does_not_delay_another(workers: Workers, engine: Engine) -> None:
    alone = one_by_one(workers, engine, "alone", 15)
    stream = Context(workers.settings).stream
    for event in range(4):
        stream.add(message([f"p{index}@example.com" for index in range(1_000)], "flooded", str(event)))
    until(lambda: not stream.waiting(), 60, workers.logs)
    beside = one_by_one(workers, engine, "beside", 15)
    with redis.Redis.from_url(workers.settings.broker_url) as broker:
        queued = broker.llen("attendance.deliver")
    with engine.connect() as connection:
        left = connection.execute(
            select(func.count()).select_from(Batch).where(Batch.status == Status.PENDING)
        ).scalar_one()
    assert left > 1_000, "the flood was over too soon to show anything"
    assert queued <= 3 * 8, queued
    assert beside <= 2 * alone, (alone, beside)
    print(
        f"median wait alone {alone:.2f} s, beside a flood {beside:.2f} s, {queued} messages queued, {left} batches wait"
    )
