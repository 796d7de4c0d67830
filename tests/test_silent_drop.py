"""Real workers against a HubSpot that keeps silent about a third of what it is sent: nothing is called delivered
that is not there, and nothing that is there is called lost."""

import random
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from sqlalchemy import Engine, func, update

from models.tables import Error
from models.words import Outcome
from tests.support.ledger import Ledger, on_its_way, read_back
from tests.support.sandbox_server import running_sandbox
from tests.support.worker_processes import running_workers, until
from worker.context import Context
from worker.queries.reconciliation import audit
from worker.settings import Settings

WHEN = 1_767_225_600_000
RECORDS = 240


def let_the_next_looks_come(engine: Engine) -> None:
    """Wait virtually; only real time that passes here is the work's."""
    with engine.begin() as connection:
        connection.execute(
            update(Error).where(Error.verify_at > func.now() + timedelta(seconds=1)).values(verify_at=func.now())
        )


def is_over(engine: Engine) -> bool:
    let_the_next_looks_come(engine)
    return not on_its_way(engine)


@pytest.mark.long
def test_after_silent_drops_what_is_delivered_is_there_and_what_is_left_is_not(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    chance = random.Random(7)
    with running_sandbox(burst_limit=100_000, seed=3) as sandbox:
        told = settings.model_copy(update={"hubspot_url": sandbox.url, "burst_limit": 20_000, "linger": 0.1})
        told.model_fields_set.update({"hubspot_url", "burst_limit", "linger"})
        sandbox.fault(match="p3@example.com", drop=True)  # always: this one must be left
        sandbox.fault(drop=True, rate=0.35)
        sandbox.fault(drop=True, applied=True, rate=0.2)
        with running_workers(told, tmp_path) as workers:
            stream = Context(told).stream
            for first in range(0, RECORDS, 20):
                inputs = [
                    {"email": f"p{number}@example.com", "interactionDateTime": WHEN + number, "properties": {}}
                    for number in range(first, first + 20)
                ]
                event = str(chance.randrange(8))
                stream.add(orjson.dumps({"subscriber_state": "register", "object_id": event, "inputs": inputs}))
            until(lambda: not stream.waiting() and is_over(engine), 60, workers.logs)
        held = {(row["contact"], row["event"], row["occurredAt"]) for row in sandbox.participations()}
    books = audit(engine)
    assert books.balanced, books
    assert books.accepted == RECORDS
    ledger = Ledger(engine)
    errors = ledger.errors(Error.resolution.is_(None))
    named = {
        record.id: (record.contact, event, record.input["interactionDateTime"]) for record, _, event in ledger.stored()
    }
    left = {named[error.record_id] for error in errors}
    assert set(named.values()) - left == held
    assert len(left) == books.outcomes[Outcome.UNCONFIRMED] > 0
    assert all(error.reads == 4 and read_back(error)["left"] for error in errors)
