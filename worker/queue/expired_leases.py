"""Batches whose lease ran out, because their worker was lost, go back to PENDING."""

import logging
from typing import Final

from sqlalchemy import Engine, text

from models.moves import Move
from models.words import Origin
from worker.database import repeat
from worker.queue import attempts, lanes
from worker.queue.locks import lock_event
from worker.queue.settle import free

log = logging.getLogger(__name__)

AT_ONCE: Final = 100
"""Batches that one sweep takes back, at most; the next takes the rest."""


def reclaim(engine: Engine) -> int:
    """Put batches whose lease ran out back, each after a wait that doubles with its claims; never given up for it."""
    with engine.connect() as connection:
        lost = connection.execute(
            text("""
            SELECT id, event_id, origin FROM batches WHERE status = 'PROCESSING' AND lease_until < now()
            ORDER BY lease_until LIMIT :most"""),
            {"most": AT_ONCE},
        ).all()
    for batch in lost:
        repeat(lambda batch=batch: _reclaim(engine, batch.id, batch.event_id, Origin(batch.origin)))  # type: ignore[misc]
    return len(lost)


def _reclaim(engine: Engine, batch_id: int, event_id: int, origin: Origin) -> None:
    with engine.begin() as connection:
        lock_event(connection, event_id)
        claims = connection.execute(
            text(f"""
            UPDATE batches SET status = {Move.POSTPONE.to}, lease_token = NULL, lease_until = NULL,
              due_at = now() + least(3600, power(2, least(claims, 12))) * interval '1 second',
              postponed_because = 'the worker that had it was lost; claimed ' || claims || ' times'
            WHERE id = :id AND {Move.POSTPONE.guard} AND lease_until < now() RETURNING claims"""),
            {"id": batch_id},
        ).scalar()
        if claims is None:
            return
        log.warning("batch %d is taken back: its lease ran out; claimed %d times", batch_id, claims)
        attempts.lose(connection, batch_id)
        if origin is Origin.RETRY:
            free(connection, batch_id)
        lanes.tell(connection, [batch_id])
