"""The event's lock: taken before any batch of the event, and before what follows from its newer records is read.

One who holds other locks of the queue may not wait for it: a retry's claim takes it together with its lane, or goes on
to another (`claim._pick_lane`).
"""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, bindparam, select

from models.tables import Event, ids

_LOCK: Final = select(Event.id).where(Event.id == bindparam("event")).with_for_update(key_share=True)
_LOCK_ALL: Final = select(Event.id).where(Event.id == ids("events")).order_by(Event.id).with_for_update(key_share=True)


def lock_event(connection: Connection, event_id: int) -> None:
    """Lock an event; before any batch of it, and before looking for those that wait or for newer records."""
    connection.execute(_LOCK, {"event": event_id})


def lock_events(connection: Connection, event_ids: Collection[int]) -> None:
    """Lock events in id order, before anything of them is read."""
    connection.execute(_LOCK_ALL, {"events": list(event_ids)})
