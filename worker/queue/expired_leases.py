"""Batches whose lease ran out, because their worker was lost, go back to PENDING."""

from functools import partial
from typing import Final

from sqlalchemy import Engine, bindparam, func, literal_column, null, select

from models.moves import Move
from models.tables import Batch, fixed
from models.words import Origin
from worker.database import repeat
from worker.log import get_logger
from worker.queue import attempts, lanes
from worker.queue.locks import lock_event
from worker.queue.settle import freed

log = get_logger(__name__)

AT_ONCE: Final = 100
"""Batches that one sweep takes back, at most; the next takes the rest."""


_LOST: Final = (
    select(Batch.id, Batch.event_id, Batch.origin)
    .where(Batch.status == fixed(Move.POSTPONE.before), Batch.lease_until < func.now())
    .order_by(Batch.lease_until)
    .limit(bindparam("most"))
)


def reclaim(engine: Engine) -> int:
    """Put batches whose lease ran out back, each after a wait that doubles with its claims; never given up for it."""
    with engine.connect() as connection:
        lost = connection.execute(_LOST, {"most": AT_ONCE}).all()
    for batch_id, event_id, origin in lost:
        repeat(partial(_reclaim, engine, batch_id, event_id, origin))
    return len(lost)


_WAIT: Final = func.least(3600, func.power(2, func.least(Batch.claims, 12))) * literal_column("interval '1 second'")
_BECAUSE: Final = func.concat("the worker that had it was lost; claimed ", Batch.claims, " times")
_RECLAIM: Final = (
    Move.POSTPONE.update()
    .where(Batch.id == bindparam("batch"), Batch.lease_until < func.now())
    .values(lease_token=null(), lease_until=null(), due_at=func.now() + _WAIT, postponed_because=_BECAUSE)
    .returning(Batch.claims)
)


def _reclaim(engine: Engine, batch_id: int, event_id: int, origin: Origin) -> None:
    with engine.begin() as connection:
        lock_event(connection, event_id)
        claims = connection.execute(_RECLAIM, {"batch": batch_id}).scalar()
        if claims is None:
            return
        log.warning("lease reclaimed", batch=batch_id, claims=claims)
        attempts.lose(connection, batch_id)
        if origin is Origin.RETRY:
            freed(batch_id).alone(connection)
        lanes.tell(connection, [batch_id])
