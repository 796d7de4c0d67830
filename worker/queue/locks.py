"""The event's lock: taken before any batch of the event, and before what follows from its newer records is read.

One who holds other locks of the queue may not wait for it: a retry's claim takes it together with its lane, or goes on
to another (`claim._next_lane`).
"""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, bindparam, select

from models.tables import Event, ids
from worker.trip import Query

_LOCK: Final = select(Event.id).where(Event.id == bindparam("event")).with_for_update(key_share=True)
_LOCK_ALL: Final = select(Event.id).where(Event.id == ids("events")).order_by(Event.id).with_for_update(key_share=True)


def lock(event_id: int) -> Query[tuple[int]]:
    """Lock an event, as part of a trip; before any batch of it."""
    return Query(_LOCK, {"event": event_id})


def lock_event(connection: Connection, event_id: int) -> None:
    """Lock an event; before any batch of it, and before looking for those that wait or for newer records."""
    lock(event_id).alone(connection)


def lock_all(event_ids: Collection[int]) -> Query[tuple[int]]:
    """Lock events in id order, as part of a trip, before anything of them is read."""
    return Query(_LOCK_ALL, {"events": list(event_ids)})


def lock_events(connection: Connection, event_ids: Collection[int]) -> None:
    """Lock events in id order, before anything of them is read."""
    lock_all(event_ids).alone(connection)
