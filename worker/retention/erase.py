"""Erase: a person is removed from everything kept, by e-mail address or contact id. The books stay as they are.

Their records are blanked (`blank`); one that is being sent is waited for. Then every text of every table is looked at
for what still mentions them (`mentions`), and Redis (`redis_traces`).
"""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Engine, func, insert, select

from models.erasure import Changes, Person
from models.tables import Erasure, Record, seconds
from models.words import AttemptKind
from worker.context import Context, Lately
from worker.log import get_logger
from worker.retention import blank, mentions, redis_traces

log = get_logger(__name__)

POLL: Final = 0.2
"""Seconds between two looks at what is waited for."""
GRACE: Final = 5.0
"""Seconds after its time-out within which an answer is noted."""

BEING_SENT: Final = select(Record.batch_id).where(blank.OF_THEM).distinct().order_by(Record.batch_id)
"""Where a person's records are left once the others are blanked: in batches that are, or just were, being sent."""
READING: Final = select(Lately.id).where(
    Lately.kind == AttemptKind.READ_BACK,
    Lately.is_under_way(),
    Lately.started_at > func.now() - seconds("within"),
)
"""The calls that read back at this moment; the answer to one may name whoever was unconfirmed until now."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What came of it. The receipt that is stored is `rows` and `complete`; hints and reasons are only shown."""

    id: int
    erased_at: datetime
    rows: Counter[str]
    """Rows changed, by table."""
    also: set[str]
    """Other names that HubSpot's answers tell of the same person: erased only when asked for."""
    left: list[str]
    """Why something had to be left for another time."""

    @property
    def complete(self) -> bool:
        """Say whether nothing was left."""
        return not self.left


def erase(process: Context, person: Person, patience: float) -> Erased:
    """Erase a person; wait so many seconds for what is being sent, read back or accepted at this moment.

    Interrupted at any moment it is begun again. Where that waiting was in vain the rest is left, and said.
    """
    engine, timeout = process.engine, process.settings.timeout
    changes = Changes()
    until = time.monotonic() + patience
    reading = _reading(engine, timeout)
    while True:
        # In this order: what has left the stream is among the records, and what is blanked is read back no more.
        waiting = redis_traces.waiting(process, person)
        blanked = blank.blank(engine, person)
        changes += blanked
        reading = _reading(engine, timeout) if blanked else reading & _reading(engine, timeout)
        busy = _sending(engine, person)
        busy += ["HubSpot's answer to a read-back, which may name them, is not noted yet"] if reading else []
        left = waiting + busy
        if not left or time.monotonic() > until:
            break
        time.sleep(POLL)
    if not busy:
        changes += mentions.remove(engine, person)
        left += redis_traces.forget(process)
    with engine.begin() as connection:
        receipt = insert(Erasure).values(rows=dict(changes.rows), complete=not left)
        erasure_id, erased_at = connection.execute(receipt.returning(Erasure.id, Erasure.erased_at)).one()
    log.info("erased", erasure=erasure_id, rows=dict(changes.rows), complete=not left)
    return Erased(erasure_id, erased_at, changes.rows, changes.also_named - {*person.contacts}, left)


def _sending(engine: Engine, person: Person) -> list[str]:
    with engine.connect() as connection:
        batch_ids = connection.execute(BEING_SENT, {"contacts": person.contacts}).scalars()
        return [f"batch {batch_id} holds a record of theirs and is being sent" for batch_id in batch_ids]


def _reading(engine: Engine, timeout: float) -> set[int]:
    with engine.connect() as connection:
        return set(connection.execute(READING, {"within": timeout + GRACE}).scalars())
