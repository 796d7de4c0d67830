"""Messages at random for real workers, and what must hold when all of them have been worked off."""

import random
from datetime import timedelta

import orjson
from sqlalchemy import Engine, func, update

from models.tables import Error
from tests.support.ledger import Ledger, on_its_way
from worker.queries.reconciliation import audit
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
    return on_its_way(engine)


def everything_is_accounted_for(engine: Engine, sandbox: object, handed: int) -> None:
    """The books balance, and every record is delivered: where a kill left it unconfirmed, by proof."""
    books = audit(engine)
    assert books.balanced, books
    assert books.accepted == handed, f"{books.accepted} were accepted, not {handed}: {books}"
    assert books.accepted == books.outcomes["delivered"], books  # type: ignore[index]
    held = {(row["contact"], row["event"], row["state"], row["occurredAt"]) for row in sandbox.participations()}  # type: ignore[attr-defined]
    stored = [
        (record.contact, event, batch.state, record.input["interactionDateTime"])
        for record, batch, event in Ledger(engine).stored()
    ]
    missing = [row for row in stored if row not in held]
    assert not missing, f"{len(missing)} records are called delivered and are not there: {missing[:3]}"
