"""A flood in one account or one event does not delay another's; the broker's queue stays short."""

import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import Engine, text

from models.tables import Batch
from models.words import Status
from tests.support.ledger import Ledger
from tests.support.sandbox_server import running_sandbox
from tests.support.worker_processes import Workers, running_workers, told, until
from worker.accounts.registry import add
from worker.context import Context
from worker.settings import Settings

WHEN = 1_767_225_600_000
THREADS = 8
"""Of the process that delivers."""


def message(contacts: list[str], account: str, event: str) -> bytes:
    inputs = [{"email": contact, "interactionDateTime": WHEN} for contact in contacts]
    return json.dumps(
        {"subscriber_state": "register", "object_id": event, "account": account, "inputs": inputs}
    ).encode()


def overtaken(engine: Engine, account: str) -> list[tuple[int, int]]:
    """For each batch of an account: how many of the flood waited when it came, and how many of them went first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("""
            SELECT count(*) FILTER (WHERE f.created_at < b.created_at AND coalesce(f.settled_at, 'infinity')
                > b.created_at) AS waited, count(*) FILTER (WHERE f.settled_at BETWEEN b.created_at AND b.settled_at)
                AS went_first
            FROM batches b JOIN accounts a ON a.id = b.account_id
            CROSS JOIN (SELECT * FROM batches WHERE account_id = (SELECT id FROM accounts WHERE name = 'flooded')) f
            WHERE a.name = :name AND b.status = 'COMPLETE' GROUP BY b.id ORDER BY b.id"""),
            {"name": account},
        )
        return [(row.waited, row.went_first) for row in rows]


def one_by_one(workers: Workers, engine: Engine, account: str, number: int) -> None:
    """Hand in one record after the other, once a second, and wait until all have their answer."""
    stream = Context(workers.settings).stream
    for index in range(number):
        stream.add(message([f"{account}{index}@example.com"], account, f"{account}-{index % 3}"))
        time.sleep(1.0)
    ledger = Ledger(engine)
    its_own = Batch.account_id == ledger.account(account).id
    until(lambda: len(ledger.batches(its_own, Batch.status == Status.COMPLETE)) == number, 30, workers.logs)


@pytest.fixture
def workers(settings: Settings, engine: Engine, tmp_path: Path) -> Iterator[Workers]:
    from pydantic import SecretStr

    with running_sandbox(burst_limit=100_000, latency=0.1) as sandbox:
        here: Any = told(settings, hubspot_url=sandbox.url, linger=0.0)
        for name in ("flooded", "beside"):
            limits = {"burst_limit": 40, "burst_seconds": 2.0, "batch_size": 1} if name == "flooded" else {}
            add(engine, here, name, limits, SecretStr(f"token-of-{name}"))
        with running_workers(here, tmp_path) as running:
            yield running


@pytest.mark.long
def test_a_flooded_account_does_not_delay_another(workers: Workers, engine: Engine) -> None:
    stream = Context(workers.settings).stream
    for event in range(4):
        stream.add(message([f"p{index}@example.com" for index in range(1_000)], "flooded", str(event)))
    until(lambda: not stream.waiting(), 60, workers.logs)
    one_by_one(workers, engine, "beside", 15)
    with redis.Redis.from_url(workers.settings.broker_url) as broker:
        queued = broker.llen("attendance.deliver")
    left = len(Ledger(engine).batches(Batch.status == Status.PENDING))
    assert left > 1_000, "the flood was over too soon to show anything"
    assert queued <= 3 * THREADS, queued
    passed = overtaken(engine, "beside")
    print(f"waited and went first: {passed}, {queued} messages queued, {left} batches wait")
    assert len(passed) == 15
    assert min(waited for waited, _ in passed) > 1_000, "the flood was over too soon to show anything"
    # In one line it would be all of the flood; if the flood held every thread, as many as there are threads.
    assert statistics.median(first for _, first in passed) < THREADS, passed
