"""Retain: which settled batches must stay, however old they are. A question only: nothing is changed here.

What waits for its read-back keeps its batch, and so does a batch that waits for another. And no record that arrived
goes before an older one of its contact and event that can still be sent, for it is what keeps that one from being sent
after it. Nothing else does: an error that nobody resolved for so long keeps only what overtook its record.
"""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import ARRAY, BigInteger, Connection, and_, bindparam, exists, func, or_, select, true
from sqlalchemy.dialects.postgresql import array

from models.outcome import LastError, outcome
from models.tables import Batch, Error, Record, fixed, ids
from models.words import Outcome
from worker.queue.contact_index import Place, after_sendable, oldest_sendable

READ_BACK: Final = select(Error.batch_id).where(Error.batch_id == ids("batches"), Error.is_looked_for())
"""Batches with a record that is still read back."""

_ASKED: Final = func.unnest(bindparam("batches", type_=ARRAY(BigInteger))).column_valued("asked")
WAITED_FOR: Final = select(_ASKED).where(exists().where(Batch.after.contains(array([_ASKED])), Batch.waits()))
"""Batches that another one waits for, whatever they say of themselves."""

_TOOK_IT_ONCE: Final = exists().where(Error.record_id == Record.id, Error.outcome == fixed(Outcome.UNCONFIRMED))
ARRIVED: Final = (
    select(Batch.event_id, Record.contact, Record.id, Record.batch_id)
    .join(Batch, Batch.id == Record.batch_id)
    .outerjoin(LastError, true())
    .where(
        Record.batch_id == ids("batches"),
        or_(
            outcome.in_([Outcome.DELIVERED, Outcome.UNCONFIRMED]),
            and_(outcome.in_([Outcome.FAILED, Outcome.CANCELED]), _TOOK_IT_ONCE),
        ),
    )
)
"""The places and batches of records that arrived or may have: each overtakes what is older of its contact and event."""


def must_stay(connection: Connection, batch_ids: Collection[int]) -> set[int]:
    """Say which of these settled batches must stay."""
    batches = {"batches": list(batch_ids)}
    read_back = set(connection.execute(READ_BACK, batches).scalars())
    waited_for = set(connection.execute(WAITED_FOR, batches).scalars())
    rows = connection.execute(ARRIVED, batches)
    arrived = {Place(event_id, contact, id_): batch_id for event_id, contact, id_, batch_id in rows}
    return read_back | waited_for | _overtook(connection, arrived)


def _overtook(connection: Connection, arrived: Mapping[Place, int]) -> set[int]:
    """Say which batches hold a record that is newer than one of its contact and event that can still be sent.

    The oldest such record is looked for once for each contact: many may have thousands in one event.
    """
    upto: dict[tuple[int, str], int] = {}
    for (event_id, contact, _), batch_id in arrived.items():
        upto[event_id, contact] = max(batch_id, upto.get((event_id, contact), 0))
    oldest = oldest_sendable(connection, upto)
    after_moved = after_sendable(connection, arrived)
    return {
        batch_id
        for (event_id, contact, id_), batch_id in arrived.items()
        if oldest.get((event_id, contact), id_) < id_ or id_ in after_moved
    }
